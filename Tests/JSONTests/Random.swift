import JSON
import SeededRandom

extension SeededGenerator {
  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &self) == 0 }

  mutating func text() -> String {
    let alphabet: [String] = [
      "a", "b", "id", "data", " ", "\"", "\\", "/", "\n", "\u{0}", "\u{1F}", "\u{7F}", "é", "e\u{301}", "名", "😀",
      "\u{FFFD}", "\u{10FFFF}", "plain text of some length",
    ]
    return (0..<Int.random(in: 0..<5, using: &self)).map { _ in alphabet.randomElement(using: &self)! }.joined()
  }

  mutating func key() -> String {
    chance(3) ? text() : ["id", "data", "type", "object", "a"].randomElement(using: &self)!
  }

  mutating func value(depth: Int = 5) -> JSONValue {
    switch Int.random(in: 0..<(depth > 0 ? 8 : 5), using: &self) {
    case 0: return .null
    case 1: return .bool(.random(using: &self))
    case 2: return .number(JSONNumber(Int64(truncatingIfNeeded: next())))
    case 3:
      return .number(JSONNumber(validating: ["-0", "1.10", "1e400", "12.5E-3", "0"].randomElement(using: &self)!)!)
    case 4: return .string(text())
    case 5: return .array((0..<Int.random(in: 0..<4, using: &self)).map { _ in value(depth: depth - 1) })
    default:
      return .object(
        JSONObject((0..<Int.random(in: 0..<6, using: &self)).map { _ in (key(), value(depth: depth - 1)) }))
    }
  }

  /// A valid text with spaces, escapes and repeated keys where a writer is free to put them.
  mutating func written(_ value: JSONValue) -> String {
    func space(_ generator: inout Self) -> String {
      generator.chance(4) ? [" ", "\n", "\t\r "].randomElement(using: &generator)! : ""
    }
    func string(_ text: String, _ generator: inout Self) -> String {
      guard generator.chance(3) else { return JSONValue.string(text).text }
      return "\""
        + text.utf16.map {
          "\\u" + String(repeating: "0", count: 4 - String($0, radix: 16).count) + String($0, radix: 16)
        }.joined() + "\""
    }
    var result = space(&self)
    switch value {
    case .null, .bool, .number: result += value.text
    case .string(let text): result += string(text, &self)
    case .array(let items): result += "[" + items.map { written($0) }.joined(separator: ",") + space(&self) + "]"
    case .object(let object):
      var members: [String] = []
      for member in object.members {
        if chance(4) { members.append(string(member.key, &self) + ":" + written(self.value(depth: 2))) }
        members.append(space(&self) + string(member.key, &self) + space(&self) + ":" + written(member.value))
      }
      result += "{" + members.joined(separator: ",") + "}"
    }
    return result + space(&self)
  }
}
