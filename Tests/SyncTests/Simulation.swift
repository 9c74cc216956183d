import JSON
import Mapping
import SeededRandom
import Testing

@testable import Sync

extension SeededGenerator {
  mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
  mutating func chance(_ one: Int) -> Bool { int(1...one) == 1 }
}

/// A row, and values that people may write on either side; nil takes the property away.
struct Field: Sendable {
  let row: PropertyPair
  let invoiced: [JSONValue?]
  let pms: [JSONValue?]

  func values(_ side: Side) -> [JSONValue?] { side == .invoiced ? invoiced : pms }
}

private let texts: [JSONValue?] = [
  nil, "", .null, "Acme", "ACME", "Åse & co", "A\u{30A}se & co", " Long  Name of a customer ", "7", "[1]",
]

let allFields: [Field] = [
  Field(row: row("name", "title"), invoiced: texts, pms: texts),
  Field(row: row("metadata.note", "memo"), invoiced: texts, pms: texts + [7, json("1.50")]),
  Field(row: row("x", "x", .any), invoiced: texts + [[1, "a"], ["k": nil]], pms: texts + [true, json("1.0")]),
  Field(
    row: row("payment_terms", "days", .integer, [.pattern(prefix: "NET ", suffix: "")]),
    invoiced: [nil, "NET 7", "NET 030", "NET 30"], pms: [.null, 7, "30", 14]),
  Field(
    row: row("language", "locale", .string, [values(("en", "en-GB"), ("nb", "nb-NO"))]),
    invoiced: [nil, "en", "nb"], pms: [.null, "en-GB", "nb-NO"]),
  Field(
    row: row("credit_limit", "limit", .decimal, [.scale(2)]), invoiced: [nil, 10, json("10.50"), json("0.005")],
    pms: [.null, json("10.0"), json("10.5"), "99.999"]),
  Field(row: row("active", "archived", .boolean, [.not]), invoiced: [true, false], pms: [true, false, nil]),
  Field(
    row: row("country", "land", .string, [.country(.alpha3)]), invoiced: [nil, "NO", "se"],
    pms: ["NOR", "SWE", ""]),
  Field(
    row: row("metadata.since", "since", .date), invoiced: ["2026-03-01", "2024-02-29", nil],
    pms: ["2026-03-01", .null, "1999-12-31"]),
  Field(row: row("metadata.vip", "vip", .boolean), invoiced: ["true", "0", nil], pms: [true, false, .null]),
  Field(
    row: row("number", "no", .string, [.trim, .upper], .toPMS), invoiced: ["ab", " AB", "C", nil],
    pms: ["AB", "other", nil]),
  Field(
    row: row("city", "place", .string, [.join(separator: ", ", with: [path("state")])], .toPMS),
    invoiced: ["Oslo", "", nil], pms: ["Oslo", "other", nil]),
  Field(
    row: row("metadata.tier", "tier", .integer, [], .toInvoiced), invoiced: ["1", "x", nil], pms: [1, 2, .null]),
  Field(
    row: row("notes", "text", .string, [.default("none")], .toInvoiced), invoiced: ["none", "x"],
    pms: ["x", "y", nil]),
]

/// What a system makes of what it is sent.
enum Normaliser: CaseIterable {
  case none
  /// Trims text, collapses its blanks and cuts it off; rounds numbers to whole ones.
  case near
  /// Keeps no text of more than eight characters, and no number above 20: it has a value of its own instead.
  case caps
  /// Takes no text with an "A" in it: what stood there stays.
  case refuses

  func taken(_ value: JSONValue, over former: JSONValue?) -> JSONValue {
    switch (self, value) {
    case (.near, .string(let text)):
      let words = text.split(separator: " ").joined(separator: " ")
      return .string(String(words.prefix(9)))
    case (.near, .number(let number)):
      guard let decimal = ExactDecimal(number.text) else { return value }
      return .number(JSONNumber(decimal.rounded(toScale: 0)))
    case (.caps, .string(let text)) where text.count > 8: return "other"
    case (.caps, .number(let number)) where (Int(number.text.prefix { $0 != "." }) ?? 0) > 20: return 20
    case (.refuses, .string(let text)) where text.contains("A"): return former ?? .null
    default: return value
    }
  }
}

/// Two systems with one linked pair, and a service that never sees more than they show.
struct World {
  var scene: Scene
  let fields: [Field]
  var normaliser: [Side: Normaliser] = [.invoiced: .none, .pms: .none]
  var clock: Int64 = 1000
  /// A push whose answer never came.
  var unanswered: Push?
  var pushes: [(side: Side, change: Plan.Change)] = []

  init(_ generator: inout SeededGenerator, fields count: Int = 5) {
    fields = Array(allFields.shuffled(using: &generator).prefix(count))
    scene = Scene()
    scene.flow.properties = fields.map(\.row)
    scene.flow.conflict = generator.pick(ConflictPolicy.allCases)
    scene.flow.onLink = generator.pick(LinkPolicy.allCases)
    for field in fields {
      for side in Side.allCases where !generator.chance(3) { edit(field, side, generator.pick(field.values(side))) }
    }
  }

  /// A person writes a value, and the service sees the record.
  mutating func edit(_ field: Field, _ side: Side, _ value: JSONValue?) {
    let before = scene.record(on: side)
    set(side, before.replacing(field.row.path(on: side), with: value))
    clock += 3
    observe(side, previous: before)
  }

  mutating func set(_ side: Side, _ record: JSONValue) {
    if side == .invoiced { scene.invoiced = record } else { scene.pms = record }
  }

  private mutating func observe(_ side: Side, previous: JSONValue?) {
    Planner.noteEdits(
      &scene.link, flow: scene.flow, previous: previous,
      now: Observation(
        key: scene.link.key(on: side), record: scene.record(on: side), version: Version(seconds: clock),
        source: .fetch, seenAt: at(Double(clock))),
      clockOffset: .zero)
  }

  /// Plans and pushes until there is nothing to do, the way the workers do; how many pushes it took.
  @discardableResult
  mutating func sync(_ generator: inout SeededGenerator, losesAnswers: Bool = false) -> Int {
    var count = 0
    settleUnanswered()
    while count < 12 {
      let plan = scene.plan
      #expect(plan.misfit == nil)
      scene.link.agree(plan.agreed)
      for row in plan.dropped { scene.link.agreed[row] = nil }
      scene.holds.removeAll { hold in hold.row.map { !plan.held.contains($0) } ?? false }
      for conflict in plan.conflicts {
        scene.holds.append(hold(.conflict, conflict.row, basis: conflict.basis))
      }
      guard let side = [Side.pms, .invoiced].first(where: { !plan.changes(to: $0).isEmpty }) else { return count }
      count += 1
      clock += 3
      let push = scene.push(to: side)
      pushes += plan.changes(to: side).map { (side, $0) }
      let isLost = losesAnswers && generator.chance(3)
      if isLost && generator.chance(2) {
        unanswered = push
        return count
      }
      for change in plan.changes(to: side) { write(change, to: side) }
      if isLost {
        unanswered = push
        return count
      }
      settle(push, to: side)
    }
    Issue.record("no rest after \(count) pushes: \(scene.plan.lines)")
    return count
  }

  private mutating func write(_ change: Plan.Change, to side: Side) {
    let record = scene.record(on: side)
    // Dates and flags are taken as they are, or they would be misfits.
    let isMalleable = change.row.map { [.string, .any, .integer, .decimal].contains($0.type) } ?? false
    let normaliser = isMalleable ? self.normaliser[side] ?? .none : .none
    let taken = normaliser.taken(change.value, over: record[change.path])
    set(side, record.replacing(change.path, with: taken.isNull ? Optional.none : taken))
  }

  private mutating func settle(_ push: Push, to side: Side) {
    let settled = Planner.settle(push, answer: scene.record(on: side), flow: scene.flow)
    scene.link.agree(settled.agreed)
    for property in settled.refused { refuse(property, on: side) }
  }

  /// The second look shows the same: there is nobody else who writes meanwhile.
  private mutating func refuse(_ property: Push.Property, on side: Side) {
    guard let row = scene.flow.row(keyed: property.row) else { return }
    let present = row.raw(on: side, in: scene.record(on: side))
    scene.holds.append(hold(.refused, row, basis: Planner.refusalBasis(sent: property.sent, present: present)))
  }

  private mutating func settleUnanswered() {
    guard let push = unanswered else { return }
    unanswered = nil
    let settled = Planner.settleUnanswered(push, seen: scene.record(on: push.side), flow: scene.flow)
    scene.link.agree(settled.agreed)
  }

  /// What both sides' values of a row mean.
  func meanings(_ row: PropertyPair) -> [Canonical?] {
    Side.allCases.map { try? row.canonical(on: $0, raw: row.raw(on: $0, in: scene.record(on: $0))) }
  }

  func isHeld(_ row: PropertyPair) -> Bool { scene.holds.contains { $0.row == row.key } }

  /// Whether the two values are what was agreed last, in whatever form.
  func isAgreed(_ row: PropertyPair) -> Bool {
    guard let pair = scene.link.agreed[row.key] else { return false }
    return Side.allCases.allSatisfy { row.same(pair[$0], row.raw(on: $0, in: scene.record(on: $0)), on: $0) }
  }
}

extension JSONValue {
  /// The record with another value at a path of keys; nil takes it away.
  func replacing(_ path: JSONPath, with value: JSONValue?) -> JSONValue {
    guard case nil = value, case .key(let last)? = path.components.last else {
      var record = self
      record.set(value ?? .null, at: path)
      return record
    }
    let parent = JSONPath(Array(path.components.dropLast()))
    guard var object = (parent.components.isEmpty ? self : self[parent])?.object else { return self }
    object[last] = Optional.none
    if parent.components.isEmpty { return .object(object) }
    var record = self
    record.set(.object(object), at: parent)
    return record
  }
}
