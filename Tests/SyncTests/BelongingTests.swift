import JSON
import Mapping
import SeededRandom
import Testing

@testable import Sync

@Suite("rule 23: which flow a linked pair belongs to")
struct BelongingTests {
  static func flow(_ name: String, type: JSONValue?, kinds: [JSONValue]) -> Flow {
    let types = type.map { [Condition(path: path("type"), test: .oneOf([$0]))] } ?? []
    let conditions = kinds.isEmpty ? [] : [Condition(path: path("kind"), test: .oneOf(kinds))]
    return Flow(
      name: name, invoiced: FlowSide(object: "customer", conditions: types),
      pms: FlowSide(object: "customer", conditions: conditions))
  }

  static let mapping = Mapping(flows: [
    flow("a", type: "company", kinds: ["a"]), flow("b", type: "government", kinds: ["b"]),
    flow("c", type: "non_profit", kinds: ["c", "d"]),
  ])

  static func belonging(
    _ type: JSONValue, _ kind: JSONValue, in mapping: Mapping = mapping, linkedIn name: String = "a"
  ) -> String {
    var link = Scene(row("name")).link
    link.flow = name
    switch Planner.belonging(of: link, invoiced: ["type": type], pms: ["kind": kind], in: mapping) {
    case .stays(let flow): return "stays \(flow.name)"
    case .moves(let flow, let follower): return "moves \(flow.name) \(follower?.rawValue ?? "both")"
    case .conflict(let basis, _): return "conflict \(basis)"
    case .leaves(let side): return "leaves \(side.rawValue)"
    case .orphaned: return "orphaned"
    }
  }

  @Test(
    "decides",
    arguments: [
      ("company", "a", "stays a"), ("government", "a", "moves b pms"), ("company", "b", "moves b invoiced"),
      ("government", "b", "moves b both"), ("government", "c", "conflict b | c"),
      ("non_profit", "a", "conflict c on pms"),
      ("non_profit", "d", "moves c both"), ("person", "a", "leaves invoiced"), ("company", "x", "leaves pms"),
      ("person", "x", "leaves invoiced"),
    ] as [(JSONValue, JSONValue, String)])
  func decides(type: JSONValue, kind: JSONValue, outcome: String) {
    #expect(Self.belonging(type, kind) == outcome)
  }

  @Test("a flow without conditions on a side says nothing of its records there")
  func unconditional() {
    let mapping = Mapping(flows: [
      Self.flow("a", type: "company", kinds: []), Self.flow("b", type: "government", kinds: []),
    ])
    #expect(Self.belonging("government", "x", in: mapping, linkedIn: "b") == "stays b")
    #expect(Self.belonging("company", "x", in: mapping, linkedIn: "b") == "moves a pms")
    let catchAll = Mapping(flows: [Self.flow("a", type: "company", kinds: ["a"]), Self.flow("z", type: nil, kinds: [])])
    #expect(Self.belonging("person", "a", in: catchAll) == "moves z pms")
  }

  @Test("a flow that is gone from the mapping: its pairs go where they fit, or wait")
  func orphaned() {
    #expect(Self.belonging("government", "x", linkedIn: "old") == "moves b pms")
    #expect(Self.belonging("person", "x", linkedIn: "old") == "orphaned")
  }

  @Test("the two sides are alike: mirrored records give the mirrored outcome", arguments: UInt64(0)..<50)
  func mirror(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let names: [JSONValue] = ["a", "b", "c", "x"]
    let mapping = Mapping(flows: ["a", "b", "c"].map { Self.flow($0, type: .string($0), kinds: [.string($0)]) })
    let (type, kind) = (generator.pick(names), generator.pick(names))
    let swapped = Self.belonging(kind, type, in: mapping)
      .replacing("pms", with: "?").replacing("invoiced", with: "pms").replacing("?", with: "invoiced")
    let straight = Self.belonging(type, kind, in: mapping)
    if straight.hasPrefix("conflict") || type == "x" && kind == "x" { return }
    #expect(straight == swapped, "seed \(seed): \(type.text) \(kind.text)")
  }
}

extension String {
  fileprivate func replacing(_ a: String, with b: String) -> String {
    var result = ""
    var rest = Substring(self)
    while !rest.isEmpty {
      if rest.hasPrefix(a) {
        result += b
        rest = rest.dropFirst(a.count)
      } else {
        result.append(rest.removeFirst())
      }
    }
    return result
  }
}
