import HTTP

/// Gathers an answer from the pieces that libcurl hands on.
struct ResponseReader {
  private(set) var headers = HTTPHeaders()
  private(set) var body: [UInt8] = []
  private(set) var isTooLarge = false
  let limit: Int
  private var headerBytes = 0
  private var fields: [HTTPHeaders.Field] = []
  private var isHeadComplete = false

  /// Fields of an answer in all; libcurl 7.88 itself limits single lines only.
  private static let headerLimit = 256 << 10

  init(limit: Int) { self.limit = limit }

  /// Takes one line of the head: a status line, a field, or the empty line after them. False ends the exchange.
  mutating func addLine(_ line: UnsafeRawBufferPointer) -> Bool {
    headerBytes += line.count
    guard headerBytes <= Self.headerLimit else {
      isTooLarge = true
      return false
    }
    let text = line.prefix { $0 != 0x0d && $0 != 0x0a }
    if text.starts(with: "HTTP/".utf8) {
      // Another head begins: what came before belonged to a 1xx.
      fields = []
      isHeadComplete = false
    } else if text.isEmpty {
      headers = HTTPHeaders(fields)
      isHeadComplete = true
    } else if !isHeadComplete {  // else it is a trailer
      addField(text)
    }
    return true
  }

  private mutating func addField(_ text: UnsafeRawBufferPointer.SubSequence) {
    if text.first == 0x20 || text.first == 0x09 {
      // A folded line goes on with the field before (RFC 9112 section 5.2).
      guard let last = fields.indices.last else { return }
      fields[last].value += " " + Self.trimmed(text)
    } else if let colon = text.firstIndex(of: 0x3a) {
      fields.append((Self.trimmed(text[..<colon]), Self.trimmed(text[(colon + 1)...])))
    }
  }

  /// False ends the exchange: the limit is passed.
  mutating func addBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count <= limit - body.count else {
      isTooLarge = true
      return false
    }
    body.append(contentsOf: bytes)
    return true
  }

  private static func trimmed(_ text: UnsafeRawBufferPointer.SubSequence) -> String {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
    guard let first = text.firstIndex(where: { !isBlank($0) }), let last = text.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(decoding: text[first...last], as: UTF8.self)
  }
}
