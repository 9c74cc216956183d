import JSON

/// What the API says, as it stands in a table.
enum Cell {
  /// A text without its quotes, anything else as JSON; nothing for null.
  static func plain(_ value: JSONValue?) -> String {
    guard let value, !value.isNull else { return "" }
    return value.string ?? value.text
  }

  static func text(_ value: JSONValue?) -> HTML { "\(plain(value))" }

  /// What of a value is shown before it is asked for.
  private static let longest = 120

  /// A record's value: nothing is told from an empty text.
  static func value(_ value: JSONValue?) -> HTML {
    guard let value, !value.isNull else { return "<span class=\"dim\">nothing</span>" }
    let text = plain(value)
    if text.isEmpty { return "<span class=\"dim\">empty</span>" }
    guard text.count > longest else { return "<span class=\"value\">\(text)</span>" }
    return "<details><summary>\(String(text.prefix(longest)))...</summary>\(text)</details>"
  }

  static func record(_ id: JSONValue?) -> HTML {
    let text = plain(id)
    return text.isEmpty ? "" : "<a href=\"/history?record=\(segment(text))\">\(text)</a>"
  }

  /// To the second; the whole of it when pointed at.
  static func time(_ value: JSONValue?) -> HTML {
    let text = plain(value)
    guard text.utf8.count >= 19 else { return "\(text)" }
    let short = String(text.prefix(19)).replacing("T", with: " ")
    return "<time datetime=\"\(text)\" title=\"\(text)\">\(short)</time>"
  }

  static func state(_ value: JSONValue?) -> HTML {
    let text = plain(value)
    let kind =
      switch text {
      case "up", "done", "active": "good"
      case "down", "paused", "parked", "conflict": "bad"
      case "retrying", "held", "asleep": "fair"
      default: "dim"
      }
    return "<span class=\"\(kind)\">\(text)</span>"
  }

  /// A form of one button, with at most one field.
  static func button(_ title: String, _ path: String, _ field: (name: String, value: String)? = nil) -> HTML {
    let input: HTML =
      field.map { "<input type=\"hidden\" name=\"\($0.name)\" value=\"\($0.value)\">" } ?? ""
    return "<form method=\"post\" action=\"\(path)\">\(input)<button>\(title)</button></form>"
  }

  /// Text as it stands in a path's segment or a query's value.
  static func segment(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
      let scalar = Unicode.Scalar(byte)
      let isKept = byte < 0x80 && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
      if isKept || "-._~".unicodeScalars.contains(scalar) {
        result.unicodeScalars.append(scalar)
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return result
  }
}
