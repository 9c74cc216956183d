extension JSONValue {
  /// How many arrays and objects may be nested in one another.
  public static let maximumDepth = 256

  /// Reads one JSON text (RFC 8259), UTF-8, without a byte order mark.
  public init(parsing bytes: some Collection<UInt8>) throws(JSONError) {
    self =
      if let result = bytes.withContiguousStorageIfAvailable(Self.parse) { try result.get() } else {
        try ContiguousArray(bytes).withUnsafeBufferPointer(Self.parse).get()
      }
  }

  public init(parsing text: String) throws(JSONError) { try self.init(parsing: Array(text.utf8)) }

  private static func parse(_ bytes: UnsafeBufferPointer<UInt8>) -> Result<JSONValue, JSONError> {
    var parser = JSONParser(bytes: bytes)
    do throws(JSONError) { return .success(try parser.document()) } catch { return .failure(error) }
  }
}

/// Builds a value from a text. It recurses, so the depth is bounded.
struct JSONParser {
  private var cursor: JSONCursor

  init(bytes: UnsafeBufferPointer<UInt8>) { cursor = JSONCursor(bytes: bytes) }

  mutating func document() throws(JSONError) -> JSONValue {
    let value = try value(depth: 0)
    cursor.skipSpace()
    if cursor.position < cursor.bytes.count { throw cursor.fail(.trailingBytes) }
    return value
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    cursor.skipSpace()
    switch try cursor.peek() {
    case UInt8(ascii: "{"): return .object(try object(depth: depth + 1))
    case UInt8(ascii: "["): return .array(try array(depth: depth + 1))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"):
      try cursor.literal("true")
      return .bool(true)
    case UInt8(ascii: "f"):
      try cursor.literal("false")
      return .bool(false)
    case UInt8(ascii: "n"):
      try cursor.literal("null")
      return .null
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let start = cursor.position
      try cursor.number()
      return .number(JSONNumber(unchecked: text(start..<cursor.position)))
    default: throw cursor.fail(.unexpectedByte)
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    guard depth <= JSONValue.maximumDepth else { throw cursor.fail(.tooDeep) }
    cursor.position += 1
    var items: [JSONValue] = []
    cursor.skipSpace()
    if try cursor.peek() == UInt8(ascii: "]") {
      cursor.position += 1
      return items
    }
    items.reserveCapacity(4)
    while true {
      items.append(try value(depth: depth))
      cursor.skipSpace()
      switch try cursor.peek() {
      case UInt8(ascii: ","): cursor.position += 1
      case UInt8(ascii: "]"):
        cursor.position += 1
        return items
      default: throw cursor.fail(.unexpectedByte)
      }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONObject {
    guard depth <= JSONValue.maximumDepth else { throw cursor.fail(.tooDeep) }
    cursor.position += 1
    var members: [JSONObject.Member] = []
    var last = 0..<0
    var isAscending = true
    cursor.skipSpace()
    if try cursor.peek() == UInt8(ascii: "}") {
      cursor.position += 1
      return JSONObject()
    }
    members.reserveCapacity(8)
    while true {
      cursor.skipSpace()
      guard try cursor.peek() == UInt8(ascii: "\"") else { throw cursor.fail(.unexpectedByte) }
      let start = cursor.position
      let key = try string()
      // Told by the bytes as they stand here: an escape leaves it open.
      let written = start + 1..<cursor.position - 1
      isAscending = isAscending && written.count == key.utf8.count && precedes(last, written)
      last = written
      try cursor.colon()
      members.append((key, try value(depth: depth)))
      cursor.skipSpace()
      switch try cursor.peek() {
      case UInt8(ascii: ","): cursor.position += 1
      case UInt8(ascii: "}"):
        cursor.position += 1
        return isAscending ? JSONObject(unrepeated: members) : JSONObject(members)
      default: throw cursor.fail(.unexpectedByte)
      }
    }
  }

  /// Strictly; the first key of an object comes after nothing, and an empty one is left open.
  @inline(__always)
  private func precedes(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
    var (x, y) = (a.lowerBound, b.lowerBound)
    while x < a.upperBound, y < b.upperBound {
      if cursor.bytes[x] != cursor.bytes[y] { return cursor.bytes[x] < cursor.bytes[y] }
      x += 1
      y += 1
    }
    return a.count < b.count
  }

  private mutating func string() throws(JSONError) -> String {
    let start = cursor.position + 1
    let hasEscapes = try cursor.string()
    let content = start..<cursor.position - 1
    return hasEscapes ? String(decoding: cursor.unescaped(content), as: UTF8.self) : text(content)
  }

  private func text(_ range: Range<Int>) -> String {
    String(decoding: UnsafeBufferPointer(rebasing: cursor.bytes[range]), as: UTF8.self)
  }
}
