import HTTP

/// A decoded query or form: `+` is a space, `%XX` a byte; pairs in their order, repeated keys kept.
struct Query: Sendable {
  var items: [(key: String, value: String)] = []

  init(_ text: some StringProtocol) {
    for part in text.split(separator: "&", omittingEmptySubsequences: true) {
      let pieces = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      items.append((Self.decode(pieces[0]), pieces.count > 1 ? Self.decode(pieces[1]) : ""))
    }
  }

  init(of request: HTTPRequest) { self.init(request.query ?? "") }

  /// The last value given for a key, as PHP takes it.
  subscript(key: String) -> String? { items.last { $0.key == key }?.value }

  func integer(_ key: String) -> Int? { self[key].flatMap { Int($0) } }

  /// The inner key of `name[inner]`; nil for other keys.
  static func inner(_ key: String, of name: String) -> String? {
    guard key.hasPrefix(name + "["), key.hasSuffix("]") else { return nil }
    return String(key.dropFirst(name.count + 1).dropLast())
  }

  static func decode(_ text: some StringProtocol) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let high = rest.first.flatMap(digit),
        let low = rest.dropFirst().first.flatMap(digit)
      {
        bytes.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == UInt8(ascii: "+") ? 0x20 : byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46: byte - 0x41 + 10
    case 0x61...0x66: byte - 0x61 + 10
    default: nil
    }
  }

  /// Percent-encodes everything but RFC 3986's unreserved characters.
  static func encode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: bytes.append(byte)
      default: bytes.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// The non-empty parts of a request's path, still percent-encoded.
func pathSegments(_ request: HTTPRequest) -> [String] { request.path.split(separator: "/").map(String.init) }
