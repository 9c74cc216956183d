/// A place in a JSON text, and the steps over its tokens that the parser and the skimmer share.
struct JSONCursor {
  let bytes: UnsafeBufferPointer<UInt8>
  var position = 0

  init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  func fail(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: position) }

  /// The failure that stands for whatever is here in place of what was expected.
  func unexpected() -> JSONError { fail(position < bytes.count ? .unexpectedByte : .unexpectedEnd) }

  @inline(__always)
  mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  @inline(__always)
  func peek() throws(JSONError) -> UInt8 {
    guard position < bytes.count else { throw fail(.unexpectedEnd) }
    return bytes[position]
  }

  @inline(__always)
  mutating func literal(_ text: StaticString) throws(JSONError) {
    let count = text.utf8CodeUnitCount
    // `true`, `null` and the end of `false` are one word each.
    if position + count <= bytes.count, let base = bytes.baseAddress {
      let word = UnsafeRawPointer(base).loadUnaligned(fromByteOffset: position + count - 4, as: UInt32.self)
      let expected = UnsafeRawPointer(text.utf8Start).loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
      if word == expected {
        position += count
        return
      }
    }
    throw differing(text)
  }

  /// The failure at the first byte that isn't the literal's.
  private mutating func differing(_ text: StaticString) -> JSONError {
    let end = position + text.utf8CodeUnitCount
    var expected = text.utf8Start
    while position < end, position < bytes.count, bytes[position] == expected.pointee {
      position += 1
      expected += 1
    }
    return unexpected()
  }

  @inline(__always)
  mutating func colon() throws(JSONError) {
    skipSpace()
    guard try peek() == UInt8(ascii: ":") else { throw fail(.unexpectedByte) }
    position += 1
  }

  /// Steps over the number that begins here.
  mutating func number() throws(JSONError) {
    if bytes[position] == UInt8(ascii: "-") { position += 1 }
    guard position < bytes.count else { throw fail(.unexpectedEnd) }
    if bytes[position] == UInt8(ascii: "0") { position += 1 } else { try digits() }
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
        position += 1
      }
      try digits()
    }
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    if position == start { throw fail(position < bytes.count ? .invalidNumber : .unexpectedEnd) }
  }

  /// Steps over the string whose quote is here, and says whether it holds escapes; checks its UTF-8.
  mutating func string() throws(JSONError) -> Bool {
    position += 1
    var hasEscapes = false
    while true {
      skipPlain()
      guard position < bytes.count else { throw fail(.unexpectedEnd) }
      switch bytes[position] {
      case UInt8(ascii: "\""):
        position += 1
        return hasEscapes
      case UInt8(ascii: "\\"):
        hasEscapes = true
        try escape()
      case 0..<0x20: throw fail(.invalidString)
      default: try multibyte()
      }
    }
  }

  /// Goes on to the next quote, backslash, control character or byte beyond ASCII, eight bytes at a time.
  @inline(__always)
  mutating func skipPlain() {
    let (ones, highs) = (0x0101_0101_0101_0101 as UInt64, 0x8080_8080_8080_8080 as UInt64)
    while position + 8 <= bytes.count {
      let word = UInt64(
        littleEndian: UnsafeRawPointer(bytes.baseAddress!).loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let (quote, backslash) = (word ^ (ones &* 0x22), word ^ (ones &* 0x5C))
      // A borrow can only mark bytes above the first that is really meant.
      let stops =
        ((quote &- ones) & ~quote | (backslash &- ones) & ~backslash | (word &- ones &* 0x20) & ~word | word) & highs
      if stops != 0 {
        position += stops.trailingZeroBitCount >> 3
        return
      }
      position += 8
    }
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), 0..<0x20, 0x80...0xFF: return
      default: position += 1
      }
    }
  }

  private mutating func escape() throws(JSONError) {
    position += 1
    switch try peek() {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 1
    case UInt8(ascii: "u"):
      position += 1
      let first = try hexadecimal()
      // A surrogate must come as a pair (RFC 8259 section 7 leaves it open; text that is no Unicode can't be kept).
      if first & 0xFC00 == 0xDC00 { throw fail(.invalidString) }
      if first & 0xFC00 == 0xD800 {
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw fail(.invalidString) }
        position += 2
        guard try hexadecimal() & 0xFC00 == 0xDC00 else { throw fail(.invalidString) }
      }
    default: throw fail(.invalidString)
    }
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt16 {
    guard position + 4 <= bytes.count else { throw fail(.unexpectedEnd) }
    var code: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = Self.hexadecimalDigit(bytes[position]) else { throw fail(.invalidString) }
      code = code << 4 | digit
      position += 1
    }
    return code
  }

  private static func hexadecimalDigit(_ byte: UInt8) -> UInt16? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt16(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt16(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt16(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  /// Steps over one scalar beyond ASCII (Unicode standard, table 3-7).
  private mutating func multibyte() throws(JSONError) {
    let second: ClosedRange<UInt8>
    let length: Int
    switch bytes[position] {
    case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: (length, second) = (3, 0x80...0xBF)
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw fail(.invalidUTF8)
    }
    guard position + length <= bytes.count, second.contains(bytes[position + 1]) else { throw fail(.invalidUTF8) }
    for offset in 2..<max(length, 2) where bytes[position + offset] & 0xC0 != 0x80 { throw fail(.invalidUTF8) }
    position += length
  }

  /// The content of a string that `string()` stepped over, `content` being what is between its quotes.
  func unescaped(_ content: Range<Int>) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(content.count)
    var index = content.lowerBound
    while index < content.upperBound {
      let byte = bytes[index]
      index += 1
      guard byte == UInt8(ascii: "\\") else {
        text.append(byte)
        continue
      }
      let escape = bytes[index]
      index += 1
      switch escape {
      case UInt8(ascii: "b"): text.append(0x08)
      case UInt8(ascii: "f"): text.append(0x0C)
      case UInt8(ascii: "n"): text.append(0x0A)
      case UInt8(ascii: "r"): text.append(0x0D)
      case UInt8(ascii: "t"): text.append(0x09)
      case UInt8(ascii: "u"):
        var code = UInt32(unit(at: index))
        index += 4
        if code & 0xFC00 == 0xD800 {
          code = 0x10000 + ((code & 0x3FF) << 10 | UInt32(unit(at: index + 2)) & 0x3FF)
          index += 6
        }
        if let scalar = Unicode.Scalar(code) { text.append(contentsOf: UTF8.encode(scalar)!) }
      default: text.append(escape)
      }
    }
    return text
  }

  /// Where the escape that begins at `index` ends, both halves of a pair taken together.
  func endOfEscape(at index: Int) -> Int {
    guard bytes[index + 1] == UInt8(ascii: "u") else { return index + 2 }
    return index + (unit(at: index + 2) & 0xFC00 == 0xD800 ? 12 : 6)
  }

  private func unit(at index: Int) -> UInt16 {
    bytes[index..<index + 4].reduce(0) { $0 << 4 | (Self.hexadecimalDigit($1) ?? 0) }
  }
}
