import JSON

/// Values as YAML writes them inside `{ }` and `[ ]`, on one line.
enum YAMLText {
  /// Text: plain where every YAML reader takes it for text, else in double quotes.
  static func text(_ text: String) -> String { isPlain(text) ? text : quoted(text) }

  static func value(_ value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .number(let number): number.text
    case .string(let string): text(string)
    case .array(let items): "[" + items.map(self.value).joined(separator: ", ") + "]"
    case .object(let object): keyed(object.members.map { ($0.key, self.value($0.value)) })
    }
  }

  /// `{ key: value, ... }`; the values are YAML already.
  static func keyed(_ members: [(key: String, value: String)]) -> String {
    members.isEmpty ? "{}" : "{ " + members.map { "\(text($0.key)): \($0.value)" }.joined(separator: ", ") + " }"
  }

  /// Words that YAML 1.1 readers take for something else than text.
  private static let words: Set<String> = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"]

  private static func isPlain(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first, let last = text.unicodeScalars.last else { return false }
    return isLetter(first) && last != " " && !words.contains(text.lowercased())
      && text.unicodeScalars.allSatisfy { isLetter($0) || "0123456789 ./()+-\\".unicodeScalars.contains($0) }
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "A"..."Z", "a"..."z", "_", "$": true
    default: scalar.value >= 0xA1 && scalar.properties.isAlphabetic
    }
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default:
        if isPrintable(scalar) {
          result.unicodeScalars.append(scalar)
        } else {
          let digits = String(scalar.value, radix: 16, uppercase: true)
          result += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
        }
      }
    }
    return result + "\""
  }

  /// YAML 1.2 section 5.1, less the line and paragraph separators, which readers fold.
  private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x2028, 0x2029, 0xFEFF: false
    case 0x20...0x7E, 0xA0...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
    default: false
    }
  }
}
