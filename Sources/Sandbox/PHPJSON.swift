import JSON

extension JSONValue {
  /// The text as PHP's `json_encode` writes it: `/` as `\/`, everything beyond ASCII as `\uXXXX`.
  var phpText: [UInt8] {
    var writer = PHPWriter(pretty: false)
    writer.write(self, indent: 0)
    return writer.bytes
  }

  /// What Invoiced sends to a `User-Agent` that begins with `curl`: indented by four, nothing escaped needlessly.
  var phpPrettyText: [UInt8] {
    var writer = PHPWriter(pretty: true)
    writer.write(self, indent: 0)
    return writer.bytes
  }
}

private struct PHPWriter {
  let pretty: Bool
  var bytes: [UInt8] = []

  init(pretty: Bool) { self.pretty = pretty }

  mutating func write(_ value: JSONValue, indent: Int) {
    switch value {
    case .null, .bool, .number: bytes.append(contentsOf: value.serialized)
    case .string(let text): write(text)
    case .array(let items):
      group(open: "[", close: "]", count: items.count, indent: indent) { writer, index in
        writer.write(items[index], indent: indent + 1)
      }
    case .object(let object):
      let members = object.members
      group(open: "{", close: "}", count: members.count, indent: indent) { writer, index in
        writer.write(members[index].key)
        writer.bytes.append(contentsOf: (writer.pretty ? ": " : ":").utf8)
        writer.write(members[index].value, indent: indent + 1)
      }
    }
  }

  private mutating func group(
    open: Unicode.Scalar, close: Unicode.Scalar, count: Int, indent: Int, item: (inout PHPWriter, Int) -> Void
  ) {
    bytes.append(UInt8(ascii: open))
    for index in 0..<count {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      if pretty { newline(indent + 1) }
      item(&self, index)
    }
    if pretty && count > 0 { newline(indent) }
    bytes.append(UInt8(ascii: close))
  }

  private mutating func newline(_ indent: Int) {
    bytes.append(0x0A)
    bytes.append(contentsOf: repeatElement(0x20, count: indent * 4))
  }

  private mutating func write(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": bytes.append(contentsOf: #"\""#.utf8)
      case "\\": bytes.append(contentsOf: #"\\"#.utf8)
      case "/": bytes.append(contentsOf: (pretty ? "/" : #"\/"#).utf8)
      case "\u{8}": bytes.append(contentsOf: #"\b"#.utf8)
      case "\u{C}": bytes.append(contentsOf: #"\f"#.utf8)
      case "\n": bytes.append(contentsOf: #"\n"#.utf8)
      case "\r": bytes.append(contentsOf: #"\r"#.utf8)
      case "\t": bytes.append(contentsOf: #"\t"#.utf8)
      case "\u{0}"..<"\u{20}": escape(UInt16(scalar.value))
      case "\u{20}"..<"\u{80}": bytes.append(UInt8(scalar.value))
      default:
        if pretty {
          bytes.append(contentsOf: String(scalar).utf8)
        } else {
          for unit in String(scalar).utf16 { escape(unit) }
        }
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }

  private mutating func escape(_ unit: UInt16) {
    let digits = Array("0123456789abcdef".utf8)
    bytes.append(contentsOf: #"\u"#.utf8)
    for shift in stride(from: 12, through: 0, by: -4) { bytes.append(digits[Int(unit >> UInt16(shift)) & 15]) }
  }
}
