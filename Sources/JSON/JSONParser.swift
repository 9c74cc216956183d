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

/// Checks a text and brings it into the compact form. It recurses, so the depth is bounded.
struct JSONParser {
  private var cursor: JSONCursor
  /// The compact text, as far as it differs from what was read: up to `copied`.
  private var text: [UInt8] = []
  private var copied = 0
  /// Of the objects that are being read, the outermost first.
  private var members: [Member] = []
  private var mayRepeat = false

  private struct Member {
    /// In the compact text.
    var place: JSONObject.Place
    /// Where its key's text begins in what is read.
    var key: Int

    func key(in bytes: UnsafeBufferPointer<UInt8>) -> Slice<UnsafeBufferPointer<UInt8>> {
      bytes[key..<key + place.key.count]
    }
  }

  init(bytes: UnsafeBufferPointer<UInt8>) { cursor = JSONCursor(bytes: bytes) }

  mutating func document() throws(JSONError) -> JSONValue {
    members.reserveCapacity(32)
    try value(depth: 0)
    skipSpace()
    if cursor.position < cursor.bytes.count { throw cursor.fail(.trailingBytes) }
    text.append(contentsOf: cursor.bytes[copied...])
    if !mayRepeat, text[0] == UInt8(ascii: "{") {
      return .object(JSONObject(text: text, places: members.map(\.place)))
    }
    return text.withUnsafeBufferPointer { bytes in
      let compact = JSONText(bytes)
      if !mayRepeat || !compact.repeatAnywhere(from: 0) { return compact.value(0..<bytes.count) }
      return compact.withoutRepeated().withUnsafeBufferPointer { JSONText($0).value(0..<$0.count) }
    }
  }

  /// Where what is read now comes to stand.
  private var written: Int { text.count + cursor.position - copied }

  private mutating func value(depth: Int) throws(JSONError) {
    skipSpace()
    switch try cursor.peek() {
    case UInt8(ascii: "{"): try object(depth: depth + 1)
    case UInt8(ascii: "["): try array(depth: depth + 1)
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"): try cursor.literal("true")
    case UInt8(ascii: "f"): try cursor.literal("false")
    case UInt8(ascii: "n"): try cursor.literal("null")
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try cursor.number()
    default: throw cursor.fail(.unexpectedByte)
    }
  }

  private mutating func array(depth: Int) throws(JSONError) {
    guard depth <= JSONValue.maximumDepth else { throw cursor.fail(.tooDeep) }
    cursor.position += 1
    skipSpace()
    if try cursor.peek() == UInt8(ascii: "]") {
      cursor.position += 1
      return
    }
    while true {
      try value(depth: depth)
      skipSpace()
      switch try cursor.peek() {
      case UInt8(ascii: ","): cursor.position += 1
      case UInt8(ascii: "]"):
        cursor.position += 1
        return
      default: throw cursor.fail(.unexpectedByte)
      }
    }
  }

  private mutating func object(depth: Int) throws(JSONError) {
    guard depth <= JSONValue.maximumDepth else { throw cursor.fail(.tooDeep) }
    cursor.position += 1
    skipSpace()
    if try cursor.peek() == UInt8(ascii: "}") {
      cursor.position += 1
      return
    }
    let first = members.count
    var isAscending = true
    while true {
      skipSpace()
      guard try cursor.peek() == UInt8(ascii: "\"") else { throw cursor.fail(.unexpectedByte) }
      let (key, start) = (cursor.position + 1, written + 1)
      // Of one key there may be two spellings then.
      if try string() { mayRepeat = true }
      let end = written - 1
      if isAscending, let last = members.last, members.count > first {
        isAscending = last.key(in: cursor.bytes).precedes(cursor.bytes[key..<cursor.position - 1])
      }
      skipSpace()
      guard try cursor.peek() == UInt8(ascii: ":") else { throw cursor.fail(.unexpectedByte) }
      cursor.position += 1
      try value(depth: depth)
      members.append(Member(place: JSONObject.Place(key: start..<end, end: written), key: key))
      skipSpace()
      switch try cursor.peek() {
      case UInt8(ascii: ","): cursor.position += 1
      case UInt8(ascii: "}"):
        cursor.position += 1
        if !isAscending, !mayRepeat { mayRepeat = members[first...].map { $0.key(in: cursor.bytes) }.haveTwins }
        // What is left at the end is the outermost object's.
        if depth > 1 { members.removeSubrange(first...) }
        return
      default: throw cursor.fail(.unexpectedByte)
      }
    }
  }

  // MARK: The compact form

  @inline(__always)
  private mutating func skipSpace() {
    let start = cursor.position
    cursor.skipSpace()
    if cursor.position > start { replace(start..<cursor.position, with: []) }
  }

  private mutating func replace(_ range: Range<Int>, with bytes: [UInt8]) {
    if text.isEmpty { text.reserveCapacity(cursor.bytes.count) }
    text.append(contentsOf: cursor.bytes[copied..<range.lowerBound])
    text.append(contentsOf: bytes)
    copied = range.upperBound
  }

  /// Whether it holds escapes.
  private mutating func string() throws(JSONError) -> Bool {
    let start = cursor.position + 1
    guard try cursor.string() else { return false }
    writeEscapes(in: start..<cursor.position - 1)
    return true
  }

  /// Each escape as `JSONValue.write` has it.
  private mutating func writeEscapes(in content: Range<Int>) {
    var index = content.lowerBound
    while index < content.upperBound {
      guard cursor.bytes[index] == UInt8(ascii: "\\") else {
        index += 1
        continue
      }
      switch cursor.bytes[index + 1] {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): index += 2
      default:
        let end = cursor.endOfEscape(at: index)
        var escape: [UInt8] = []
        for byte in cursor.unescaped(index..<end) { JSONValue.append(byte, to: &escape) }
        replace(index..<end, with: escape)
        index = end
      }
    }
  }
}
