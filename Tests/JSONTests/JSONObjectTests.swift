import JSON
import SeededRandom
import Testing

/// Objects keep their text; they must be told from a list of members by nothing.
@Suite("JSON objects") struct JSONObjectTests {
  @Test("however a text is written, it is read into the one compact form", arguments: 0..<40 as Range<UInt64>)
  func compact(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<50 {
      let value = generator.value()
      let read = try JSONValue(parsing: generator.written(value))
      #expect(read.text == value.text)
      #expect(read == value)
      #expect(read.hashValue == value.hashValue)
    }
  }

  @Test("members are set, added and removed as in a list", arguments: 0..<40 as Range<UInt64>)
  func edits(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var object = JSONObject()
    var members: [JSONObject.Member] = []
    for _ in 0..<60 {
      let key = generator.key()
      let value: JSONValue? = generator.chance(3) ? Optional.none : generator.value(depth: 2)
      let former = members.firstIndex { Array($0.key.utf8) == Array(key.utf8) }
      #expect(object[key] == former.map { members[$0].value })
      object[key] = value
      switch (former, value) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append((key, value))
      case (nil, nil): break
      }
      let listed = JSONObject(members)
      #expect(JSONValue.object(object).text == JSONValue.object(listed).text)
      #expect(object == listed)
      #expect(object.members.map(\.key) == members.map(\.key))
      #expect(try JSONValue(parsing: JSONValue.object(object).text) == .object(object))
    }
  }

  @Test(
    "a path finds what stands there",
    arguments: [
      (["a", "b"], #"{"a":{"x":"}","b":1,"c":[]}}"#, "1"), (["a"], #"{"b":{"a":1}}"#, nil),
      (["a", 1, "b"], #"{"a":[{"b":0},{"b":"\",\\"}]}"#, #""\",\\""#), (["a", 2], #"{"a":[0,1]}"#, nil),
      (["a\nb"], #"{"a\\nb":1,"a\nb":2}"#, "2"), (["a\\nb"], #"{"a\nb":2,"a\\nb":1}"#, "1"),
      ([""], #"{"":[],"a":1}"#, "[]"), (["a", "b"], #"{"a":"b"}"#, nil), (["a", 0], #"{"a":{"0":1}}"#, nil),
    ] as [([Step], String, String?)])
  func paths(steps: [Step], text: String, found: String?) throws {
    #expect(try JSONValue(parsing: text)[JSONPath(steps.map(\.component))]?.text == found)
  }

  struct Step: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, Sendable {
    let component: JSONPath.Component
    init(stringLiteral key: String) { component = .key(key) }
    init(integerLiteral index: Int) { component = .index(index) }
  }
}
