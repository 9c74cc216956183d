#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A JSON object: its members in the order they came. Keys are compared as bytes; of a repeated key only the last
/// member is kept.
public struct JSONObject: Sendable {
  public typealias Member = (key: String, value: JSONValue)
  /// No two have the same key.
  public private(set) var members: [Member]

  public init(_ members: [Member] = []) {
    self.members = members
    if !Self.isAscending(members), Self.mayRepeat(members) { removeRepeated() }
  }

  public var isEmpty: Bool { members.isEmpty }
  public var count: Int { members.count }

  /// The value under `key`, nil when absent. Setting nil removes the member; a new key goes last.
  public subscript(key: String) -> JSONValue? {
    get { index(of: key).map { members[$0].value } }
    set {
      if let index = index(of: key) {
        if let newValue { members[index].value = newValue } else { members.remove(at: index) }
      } else if let newValue {
        members.append((key, newValue))
      }
    }
  }

  /// The value of the member at that place in `members`.
  package subscript(at index: Int) -> JSONValue {
    get { members[index].value }
    set { members[index].value = newValue }
  }

  /// The members by the bytes of their keys.
  public var sorted: [Member] {
    Self.isAscending(members) ? members : members.sorted { $0.key.precedes($1.key) }
  }

  /// By index: a closure over the members would copy each value on the way.
  private func index(of key: String) -> Int? {
    let length = key.utf8.count
    var index = 0
    while index < members.count {
      if members[index].key.utf8.count == length, members[index].key.isIdentical(to: key) { return index }
      index += 1
    }
    return nil
  }

  /// Of members that are known to have no key twice.
  init(unrepeated members: [Member]) { self.members = members }

  /// Strictly, so that no key is repeated. Many senders sort their keys, and then this is all the work there is.
  private static func isAscending(_ members: [Member]) -> Bool {
    var index = 1
    while index < members.count {
      if !members[index - 1].key.precedes(members[index].key) { return false }
      index += 1
    }
    return true
  }

  /// Whether two keys have the same hash: a repeated key, or a coincidence, which `removeRepeated` tells apart.
  private static func mayRepeat(_ members: [Member]) -> Bool {
    var hashes = members.map { member in
      var key = member.key
      // FNV-1a.
      return key.withUTF8 { $0.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 } }
    }
    hashes.sort()
    return zip(hashes, hashes.dropFirst()).contains { $0 == $1 }
  }

  private mutating func removeRepeated() {
    let order = members.indices.sorted { a, b in
      members[a].key.precedes(members[b].key) || (a < b && members[a].key.isIdentical(to: members[b].key))
    }
    var repeated: Set<Int> = []
    for (index, next) in zip(order, order.dropFirst()) where members[index].key.isIdentical(to: members[next].key) {
      repeated.insert(index)
    }
    guard !repeated.isEmpty else { return }
    members = members.indices.filter { !repeated.contains($0) }.map { members[$0] }
  }
}

extension JSONObject: Hashable {
  /// Whatever the order of the members.
  public static func == (a: JSONObject, b: JSONObject) -> Bool {
    guard a.count == b.count else { return false }
    // One record is mostly written in one order.
    var index = 0
    while index < a.members.count, a.members[index].key.isIdentical(to: b.members[index].key) {
      if a.members[index].value != b.members[index].value { return false }
      index += 1
    }
    if index == a.members.count { return true }
    return zip(a.sorted, b.sorted).allSatisfy { $0.key.isIdentical(to: $1.key) && $0.value == $1.value }
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

  func hashBytes(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xFF as UInt8)
  }
}
