#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A JSON object: its members in the order they came. Keys are compared as bytes; of a repeated key only the last
/// member is kept.
///
/// It is its compact text and where each member stands in it: most of a record is only ever read, kept and written
/// again, and then nothing is made of its members.
public struct JSONObject: Sendable {
  public typealias Member = (key: String, value: JSONValue)

  /// Compact, in the one form that `JSONValue.write` gives it: texts are equal where members are, in the same order.
  private(set) var text: [UInt8]
  private(set) var places: [Place]

  /// A member within the text. Its key is what stands between the quotes, and one form of each key there is.
  struct Place: Sendable {
    var key: Range<Int> { Int(keyStart)..<Int(keyEnd) }
    /// After the key come a quote and a colon.
    var value: Range<Int> { Int(keyEnd) + 2..<Int(end) }
    /// The member without the comma after it.
    var member: Range<Int> { Int(keyStart) - 1..<Int(end) }
    private var keyStart, keyEnd, end: UInt32

    init(key: Range<Int>, end: Int) {
      (keyStart, keyEnd, self.end) = (UInt32(key.lowerBound), UInt32(key.upperBound), UInt32(end))
    }

    /// Most keys are told apart by their length or their first byte.
    @inline(__always)
    func has(_ key: UnsafeBufferPointer<UInt8>, in text: UnsafeBufferPointer<UInt8>) -> Bool {
      guard Int(truncatingIfNeeded: keyEnd &- keyStart) == key.count else { return false }
      let start = Int(truncatingIfNeeded: keyStart)
      return key.isEmpty
        || text[start] == key[0] && memcmp(text.baseAddress! + start, key.baseAddress!, key.count) == 0
    }

    mutating func move(by count: Int) {
      self = Place(key: key.lowerBound + count..<key.upperBound + count, end: Int(end) + count)
    }
  }

  public init(_ members: [Member] = []) {
    guard !members.isEmpty else {
      self.init(text: Self.none, places: [])
      return
    }
    var text: [UInt8] = []
    text.reserveCapacity(32 * members.count)
    var places: [Place] = []
    places.reserveCapacity(members.count)
    for (key, value) in members { Self.append(key, value, to: &text, &places) }
    text.append(UInt8(ascii: "}"))
    if text.withUnsafeBufferPointer({ JSONText($0).repeats(places) }) {
      self.init(unrepeated: text.withUnsafeBufferPointer { JSONText($0).withoutRepeated() })
    } else {
      self.init(text: text, places: places)
    }
  }

  /// Of a compact text whose objects, this one and those within, have no key twice.
  init(unrepeated text: [UInt8]) {
    self.init(text: text, places: text.withUnsafeBufferPointer { JSONText($0).places(from: 0) })
  }

  init(text: [UInt8], places: [Place]) {
    self.text = text
    self.places = places
  }

  private static let none = Array("{}".utf8)

  private static func append(_ key: String, _ value: JSONValue, to text: inout [UInt8], _ places: inout [Place]) {
    text.append(places.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
    let start = text.count + 1
    JSONValue.write(key, to: &text)
    let end = text.count - 1
    text.append(UInt8(ascii: ":"))
    value.write(to: &text)
    places.append(Place(key: start..<end, end: text.count))
  }

  public var isEmpty: Bool { places.isEmpty }
  public var count: Int { places.count }

  /// No two have the same key. They are made each time.
  public var members: [Member] {
    text.withUnsafeBufferPointer { text in
      let text = JSONText(text)
      return places.map { (text.string($0.key), text.value($0.value)) }
    }
  }

  /// The members by the bytes of their keys.
  public var sorted: [Member] { members.sorted { $0.key.precedes($1.key) } }

  /// The value under `key`, nil when absent. Setting nil removes the member; a new key goes last.
  public subscript(key: String) -> JSONValue? {
    get { index(of: key).map { self[at: $0] } }
    set {
      if let index = index(of: key) {
        if let newValue { self[at: index] = newValue } else { remove(at: index) }
      } else if let newValue {
        text.removeLast(isEmpty ? 2 : 1)
        Self.append(key, newValue, to: &text, &places)
        text.append(UInt8(ascii: "}"))
      }
    }
  }

  /// The value of the member at that place in `members`.
  package subscript(at index: Int) -> JSONValue {
    get { text.withUnsafeBufferPointer { JSONText($0).value(places[index].value) } }
    set {
      let place = places[index]
      let value = newValue.serialized
      let growth = value.count - place.value.count
      text.replaceSubrange(place.value, with: value)
      places[index] = Place(key: place.key, end: place.value.upperBound + growth)
      for index in index + 1..<places.count { places[index].move(by: growth) }
    }
  }

  /// Places in `members` of arrays and objects.
  package var containers: [Int] {
    places.indices.filter { index in
      let first = text[places[index].value.lowerBound]
      return first == UInt8(ascii: "{") || first == UInt8(ascii: "[")
    }
  }

  private mutating func remove(at index: Int) {
    guard count > 1 else {
      self = JSONObject()
      return
    }
    // With the comma after it; the last one's stands before it.
    let isLast = index == count - 1
    let gone = places[index].member
    let removed = isLast ? gone.lowerBound - 1..<gone.upperBound : gone.lowerBound..<gone.upperBound + 1
    text.removeSubrange(removed)
    places.remove(at: index)
    for index in index..<places.count { places[index].move(by: -removed.count) }
  }

  private func index(of key: String) -> Int? { key.withKeyText { index(ofKeyText: $0) } }

  func index(ofKeyText key: UnsafeBufferPointer<UInt8>) -> Int? {
    text.withUnsafeBufferPointer { text in
      places.withUnsafeBufferPointer { places in
        for index in 0..<places.count where places[index].has(key, in: text) { return index }
        return nil
      }
    }
  }

  /// What `JSONValue[path]` finds, without making anything of what is on the way.
  func value(at components: [JSONPath.Component]) -> JSONValue? {
    guard case .key(let first)? = components.first, let index = index(of: first) else { return nil }
    let place = places[index].value
    return text.withUnsafeBufferPointer { text in
      let text = JSONText(text)
      return text.find(components.dropFirst(), from: place).map { text.value($0) }
    }
  }
}

extension JSONObject: Hashable {
  /// Whatever the order of the members.
  public static func == (a: JSONObject, b: JSONObject) -> Bool {
    if a.text.isIdentical(to: b.text) { return true }
    guard a.count == b.count else { return false }
    return a.text.withUnsafeBufferPointer { x in
      b.text.withUnsafeBufferPointer { y in
        let (x, y) = (JSONText(x), JSONText(y))
        // Scalars have one text each.
        func isSame(_ p: Place, _ q: Place) -> Bool {
          x.isIdentical(p.value, y, q.value)
            || x.isContainer(p.value) && y.isContainer(q.value) && x.value(p.value) == y.value(q.value)
        }
        // One record is mostly written in one order.
        var index = 0
        while index < a.count, x.isIdentical(a.places[index].key, y, b.places[index].key) {
          if !isSame(a.places[index], b.places[index]) { return false }
          index += 1
        }
        if index == a.count { return true }
        return zip(x.sorted(a.places), y.sorted(b.places)).allSatisfy { p, q in
          x.isIdentical(p.key, y, q.key) && isSame(p, q)
        }
      }
    }
  }

  public func hash(into hasher: inout Hasher) {
    var all = 0
    for member in members {
      var one = Hasher()
      member.key.hashBytes(into: &one)
      one.combine(member.value)
      all ^= one.finalize()
    }
    hasher.combine(all)
  }
}

extension [UInt8] {
  func isIdentical(to other: [UInt8]) -> Bool {
    count == other.count
      && (isEmpty
        || withUnsafeBytes { a in
          other.withUnsafeBytes { b in memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
        })
  }
}

/// Swift compares strings by canonical equivalence; JSON's keys, ids and secrets are compared as bytes.
extension String {
  package func isIdentical(to other: String) -> Bool { utf8.count == other.utf8.count && order(other) == 0 }

  package func precedes(_ other: String) -> Bool { order(other) < 0 }

  /// Below 0 when `other` follows, 0 when it has the same bytes.
  private func order(_ other: String) -> Int {
    withBytes { a in
      other.withBytes { b in
        let count = min(a.count, b.count)
        let order = count == 0 ? 0 : Int(memcmp(a.baseAddress!, b.baseAddress!, count))
        return order == 0 ? a.count - b.count : order
      }
    }
  }

  /// Without the copy that `withUTF8` asks for, since keys are compared all the time.
  @inline(__always)
  func withBytes<T>(_ body: (UnsafeBufferPointer<UInt8>) -> T) -> T {
    if let result = utf8.withContiguousStorageIfAvailable(body) { return result }
    var copy = self
    return copy.withUTF8(body)
  }

  /// What stands between the quotes of this key.
  @inline(__always)
  func withKeyText<T>(_ body: (UnsafeBufferPointer<UInt8>) -> T) -> T {
    withBytes { bytes in
      guard bytes.contains(where: JSONValue.needsEscape) else { return body(bytes) }
      var text: [UInt8] = []
      JSONValue.write(self, to: &text)
      return text.dropFirst().dropLast().withUnsafeBufferPointer(body)
    }
  }

  func hashBytes(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xFF as UInt8)
  }
}
