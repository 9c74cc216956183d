import JSON
import Mapping
import Testing

@testable import Sync

private let source = RecordKey(.invoiced, RecordID("17"))

private func candidate(_ id: String, obstacle: String? = nil, by: String = "number", rivals: [RecordKey] = [])
  -> Candidate
{
  Candidate(
    observation: Observation(
      key: RecordKey(.pms, RecordID(id)), record: [:], version: nil, source: .fetch, seenAt: at(0)),
    obstacle: obstacle, by: by, rivals: rivals)
}

@Suite("rule 11: match before create")
struct MatchTests {
  @Test("each the other's only candidate: linked")
  func only() {
    let one = candidate("p-1", rivals: [source])
    #expect(Planner.admit(source, candidates: [one]) == .link(one.observation, why: "matched by number"))
    #expect(Planner.admit(source, candidates: []) == nil)
  }

  static let ambiguous: [([Candidate], [String], String)] = [
    ([candidate("p-1"), candidate("p-2")], ["pms:p-1", "pms:p-2"], "2 records of the PMS"),
    ([candidate("p-1"), candidate("p-2", obstacle: "is kept apart")], ["pms:p-1", "pms:p-2"], "2 records"),
    ([candidate("p-1", obstacle: "is linked already")], ["pms:p-1"], "is linked already"),
    (
      [candidate("p-1", rivals: [source, RecordKey(.invoiced, RecordID("18"))])], ["pms:p-1", "invoiced:18"],
      "so do invoiced:18"
    ),
  ]

  @Test("several, an obstacle or a rival: parked with the candidates named", arguments: ambiguous)
  func parks(candidates: [Candidate], named: [String], why: String) {
    guard case .ambiguous(let keys, let reason)? = Planner.admit(source, candidates: candidates) else {
      Issue.record("not ambiguous")
      return
    }
    #expect(keys.map(\.description) == named)
    #expect(reason.contains(why))
  }

  private func key(_ rows: PropertyPair...) -> (flow: Flow, key: MatchKey) {
    var flow = Flow(name: "f", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "client"))
    flow.properties = rows
    let key = MatchKey(invoiced: path("number"), pms: path("no"))
    flow.match = [key]
    return (flow, key)
  }

  static let equal: [(JSONValue, JSONValue)] = [
    ("12", "12"), ("12", 12), (12, "12"), ("\u{E9}", "e\u{301}"),
  ]

  @Test("keys are compared by their text, in one form of Unicode", arguments: equal)
  func matches(invoiced: JSONValue, pms: JSONValue) {
    let (flow, key) = key()
    let (with, _) = self.key(row("number", "no"))
    for flow in [flow, with] {
      let one = flow.matchText(key, of: ["number": invoiced], on: .invoiced)
      #expect(one != nil && one == flow.matchText(key, of: ["no": pms], on: .pms))
      #expect(Array(one?.utf8 ?? "".utf8) == Array(flow.matchText(key, of: ["no": pms], on: .pms)?.utf8 ?? "".utf8))
    }
  }

  @Test("other keys don't match")
  func differs() {
    let (flow, key) = key()
    #expect(
      flow.matchText(key, of: ["number": "012"], on: .invoiced) != flow.matchText(key, of: ["no": 12], on: .pms))
  }

  @Test("an integer row matches by value")
  func byValue() {
    let (flow, key) = key(row("number", "no", .integer))
    #expect(flow.matchText(key, of: ["number": "012"], on: .invoiced) == flow.matchText(key, of: ["no": 12], on: .pms))
  }

  @Test(
    "an empty key matches nothing", arguments: [[:], ["number": nil], ["number": ""], ["number": [1]]] as [JSONValue])
  func empty(record: JSONValue) {
    let (flow, key) = key()
    #expect(flow.matchText(key, of: record, on: .invoiced) == nil)
    #expect(flow.searchValue(key, of: record, on: .invoiced) == nil)
    let (with, _) = self.key(row("number", "no"))
    #expect(with.matchText(key, of: record, on: .invoiced) == nil)
    #expect(with.searchValue(key, of: record, on: .invoiced) == nil)
  }

  @Test("the other side is searched in its own form")
  func searches() {
    let (flow, key) = key(row("number", "no", .integer, [.pattern(prefix: "C-", suffix: "")]))
    #expect(flow.searchValue(key, of: ["number": "C-7"], on: .invoiced) == 7)
    #expect(flow.searchValue(key, of: ["no": 7], on: .pms) == "C-7")
    let (without, _) = self.key()
    #expect(without.searchValue(key, of: ["no": 7], on: .pms) == "7")
    #expect(without.searchValue(key, of: ["number": "7"], on: .invoiced) == "7")
  }

  @Test("a key whose row is one-way is searched for in both directions", arguments: [Direction.toPMS, .toInvoiced])
  func oneWay(direction: Direction) {
    let (flow, key) = key(row("number", "no", .integer, [.pattern(prefix: "C-", suffix: "")], direction))
    #expect(flow.searchValue(key, of: ["number": "C-7"], on: .invoiced) == 7)
    #expect(flow.searchValue(key, of: ["no": 7], on: .pms) == "C-7")
    #expect(flow.matchText(key, of: ["number": "C-7"], on: .invoiced) == flow.matchText(key, of: ["no": 7], on: .pms))
  }

  @Test("a key whose converters can't be undone is searched for as it is")
  func notInvertible() {
    let (flow, key) = key(row("number", "no", .string, [.upper], .toPMS))
    #expect(flow.searchValue(key, of: ["number": "ab"], on: .invoiced) == "AB")
    #expect(flow.searchValue(key, of: ["no": "AB"], on: .pms) == "AB")
    #expect(flow.matchText(key, of: ["number": "ab"], on: .invoiced) == flow.matchText(key, of: ["no": "AB"], on: .pms))
  }

  @Test("a reference is the text of an id, however it is kept")
  func references() {
    var (flow, _) = key()
    flow.pmsReference = path("ref")
    #expect(flow.reference(in: ["ref": 17], on: .pms) == RecordID("17"))
    #expect(flow.reference(in: ["ref": "17"], on: .pms) == RecordID("17"))
    #expect(flow.reference(in: ["ref": ""], on: .pms) == nil)
    #expect(flow.reference(in: ["ref": 17], on: .invoiced) == nil)
  }
}

@Suite("rule 12: what a create carries")
struct CreationTests {
  private var flow: Flow {
    var flow = Scene(row("name", "title"), row("notes", "memo"), row("metadata.code", "code", .string, [], .toInvoiced))
      .flow
    flow.match = [MatchKey(invoiced: path("number"), pms: path("no"))]
    flow.invoicedReference = path("metadata.pms_id")
    flow.pmsReference = path("invoiced_id")
    flow.invoiced.conditions = [Condition(path: path("type"), test: .oneOf(["company"]))]
    flow.pms.set = [Assignment(path("kind"), "org")]
    return flow
  }

  private func made(_ side: Side, _ record: JSONValue, _ flow: Flow) throws -> (
    record: JSONValue, properties: [Push.Property], claims: [Push.Claim]
  ) { try Planner.creation(of: observation(record, on: side), flow: flow, idPath: path("id")) }

  @Test("the rows, the match keys, the reference and the constants, and nothing for nothing")
  func toPMS() throws {
    let made = try made(
      .invoiced, ["id": 17, "name": "A", "notes": "", "number": "N7", "metadata": ["code": "x"]], flow)
    #expect(made.record == ["title": "A", "no": "N7", "invoiced_id": 17, "kind": "org"])
    #expect(made.properties.map { $0.row ?? "-" } == ["name=title", "-", "-", "-"])
    #expect(made.claims == [Push.Claim(flow: "customers", key: "number", value: "t:N7")])
  }

  @Test("in Invoiced's forms on the way there")
  func toInvoiced() throws {
    let made = try made(.pms, ["id": 42, "title": "A", "no": 7, "code": "x"], flow)
    #expect(
      made.record == [
        "name": "A", "number": "7", "type": "company", "metadata": ["code": "x", "pms_id": "p-1"],
      ])
    #expect(made.claims == [Push.Claim(flow: "customers", key: "number", value: "t:7")])
  }

  @Test("an empty key is neither carried nor claimed")
  func emptyKey() throws {
    let made = try made(.invoiced, ["id": 17, "name": "A", "number": ""], flow)
    #expect(made.record["no"] == nil && made.claims.isEmpty)
  }

  @Test("a match key whose row doesn't carry that way goes along all the same, to be looked up by")
  func oneWayKey() throws {
    var flow = flow
    flow.properties = [row("name", "title"), row("number", "no", .string, [], .toInvoiced)]
    let made = try made(.invoiced, ["id": 17, "name": "A", "number": "N7"], flow)
    #expect(made.record["no"] == "N7")
    #expect(made.properties.first { $0.path == path("no") }?.row == "number=no")
  }

  @Test("both sides claim the same value for the same key")
  func claims() throws {
    var flow = flow
    flow.properties = [row("number", "no", .integer)]
    let one = try made(.invoiced, ["number": "007"], flow).claims
    #expect(one == (try made(.pms, ["no": 7], flow).claims))
  }
}
