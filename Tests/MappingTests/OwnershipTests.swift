import JSON
import Mapping
import SeededRandom
import Testing

@Suite("Conditions and constants") struct OwnershipTests {
  static let record = json(#"{"type":"company","n":1,"flag":true,"empty":"","none":null,"metadata":{"a":"1"},"l":[1]}"#)

  @Test(
    "a condition holds or not",
    arguments: [
      ("type", .oneOf(["company"]), true), ("type", .oneOf(["person", "company"]), true),
      ("type", .oneOf(["person"]), false),
      ("type", .not("person"), true), ("type", .not("company"), false), ("type", .not(["person", "company"]), false),
      ("missing", .not("x"), true), ("missing", .oneOf(["x"]), false), ("missing", .oneOf([nil]), true),
      ("empty", .oneOf([nil]), true), ("type", .exists(true), true), ("type", .exists(false), false),
      ("empty", .exists(true), false), ("none", .exists(false), true), ("missing", .exists(false), true),
      ("n", .oneOf([1]), true), ("n", .oneOf(["1"]), true), ("flag", .oneOf(["true"]), true),
      ("flag", .exists(true), true),
      ("metadata.a", .oneOf([1]), true), ("l[0]", .oneOf([1]), true), ("l", .exists(true), true),
      ("type", .oneOf([]), false),
      ("type", .not(nil), true), ("none", .not(nil), false),
    ] as [(String, Condition.Test, Bool)])
  func conditions(at: String, test: Condition.Test, holds: Bool) {
    #expect(Condition(path: path(at), test: test).holds(in: Self.record) == holds)
  }

  @Test("the first flow that fits owns a record")
  func owning() {
    func flow(_ name: String, _ conditions: [Condition]) -> Flow {
      Flow(
        name: name, invoiced: FlowSide(object: "customer", conditions: conditions), pms: FlowSide(object: "customer"))
    }
    let mapping = Mapping(flows: [
      flow("persons", [Condition(path: path("type"), test: .oneOf(["person"]))]),
      flow(
        "ones",
        [
          Condition(path: path("type"), test: .oneOf(["company"])), Condition(path: path("n"), test: .oneOf([1])),
        ]),
      flow("rest", []),
    ])
    #expect(mapping.flow(owning: Self.record, on: .invoiced)?.name == "ones")
    #expect(mapping.flow(owning: ["type": "company"], on: .invoiced)?.name == "rest")
    #expect(mapping.flow(owning: Self.record, on: .pms)?.name == "persons")
  }

  @Test("constants are the single-valued conditions and `set`, in the side's own form")
  func constants() {
    var flow = Flow(
      name: "f",
      invoiced: FlowSide(
        object: "customer",
        conditions: [
          Condition(path: path("type"), test: .oneOf(["company"])),
          Condition(path: path("metadata.level"), test: .oneOf([2])),
          Condition(path: path("country"), test: .oneOf(["NO", "SE"])), Condition(path: path("a"), test: .not("x")),
          Condition(path: path("b"), test: .exists(true)), Condition(path: path("c"), test: .oneOf([nil])),
        ], set: [Assignment(path("active"), true)]),
      pms: FlowSide(object: "customer", conditions: [Condition(path: path("kind"), test: .oneOf(["company"]))]))
    #expect(
      flow.constants(on: .invoiced) == [
        Assignment(path("type"), "company"), Assignment(path("metadata.level"), "2"), Assignment(path("active"), true),
      ])
    flow.pms.set = [Assignment(path("kind"), "client")]
    #expect(flow.constants(on: .pms) == [Assignment(path("kind"), "client")])
  }
}

@Suite("Merge patches") struct MergePatchTests {
  @Test(
    "hold just what changes",
    arguments: [
      ([("name", "1")], "{}", #"{"name":1}"#), ([("a.b", "null"), ("a.c", "2")], "{}", #"{"a":{"b":null,"c":2}}"#),
      ([("tags[1]", #""x""#)], #"{"tags":["a","b","c"],"z":1}"#, #"{"tags":["a","x","c"]}"#),
      ([("tags[1]", "1"), ("tags[3]", "2")], #"{"tags":["a"]}"#, #"{"tags":["a",1,null,2]}"#),
      ([("tags[1]", "null")], #"{"tags":["a","b"]}"#, #"{"tags":["a"]}"#),
      ([("tags[0]", "null")], #"{"tags":["a","b"]}"#, #"{"tags":[null,"b"]}"#),
      ([("tags[7]", "null")], #"{"tags":["a"]}"#, #"{"tags":["a"]}"#),
      ([("tags[0]", "1")], #"{"tags":"no"}"#, #"{"tags":[1]}"#),
      ([("l[0].a", "1")], #"{"l":[{"a":0,"b":2}]}"#, #"{"l":[{"a":1,"b":2}]}"#),
      ([("x", #"{"a":1}"#)], #"{"x":{"a":0,"b":{"c":1}}}"#, #"{"x":{"a":1,"b":null}}"#),
    ] as [([(String, String)], String, String)])
  func patches(changes: [(String, String)], base: String, patch: String) {
    let assignments = changes.map { Assignment(path($0.0), json($0.1)) }
    #expect(JSONValue.mergePatch(setting: assignments, base: json(base)) == json(patch))
    #expect(JSONValue.mergePatch(setting: [], base: json(base)) == [:])
  }

  /// The examples of RFC 7396, appendix A.
  @Test(
    "are applied as RFC 7396 has it",
    arguments: [
      (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
      (#"{"a":"b"}"#, #"{"a":null}"#, "{}"), (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
      (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#), (#"["a"]"#, #"["c"]"#, #"["c"]"#),
      (#"{"e":null}"#, #"{"a":1}"#, #"{"e":null,"a":1}"#), ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
      ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
  func merging(target: String, patch: String, result: String) {
    #expect(json(target).merging(json(patch)) == json(result))
  }

  @Test("put any value where it belongs", arguments: UInt64(0)..<200)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let base: JSONValue = ["a": generator.json(), "b": ["c": generator.json()], "l": [generator.json(), 1]]
    let changes = [("a", generator.json()), ("b.c", generator.json()), ("l[0]", generator.json())]
    let patch = JSONValue.mergePatch(setting: changes.map { Assignment(path($0.0), $0.1) }, base: base)
    let result = base.merging(patch)
    for (at, value) in changes {
      let pair = row(at, at, .any)
      #expect(throws: Never.self) {
        try #expect(
          pair.canonical(on: .pms, raw: result[path(at)]) == pair.canonical(on: .pms, raw: value), "\(at) \(value.text)"
        )
      }
    }
    #expect(result[path("l[1]")] == 1)
  }
}
