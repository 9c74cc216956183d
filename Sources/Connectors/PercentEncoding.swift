/// Text as it stands in a URL.
enum PercentEncoding {
  /// Everything but RFC 3986's unreserved characters, so that no value breaks out of its path segment or parameter.
  static func encode(_ text: String) -> String { encode(text) { isUnreserved($0) } }

  /// What can't stand in a URL at all; what is encoded already stays so.
  static func repair(_ text: some StringProtocol) -> String {
    encode(text) { 0x21...0x7E ~= $0 && !#""<>\^`{|}"#.utf8.contains($0) }
  }

  static func query(_ parameters: [(name: String, value: String)]) -> String {
    parameters.map { encode($0.name) + "=" + encode($0.value) }.joined(separator: "&")
  }

  /// The text whose encoding this is; bytes that are no UTF-8 become U+FFFD.
  static func decode(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let code = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16),
        rest.count >= 2
      {
        bytes.append(code)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func encode(_ text: some StringProtocol, keeping isKept: (UInt8) -> Bool) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if isKept(byte) {
        bytes.append(byte)
      } else {
        bytes += [UInt8(ascii: "%"), hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static let hexDigits = Array("0123456789ABCDEF".utf8)

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "-._~".utf8.contains(byte)
    }
  }
}

/// A text in which names in braces stand for values: `/customers/{id}`.
struct URLTemplate {
  let text: String

  /// One pass, so that a value that holds `{id}` is not expanded in its turn; unknown names stay.
  func expanded(_ values: KeyValuePairs<String, String>) -> String {
    var result = ""
    var rest = text[...]
    // By bytes: for every call, and a text's characters take a look at what combines with what.
    while let brace = rest.utf8.firstIndex(of: UInt8(ascii: "{")) {
      result += rest[..<brace]
      rest = rest[brace...]
      let named = values.first { rest.utf8.starts(with: "{\($0.key)}".utf8) }
      result += named?.value ?? "{"
      rest = rest[rest.utf8.index(brace, offsetBy: named.map { $0.key.utf8.count + 2 } ?? 1)...]
    }
    return result + rest
  }
}
