import JSON
import Mapping
import Testing

@testable import Sync

private let name = row("name", "title")
/// For where `name` is something else.
private let nameRow = name
private let limit = row("credit_limit", "limit", .decimal)

extension Settlement {
  var lines: [String] {
    agreed.sorted { $0.key < $1.key }.map {
      "agree \($0): \($1.invoiced?.text ?? "nothing") = \($1.pms?.text ?? "nothing")"
    }
      + refused.map { "refused \($0.path)" } + ownEdits.map { "own \($0.path)" }
      + notTaken.map { "not taken \($0.path)" }
  }
}

struct Answer: Sendable, CustomTestStringConvertible {
  let name: String
  var invoiced: JSONValue = ["name": "Long  Name", "credit_limit": json("10.125")]
  var former: JSONValue = ["title": "Old", "limit": 5]
  let answer: JSONValue
  let outcome: [String]

  init(_ name: String, _ answer: JSONValue, _ outcome: String..., former: JSONValue = ["title": "Old", "limit": 5]) {
    self.name = name
    self.answer = answer
    self.outcome = outcome
    self.former = former
  }

  var scene: Scene {
    Scene(nameRow, limit, invoiced: invoiced, pms: former).agreed(["name": "Old", "credit_limit": 5], former)
  }
  var testDescription: String { name }
}

private let agreedName = "agree name=title: \"Long  Name\" = "
private let agreedLimit = "agree credit_limit=limit: 10.125 = "

@Suite("rule 9: one edit, one push, silence")
struct SettlementTests {
  static let table = [
    Answer(
      "taken", ["title": "Long  Name", "limit": json("10.125")], agreedLimit + "10.125", agreedName + "\"Long  Name\""),
    Answer(
      "normalised", ["title": "long name", "limit": json("10.13")], agreedLimit + "10.13",
      agreedName + "\"long name\""),
    Answer("cut off", ["title": "Long", "limit": 10], agreedLimit + "10", agreedName + "\"Long\""),
    Answer(
      "the former value", ["title": "Old", "limit": json("10.125")], agreedLimit + "10.125", "refused title"),
    Answer(
      "a value of its own", ["title": "Other", "limit": 9], agreedLimit + "10.125", agreedName + "\"Long  Name\"",
      "own title", "own limit"),
    Answer(
      "cleared", ["title": nil, "limit": json("10.125")], agreedLimit + "10.125", agreedName + "\"Long  Name\"",
      "own title"),
    Answer(
      "near, though it equals the former value", ["title": "Long", "limit": json("10.125")],
      agreedLimit + "10.125", agreedName + "\"Long\"", former: ["title": "Long", "limit": 5]),
  ]

  @Test("the answer is judged for each property that was sent", arguments: table)
  func settles(_ test: Answer) {
    #expect(Planner.settle(test.scene.push(to: .pms), answer: test.answer, flow: test.scene.flow).lines == test.outcome)
  }

  @Test("a target's own value goes to the source as its edit", arguments: ConflictPolicy.allCases)
  func ownEdit(policy: ConflictPolicy) {
    var scene = shortName.with { $0.flow.conflict = policy }
    let settled = Planner.settle(scene.push(to: .pms), answer: ["title": "Capped", "limit": 5], flow: scene.flow)
    scene.link.agree(settled.agreed)
    scene.pms = ["title": "Capped", "limit": 5]
    #expect(scene.outcome == ["invoiced name = \"Capped\" by 8"])
  }

  private var shortName: Scene {
    Scene(name, limit, invoiced: ["name": "Long", "credit_limit": 5], pms: ["title": "Old", "limit": 5])
      .agreed(["name": "Old", "credit_limit": 5], ["title": "Old", "limit": 5])
  }

  @Test("a property for which nothing was sent is observed, never agreed")
  func unsent() {
    let scene = shortName
    let settled = Planner.settle(scene.push(to: .pms), answer: ["title": "Long", "limit": 99], flow: scene.flow)
    #expect(settled.lines == ["agree name=title: \"Long\" = \"Long\""])
  }

  @Test("rule 10: a near value isn't written back, and the next edit of either side still counts")
  func near() {
    var scene = shortName.with { $0.invoiced = ["name": "Long  Name", "credit_limit": 5] }
    scene.link.agree(
      Planner.settle(scene.push(to: .pms), answer: ["title": "LONG", "limit": 5], flow: scene.flow).agreed)
    scene.pms = ["title": "LONG", "limit": 5]
    #expect(scene.outcome == [])
    #expect(scene.with { $0.pms = ["title": "LONG N", "limit": 5] }.outcome == ["invoiced name = \"LONG N\" by 8"])
    #expect(
      scene.with { $0.invoiced = ["name": "Long", "credit_limit": 5] }.outcome == ["pms title = \"Long\" by 8"])
  }

  @Test("a one-way row whose target answers with a value of its own is put back once, then refused")
  func cappedCopy() {
    let copy = row("credit_limit", "limit", .decimal, [], .toPMS)
    var scene = Scene(copy, invoiced: ["credit_limit": 99], pms: ["limit": 5]).agreed(["credit_limit": 5], ["limit": 5])
    let first = Planner.settle(scene.push(to: .pms), answer: ["limit": 50], flow: scene.flow)
    #expect(first.lines == ["agree credit_limit=limit: 99 = 99", "own limit"])
    scene.link.agree(first.agreed)
    scene.pms = ["limit": 50]
    let second = Planner.settle(scene.push(to: .pms), answer: ["limit": 50], flow: scene.flow)
    #expect(second.lines == ["refused limit"])
  }

  // MARK: Creates

  private func create(_ flow: Flow, _ source: Observation) throws -> Push {
    let made = try Planner.creation(of: source, flow: flow, idPath: path("id"))
    return Push(
      action: .create, flow: flow.name, source: source.key, target: nil, link: nil, properties: made.properties,
      claims: made.claims, idempotencyKey: "key", sentAt: at(0), event: nil)
  }

  @Test("a value that the target generates on create fills the source's gap")
  func generated() throws {
    var scene = Scene(
      name, row("number", "no"), invoiced: ["name": "A", "number": ""], pms: ["title": "A", "no": "P7"])
    let push = try create(scene.flow, observation(scene.invoiced, on: .invoiced))
    let settled = Planner.settle(push, answer: scene.pms, flow: scene.flow)
    #expect(settled.lines == ["agree name=title: \"A\" = \"A\"", "agree number=no: nothing = nothing"])
    scene.link.agree(settled.agreed)
    #expect(scene.outcome == ["invoiced number = \"P7\" by 8"])
  }

  @Test("a value that the target dropped on create is sent again, and never cleared at its source")
  func dropped() throws {
    var scene = Scene(name, row("city"), invoiced: ["name": "A", "city": "Oslo"], pms: ["title": "A", "city": nil])
    let push = try create(scene.flow, observation(scene.invoiced, on: .invoiced))
    let settled = Planner.settle(push, answer: scene.pms, flow: scene.flow)
    #expect(settled.lines == ["agree name=title: \"A\" = \"A\"", "refused city"])
    scene.link.agree(settled.agreed)
    for policy in LinkPolicy.allCases {
      #expect(scene.with { $0.flow.onLink = policy }.outcome == ["pms city = \"Oslo\" by 13"])
    }
    let again = Planner.settle(scene.push(to: .pms), answer: scene.pms, flow: scene.flow)
    #expect(again.lines == ["refused city"])
  }

  @Test("a default that the target gives a copy on create, with nothing at its source, is left")
  func filledCopy() throws {
    var scene = Scene(
      name, row("notes", "memo", .string, [], .toPMS), invoiced: ["name": "A"], pms: ["title": "A", "memo": "new"])
    let settled = Planner.settle(
      try create(scene.flow, observation(scene.invoiced, on: .invoiced)), answer: scene.pms, flow: scene.flow)
    scene.link.agree(settled.agreed)
    #expect(scene.outcome == [])
  }

  @Test("a row that only the new record feeds is a first link: its source wins, under any policy")
  func fedByTarget() throws {
    var scene = Scene(
      name, row("number", "no", .string, [], .toInvoiced), invoiced: ["name": "A", "number": "N1"],
      pms: ["title": "A", "no": "P7"]
    ).with { $0.flow.conflict = .manual }
    let settled = Planner.settle(
      try create(scene.flow, observation(scene.invoiced, on: .invoiced)), answer: scene.pms, flow: scene.flow)
    scene.link.agree(settled.agreed)
    #expect(scene.outcome == ["invoiced number = \"P7\" by 13, losing \"N1\""])
  }

  @Test(
    "a reference that doesn't stick is refused, however it is written it counts as kept",
    arguments: [
      (17, []), ("17", []), (nil, ["refused invoiced_id"]), (18, ["own invoiced_id"]),
    ] as [(JSONValue, [String])])
  func reference(answered: JSONValue, outcome: [String]) {
    let scene = Scene(name)
    let push = Push(
      action: .reference, flow: "customers", source: scene.link.key(on: .invoiced), target: scene.link.pms, link: 1,
      properties: [Push.Property(row: nil, path: path("invoiced_id"), former: nil, sent: 17, source: 17)],
      idempotencyKey: "key", sentAt: at(0), event: nil)
    #expect(Planner.settle(push, answer: ["invoiced_id": answered], flow: scene.flow).lines == outcome)
  }
}

@Suite("rule 12: an unanswered update is settled by the next observation")
struct UnansweredTests {
  static let table = [
    Answer(
      "taken", ["title": "Long  Name", "limit": json("10.125")], agreedLimit + "10.125", agreedName + "\"Long  Name\""),
    Answer(
      "taken and normalised", ["title": "Long Name", "limit": json("10.1")], agreedLimit + "10.1",
      agreedName + "\"Long Name\""),
    Answer("not taken", ["title": "Old", "limit": 5], "not taken title", "not taken limit"),
    Answer("another value", ["title": "Other", "limit": json("10.125")], agreedLimit + "10.125", "own title"),
    Answer(
      "the former value, though it is near", ["title": "Long", "limit": json("10.125")], agreedLimit + "10.125",
      "not taken title", former: ["title": "Long", "limit": 5]),
  ]

  @Test("former: not taken; sent or near: agreed; any other: both changed", arguments: table)
  func settles(_ test: Answer) {
    let settled = Planner.settleUnanswered(test.scene.push(to: .pms), seen: test.answer, flow: test.scene.flow)
    #expect(settled.lines == test.outcome)
  }

  @Test("any other value is a conflict by the policy")
  func conflict() {
    let scene = Scene(name, invoiced: ["name": "B"], pms: ["title": "C"]).agreed(["name": "A"], ["title": "A"])
    let push = scene.with { $0.pms = ["title": "A"] }.push(to: .pms)
    #expect(Planner.settleUnanswered(push, seen: scene.pms, flow: scene.flow).agreed.isEmpty)
    #expect(scene.with { $0.flow.conflict = .manual }.outcome == ["conflict name=title"])
  }

  @Test("what was sent under other converters isn't agreed under the present ones")
  func otherConverters() {
    let before = row("language", "locale", .string, [values(("en", "en-GB"))])
    let after = row("language", "locale", .string, [values(("en", "en-US"))])
    var scene = Scene(before, invoiced: ["language": "en"], pms: ["locale": nil]).agreed([:], [:])
    let push = scene.push(to: .pms)
    scene.flow.properties = [after]
    scene.pms = ["locale": "en-GB"]
    scene.link.agree(Planner.settleUnanswered(push, seen: scene.pms, flow: scene.flow).agreed)
    #expect(scene.outcome == ["pms locale = \"en-US\" by 23, losing \"en-GB\""])
  }
}

@Suite("rule 8: when an edit was made")
struct EditTimeTests {
  static let title = nameRow

  private func note(
    _ scene: inout Scene, _ record: JSONValue, previous: JSONValue? = nil, version: Int64? = 50,
    source: Observation.Source = .fetch, offset: Duration = .zero, own: Set<String> = []
  ) -> Double? {
    Planner.noteEdits(
      &scene.link, flow: scene.flow, previous: previous,
      now: observation(record, version: version, source, seen: 99), clockOffset: offset, own: own)
    return scene.link.pmsEdits[Self.title.key].map { Double($0.at.milliseconds) / 1000 }
  }

  private var agreed: Scene { Scene(Self.title).agreed(["name": "A"], ["title": "A"]) }

  @Test("it has the version of the observation that first showed it, by our clock")
  func version() {
    var scene = agreed
    #expect(note(&scene, ["title": "B"]) == 50)
    #expect(note(&scene, ["title": "B", "x": 1], previous: ["title": "B"], version: 60) == 50)
    #expect(note(&scene, ["title": "C"], previous: ["title": "B"], version: 70, offset: .seconds(5)) == 65)
  }

  @Test("it has the time of receipt where the side has no versions")
  func receipt() {
    var scene = agreed
    #expect(note(&scene, ["title": "B"], version: nil) == 99)
  }

  @Test("a version that our own push set never counts")
  func own() {
    var scene = agreed
    #expect(note(&scene, ["title": "B"], source: .answer) == 99)
    scene = agreed
    #expect(note(&scene, ["title": "B"], source: .answer, own: [Self.title.key]) == nil)
  }

  @Test("going back to what was agreed is no edit")
  func back() {
    var scene = agreed
    #expect(note(&scene, ["title": "B"]) == 50)
    #expect(note(&scene, ["title": "A"], previous: ["title": "B"], version: 60) == nil)
  }

  @Test("a base that isn't agreed keeps its time, for on_link: newest")
  func base() {
    var scene = Scene(Self.title).agreed(["name": "A"], ["title": "B"], baseOnly: true)
    #expect(note(&scene, ["title": "B"]) == 50)
    #expect(note(&scene, ["title": "B"], previous: ["title": "B"], version: 60) == 50)
    scene.link.agree(scene.link.agreed)
    #expect(scene.link.pmsEdits[Self.title.key] != nil)
  }

  @Test("agreeing settles the edits that led to it, not a later one")
  func settled() {
    var scene = agreed
    scene.invoiced = ["name": "C"]
    scene = scene.edited(invoiced: 70, pms: nil)
    scene.link.agree([Self.title.key: AgreedPair(invoiced: "B", pms: "B", fingerprint: Self.title.fingerprint)])
    #expect(scene.link.invoicedEdits[Self.title.key]?.at == at(70))
    scene.link.agree([Self.title.key: AgreedPair(invoiced: "C", pms: "C", fingerprint: Self.title.fingerprint)])
    #expect(scene.link.invoicedEdits.isEmpty)
  }
}
