#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A compact JSON text that was checked, and the steps over its values: nothing of it is doubted.
struct JSONText {
  let bytes: UnsafeBufferPointer<UInt8>

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  // MARK: What stands there

  func value(_ range: Range<Int>) -> JSONValue {
    switch bytes[range.lowerBound] {
    case UInt8(ascii: "{"): .object(JSONObject(unrepeated: Array(UnsafeBufferPointer(rebasing: bytes[range]))))
    case UInt8(ascii: "["): .array(items(from: range.lowerBound))
    case UInt8(ascii: "\""): .string(string(range.lowerBound + 1..<range.upperBound - 1))
    case UInt8(ascii: "t"): .bool(true)
    case UInt8(ascii: "f"): .bool(false)
    case UInt8(ascii: "n"): .null
    default: .number(JSONNumber(unchecked: plain(range)))
    }
  }

  /// A string of what is between its quotes.
  func string(_ content: Range<Int>) -> String {
    let inner = UnsafeBufferPointer(rebasing: bytes[content])
    guard let start = inner.baseAddress, memchr(start, Int32(UInt8(ascii: "\\")), inner.count) != nil else {
      return plain(content)
    }
    return String(decoding: JSONCursor(bytes: bytes).unescaped(content), as: UTF8.self)
  }

  private func plain(_ range: Range<Int>) -> String {
    String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
  }

  func isContainer(_ range: Range<Int>) -> Bool {
    bytes[range.lowerBound] == UInt8(ascii: "{") || bytes[range.lowerBound] == UInt8(ascii: "[")
  }

  // MARK: Steps

  /// The members of the object that begins at `start`.
  func places(from start: Int) -> [JSONObject.Place] {
    var places: [JSONObject.Place] = []
    if bytes[start + 1] != UInt8(ascii: "}") { places.reserveCapacity(16) }
    eachMember(from: start) { place in
      places.append(place)
      return true
    }
    return places
  }

  /// Goes on while `body` says so.
  @inline(__always)
  private func eachMember(from start: Int, _ body: (JSONObject.Place) -> Bool) {
    var position = start + 1
    while bytes[position] != UInt8(ascii: "}") {
      if bytes[position] == UInt8(ascii: ",") { position += 1 }
      let key = position + 1
      position = afterString(position)
      let place = JSONObject.Place(key: key..<position - 1, end: afterValue(position + 1))
      position = place.member.upperBound
      if !body(place) { return }
    }
  }

  /// Goes on while `body` says so.
  @inline(__always)
  private func eachElement(from start: Int, _ body: (Range<Int>) -> Bool) {
    var position = start + 1
    while bytes[position] != UInt8(ascii: "]") {
      if bytes[position] == UInt8(ascii: ",") { position += 1 }
      let end = afterValue(position)
      if !body(position..<end) { return }
      position = end
    }
  }

  private func items(from start: Int) -> [JSONValue] {
    var items: [JSONValue] = []
    if bytes[start + 1] != UInt8(ascii: "]") { items.reserveCapacity(4) }
    eachElement(from: start) { element in
      items.append(value(element))
      return true
    }
    return items
  }

  /// Where the value that begins at `start` ends.
  private func afterValue(_ start: Int) -> Int {
    switch bytes[start] {
    case UInt8(ascii: "\""): return afterString(start)
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      var position = start
      var depth = 0
      while true {
        switch bytes[position] {
        case UInt8(ascii: "\""): position = afterString(position) - 1
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          depth -= 1
          if depth == 0 { return position + 1 }
        default: break
        }
        position += 1
      }
    default:
      var position = start + 1
      while position < bytes.count, bytes[position] != UInt8(ascii: ","), bytes[position] != UInt8(ascii: "}"),
        bytes[position] != UInt8(ascii: "]")
      {
        position += 1
      }
      return position
    }
  }

  private func afterString(_ start: Int) -> Int {
    var cursor = JSONCursor(bytes: bytes)
    cursor.position = start + 1
    while true {
      cursor.skipPlain()
      switch bytes[cursor.position] {
      case UInt8(ascii: "\""): return cursor.position + 1
      case UInt8(ascii: "\\"): cursor.position += 2
      default: cursor.position += 1
      }
    }
  }

  /// Where the value at a path stands, from the value at `place` on.
  func find(_ components: ArraySlice<JSONPath.Component>, from place: Range<Int>) -> Range<Int>? {
    guard let first = components.first else { return place }
    var found: Range<Int>?
    switch (first, bytes[place.lowerBound]) {
    case (.key(let key), UInt8(ascii: "{")):
      key.withKeyText { key in
        eachMember(from: place.lowerBound) { member in
          if member.has(key, in: bytes) { found = member.value }
          return found == nil
        }
      }
    case (.index(let index), UInt8(ascii: "[")):
      var count = 0
      eachElement(from: place.lowerBound) { element in
        if count == index { found = element }
        count += 1
        return found == nil
      }
    default: break
    }
    return found.flatMap { find(components.dropFirst(), from: $0) }
  }

  // MARK: Comparing

  func isIdentical(_ range: Range<Int>, _ other: JSONText, _ its: Range<Int>) -> Bool {
    bytes[range].isIdentical(to: other.bytes[its])
  }

  func precedes(_ a: Range<Int>, _ b: Range<Int>) -> Bool { bytes[a].precedes(bytes[b]) }

  /// By the bytes of their keys' texts.
  func sorted(_ places: [JSONObject.Place]) -> [JSONObject.Place] { places.sorted { precedes($0.key, $1.key) } }

  /// Strictly.
  func isAscending(_ places: [JSONObject.Place]) -> Bool {
    var index = 1
    while index < places.count, precedes(places[index - 1].key, places[index].key) { index += 1 }
    return index >= places.count
  }

  // MARK: Repeated keys

  /// Whether one key is there twice. Many senders sort their keys, and then this is all the work there is.
  func repeats(_ places: [JSONObject.Place]) -> Bool {
    !isAscending(places) && places.map { bytes[$0.key] }.haveTwins
  }

  /// Whether one key is there twice, or in an object within.
  func repeatAnywhere(_ places: [JSONObject.Place]) -> Bool {
    repeats(places) || places.contains { isContainer($0.value) && repeatAnywhere(from: $0.value.lowerBound) }
  }

  func repeatAnywhere(from start: Int) -> Bool {
    if bytes[start] == UInt8(ascii: "{") { return repeatAnywhere(places(from: start)) }
    guard bytes[start] == UInt8(ascii: "[") else { return false }
    var hasRepeated = false
    eachElement(from: start) { element in
      hasRepeated = isContainer(element) && repeatAnywhere(from: element.lowerBound)
      return !hasRepeated
    }
    return hasRepeated
  }

  /// The text with only the last member of each key, at every level.
  func withoutRepeated() -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count)
    write(0..<bytes.count, to: &text)
    return text
  }

  private func write(_ range: Range<Int>, to text: inout [UInt8]) {
    switch bytes[range.lowerBound] {
    case UInt8(ascii: "{"):
      text.append(UInt8(ascii: "{"))
      for (index, place) in last(places(from: range.lowerBound)).enumerated() {
        if index > 0 { text.append(UInt8(ascii: ",")) }
        text.append(contentsOf: bytes[place.member.lowerBound..<place.value.lowerBound])
        write(place.value, to: &text)
      }
      text.append(UInt8(ascii: "}"))
    case UInt8(ascii: "["):
      text.append(UInt8(ascii: "["))
      eachElement(from: range.lowerBound) { element in
        if element.lowerBound > range.lowerBound + 1 { text.append(UInt8(ascii: ",")) }
        write(element, to: &text)
        return true
      }
      text.append(UInt8(ascii: "]"))
    default: text.append(contentsOf: bytes[range])
    }
  }

  private func last(_ places: [JSONObject.Place]) -> [JSONObject.Place] {
    let order = places.indices.sorted { a, b in
      precedes(places[a].key, places[b].key) || (a < b && isIdentical(places[a].key, self, places[b].key))
    }
    var repeated: Set<Int> = []
    for (index, next) in zip(order, order.dropFirst()) where isIdentical(places[index].key, self, places[next].key) {
      repeated.insert(index)
    }
    return repeated.isEmpty ? places : places.indices.filter { !repeated.contains($0) }.map { places[$0] }
  }
}

extension Slice<UnsafeBufferPointer<UInt8>> {
  @inline(__always)
  func precedes(_ other: Self) -> Bool {
    let order = memcmp(
      base.baseAddress! + startIndex, other.base.baseAddress! + other.startIndex, Swift.min(count, other.count))
    return order == 0 ? count < other.count : order < 0
  }

  @inline(__always)
  func isIdentical(to other: Self) -> Bool {
    count == other.count
      && memcmp(base.baseAddress! + startIndex, other.base.baseAddress! + other.startIndex, count) == 0
  }
}

extension [Slice<UnsafeBufferPointer<UInt8>>] {
  /// Whether two of these keys are the same.
  var haveTwins: Bool {
    if count > 16 {
      let order = sorted { $0.precedes($1) }
      return zip(order, order.dropFirst()).contains { $0.isIdentical(to: $1) }
    }
    for index in indices {
      for other in 0..<index where self[index].isIdentical(to: self[other]) { return true }
    }
    return false
  }
}
