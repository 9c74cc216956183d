/// Why bytes are not JSON that we read.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  public enum Reason: String, Sendable {
    case unexpectedEnd = "the text ends too early"
    case unexpectedByte = "unexpected character"
    case invalidNumber = "not a JSON number"
    case invalidString = "not a JSON string"
    case invalidUTF8 = "not UTF-8"
    case tooDeep = "nested too deep"
    case trailingBytes = "text after the value"
  }
  public let reason: Reason
  /// Byte offset from the start of the text.
  public let offset: Int

  public var description: String { "\(reason.rawValue) at byte \(offset)" }
}

extension JSONValue {
  /// How many arrays and objects may be nested in one another.
  public static let maximumDepth = 256

  /// Reads one JSON text (RFC 8259), UTF-8, without a byte order mark.
  public init(parsing bytes: some Collection<UInt8>) throws(JSONError) {
    let contiguous = ContiguousArray(bytes)
    let result: Result<JSONValue, JSONError> = contiguous.withUnsafeBufferPointer { buffer in
      var parser = JSONParser(bytes: buffer)
      do throws(JSONError) { return .success(try parser.document()) } catch { return .failure(error) }
    }
    self = try result.get()
  }

  public init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }
}

struct JSONParser {
  let bytes: UnsafeBufferPointer<UInt8>
  var position = 0

  init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  mutating func document() throws(JSONError) -> JSONValue {
    let value = try value(depth: 0)
    skipSpace()
    if position < bytes.count { throw fail(.trailingBytes) }
    return value
  }

  private func fail(_ reason: JSONError.Reason) -> JSONError { JSONError(reason: reason, offset: position) }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private func peek() throws(JSONError) -> UInt8 {
    guard position < bytes.count else { throw fail(.unexpectedEnd) }
    return bytes[position]
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    skipSpace()
    switch try peek() {
    case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
    case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): try literal("true"); return .bool(true)
    case UInt8(ascii: "f"): try literal("false"); return .bool(false)
    case UInt8(ascii: "n"): try literal("null"); return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    default: throw fail(.unexpectedByte)
    }
  }

  private mutating func literal(_ text: StaticString) throws(JSONError) {
    for index in 0..<text.utf8CodeUnitCount {
      guard position < bytes.count else { throw fail(.unexpectedEnd) }
      guard bytes[position] == text.utf8Start[index] else { throw fail(.unexpectedByte) }
      position += 1
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    guard depth <= JSONValue.maximumDepth else { throw fail(.tooDeep) }
    position += 1
    var items: [JSONValue] = []
    skipSpace()
    if try peek() == UInt8(ascii: "]") { position += 1; return items }
    while true {
      items.append(try value(depth: depth))
      skipSpace()
      switch try peek() {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "]"): position += 1; return items
      default: throw fail(.unexpectedByte)
      }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
    guard depth <= JSONValue.maximumDepth else { throw fail(.tooDeep) }
    position += 1
    var members: [JSONObject.Member] = []
    skipSpace()
    if try peek() == UInt8(ascii: "}") { position += 1; return JSONObject() }
    while true {
      skipSpace()
      guard try peek() == UInt8(ascii: "\"") else { throw fail(.unexpectedByte) }
      let key = try string()
      skipSpace()
      guard try peek() == UInt8(ascii: ":") else { throw fail(.unexpectedByte) }
      position += 1
      members.append((key, try value(depth: depth)))
      skipSpace()
      switch try peek() {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: "}"): position += 1; return JSONObject(members)
      default: throw fail(.unexpectedByte)
      }
    }
  }

  private mutating func number() throws(JSONError) -> JSONNumber {
    let start = position
    if bytes[position] == UInt8(ascii: "-") { position += 1 }
    guard position < bytes.count else { throw fail(.unexpectedEnd) }
    if bytes[position] == UInt8(ascii: "0") { position += 1 } else { try digits() }
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") { position += 1; try digits() }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
        position += 1
      }
      try digits()
    }
    return JSONNumber(unchecked: String(decoding: bytes[start..<position], as: UTF8.self))
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    if position == start { throw fail(position < bytes.count ? .invalidNumber : .unexpectedEnd) }
  }

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < bytes.count {
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        let text = try utf8(bytes[start..<position], at: start)
        position += 1
        return text
      }
      if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
      if byte < 0x20 { throw fail(.invalidString) }
      position += 1
    }
    throw fail(.unexpectedEnd)
  }

  private func utf8(_ slice: some Collection<UInt8>, at offset: Int) throws(JSONError) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw JSONError(reason: .invalidUTF8, offset: offset)
    }
    return text
  }

  /// The slow path: from the first backslash on, the content is gathered unescaped.
  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var content = Array(bytes[start..<position])
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return try utf8(content, at: start)
      case UInt8(ascii: "\\"):
        let escape = try peek()
        position += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(escape)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"): content.append(contentsOf: try unicodeEscape().utf8)
        default: throw fail(.invalidString)
        }
      case 0..<0x20: throw fail(.invalidString)
      default: content.append(byte)
      }
    }
    throw fail(.unexpectedEnd)
  }

  /// The scalar after `\u`; a surrogate must come as a pair (RFC 8259 section 7).
  private mutating func unicodeEscape() throws(JSONError) -> Character {
    let first = try hexadecimal()
    var code = UInt32(first)
    if first & 0xFC00 == 0xD800 {
      guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
      else { throw fail(.invalidString) }
      position += 2
      let second = try hexadecimal()
      guard second & 0xFC00 == 0xDC00 else { throw fail(.invalidString) }
      code = 0x10000 + (UInt32(first & 0x3FF) << 10 | UInt32(second & 0x3FF))
    }
    guard let scalar = Unicode.Scalar(code) else { throw fail(.invalidString) }
    return Character(scalar)
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt16 {
    guard position + 4 <= bytes.count else { throw fail(.unexpectedEnd) }
    var code: UInt16 = 0
    for _ in 0..<4 {
      let byte = bytes[position]
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw fail(.invalidString)
      }
      code = code << 4 | UInt16(digit)
      position += 1
    }
    return code
  }
}
