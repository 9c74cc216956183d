import JSON
import Mapping
import Testing

@testable import Sync

func path(_ text: String) -> JSONPath { JSONPath(text) ?? JSONPath([]) }

func json(_ text: String) -> JSONValue { (try? JSONValue(parsing: text)) ?? .string("no JSON: \(text)") }

/// A row of the table; `invoiced` and `pms` have the same path where only one is given.
func row(
  _ invoiced: String, _ pms: String? = nil, _ type: PropertyType = .string, _ converters: [Converter] = [],
  _ direction: Direction = .both
) -> PropertyPair {
  PropertyPair(
    invoiced: path(invoiced), pms: path(pms ?? invoiced), type: type, direction: direction, converters: converters)
}

func values(_ pairs: (JSONValue, JSONValue)...) -> Converter {
  .values(pairs.map { Converter.ValuePair(invoiced: $0.0, pms: $0.1) })
}

func at(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: Int64(seconds * 1000)) }

/// One linked pair and all that a plan is made from.
struct Scene {
  var flow = Flow(name: "customers", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "client"))
  var link = Link(flow: "customers", invoiced: RecordID("17"), pms: RecordID("p-1"), createdAt: at(0))
  var invoiced: JSONValue = [:]
  var pms: JSONValue = [:]
  var holds: [Hold] = []

  init(_ rows: PropertyPair..., invoiced: JSONValue = [:], pms: JSONValue = [:]) {
    flow.properties = rows
    self.invoiced = invoiced
    self.pms = pms
  }

  /// The same scene with `invoiced` and `pms` agreed as they stand in these records.
  func agreed(_ invoiced: JSONValue, _ pms: JSONValue, fingerprint: String? = nil, baseOnly: Bool = false) -> Scene {
    var scene = self
    for row in flow.properties {
      scene.link.agreed[row.key] = AgreedPair(
        invoiced: row.raw(on: .invoiced, in: invoiced), pms: row.raw(on: .pms, in: pms),
        fingerprint: fingerprint ?? row.fingerprint, isBaseOnly: baseOnly)
    }
    return scene
  }

  func with(_ change: (inout Scene) -> Void) -> Scene {
    var scene = self
    change(&scene)
    return scene
  }

  /// Notes when each side's present value of the first row was edited.
  func edited(invoiced: Double?, pms: Double?) -> Scene {
    var scene = self
    let row = flow.properties[0]
    if let invoiced {
      scene.link.setEdit(
        Edit(at: at(invoiced), value: row.raw(on: .invoiced, in: self.invoiced)), of: row.key, on: .invoiced)
    }
    if let pms {
      scene.link.setEdit(Edit(at: at(pms), value: row.raw(on: .pms, in: self.pms)), of: row.key, on: .pms)
    }
    return scene
  }

  var input: PlanInput {
    PlanInput(flow: flow, link: link, invoiced: invoiced, pms: pms, invoicedID: 17, pmsID: "p-1", holds: holds)
  }
  var plan: Plan { Planner.plan(input) }
  /// What the plan does, a line each.
  var outcome: [String] { plan.lines }

  func record(on side: Side) -> JSONValue { side == .invoiced ? invoiced : pms }

  /// A push of the plan's changes to one side.
  func push(to side: Side) -> Push {
    Push(
      action: .update, flow: flow.name, source: link.key(on: side.other), target: link.id(on: side), link: link.id,
      properties: plan.changes(to: side).map(Push.Property.init), idempotencyKey: "key", sentAt: at(0), event: nil)
  }
}

extension Push.Property {
  init(_ change: Plan.Change) {
    self.init(
      row: change.row?.key, path: change.path, former: change.former, sent: change.value, source: change.source)
  }
}

extension Plan {
  var lines: [String] {
    var lines: [String] = []
    for side in Side.allCases {
      for change in changes(to: side) {
        let lost = change.lost.map { ", losing \($0.text)" } ?? ""
        lines.append("\(side.rawValue) \(change.path) = \(change.value.text) by \(change.rule)\(lost)")
      }
    }
    for side in Side.allCases {
      if let change = references[side] {
        lines.append("\(side.rawValue) reference \(change.path) = \(change.value.text) by \(change.rule)")
      }
    }
    lines += agreed.sorted { $0.key < $1.key }.map {
      "\($1.isBaseOnly ? "base" : "agree") \($0): \($1.invoiced?.text ?? "nothing") = \($1.pms?.text ?? "nothing")"
    }
    lines += dropped.map { "drop \($0)" }
    lines += conflicts.map { "conflict \($0.row.key)" }
    lines += held.map { "held \($0)" }
    if let misfit { lines.append("misfit \(misfit.side.rawValue) \(misfit.property)") }
    if heldBack > 0 { lines.append("held back \(heldBack)") }
    return lines
  }
}

/// One line of a table of scenes.
struct Case: Sendable, CustomTestStringConvertible {
  let name: String
  let scene: Scene
  let outcome: [String]

  init(_ name: String, _ scene: Scene, _ outcome: String...) {
    self.name = name
    self.scene = scene
    self.outcome = outcome
  }

  var testDescription: String { name }
}

func hold(
  _ cause: Hold.Cause, _ row: PropertyPair, basis: String = "", state: Hold.State = .open, invoiced: JSONValue? = nil,
  pms: JSONValue? = nil
) -> Hold {
  var hold = Hold(
    kind: cause == .conflict ? .conflict : .parked, cause: cause, flow: "customers", record: nil, basis: basis,
    reason: "", nextStep: "", at: at(0))
  hold.row = row.key
  hold.state = state
  hold.invoiced = invoiced
  hold.pms = pms
  return hold
}

func observation(
  _ record: JSONValue, version seconds: Int64? = nil, _ source: Observation.Source = .fetch, seen: Double = 0,
  on side: Side = .pms
) -> Observation {
  Observation(
    key: RecordKey(side, RecordID(side == .invoiced ? "17" : "p-1")), record: record,
    version: seconds.map { Version(seconds: $0) }, source: source, seenAt: at(seen))
}
