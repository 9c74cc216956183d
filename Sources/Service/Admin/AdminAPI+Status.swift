import HTTP
import HTTPServer
import JSON
import Mapping
import Store
import Sync

extension AdminAPI {
  func status() async throws(AdminError) -> HTTPResponse {
    let counts = try await reading { () async throws(StoreError) in try await store.counts() }
    let now = context.clock.now
    var sides = JSONObject()
    for side in Side.allCases {
      let gate = context.gate(side)
      let pause = gate.pause
      let minute = context.metrics.lastMinute(side)
      let lag = minute.lag.map { JSONValue.number(JSONNumber(Int(($0 * 1000).rounded()))) }
      sides[side.rawValue] = [
        "state": .string(pause != nil ? "paused" : gate.isBreakerOpen ? "down" : "up"),
        "reason": Self.text(gate.closedReason), "by_person": .bool(pause?.byPerson ?? false),
        "since": Self.text(pause?.since.rfc3339),
        "events_per_minute": .number(JSONNumber(minute.events)),
        "pushes_per_minute": .number(JSONNumber(minute.pushes)), "lag_milliseconds": lag ?? .null,
      ]
    }
    var events = JSONObject()
    for state in EventState.allCases { events[state.rawValue] = .number(JSONNumber(counts.events[state] ?? 0)) }
    let flows = context.mapping.flows.map { flow -> JSONValue in
      [
        "flow": .string(flow.name), "title": Self.text(flow.title), "live": .string(flow.live.rawValue),
        "links": .number(JSONNumber(counts.activeLinks[flow.name] ?? 0)),
        "held_back": .number(JSONNumber(counts.heldBack[flow.name] ?? 0)),
      ]
    }
    let pending = EventState.allCases.filter(\.isPending).reduce(0) { $0 + (counts.events[$1] ?? 0) }
    return .json(
      .object(
        JSONObject([
          ("at", .string(now.rfc3339)), ("sides", .object(sides)), ("flows", .array(flows)),
          ("inbox", .number(JSONNumber(pending))),
          (
            "oldest_seconds",
            .number(JSONNumber(counts.oldestPending.map { max(0, now.since($0).components.seconds) } ?? 0))
          ),
          ("events", .object(events)), ("parked", .number(JSONNumber(counts.openHolds[.parked] ?? 0))),
          ("conflicts", .number(JSONNumber(counts.openHolds[.conflict] ?? 0))),
          ("held_deletes", .number(JSONNumber(counts.openHolds[.deletion] ?? 0))),
        ])))
  }

  func pause(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let side = try self.side(call)
    let reason = try Self.text("reason", in: call.object(of: ["reason"])) ?? "by a person"
    let since = context.clock.now
    let pause = SideGate.Pause(byPerson: true, reason: reason, since: since)
    try await reading { () async throws(StoreError) in
      try await store.setValue(pause.kept, for: SideGate.pauseName(side))
    }
    context.gate(side).restore(pause)
    return .json(["side": .string(side.rawValue), "state": "paused", "at": .string(since.rfc3339)])
  }

  func resume(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let side = try self.side(call)
    try await reading { () async throws(StoreError) in
      try await store.setValue(nil, for: SideGate.pauseName(side))
      try await store.setValue(nil, for: SideGate.alarmName(side))
      // What went back in time until now is known to whoever resumes.
      try await store.setValue(context.clock.now.rfc3339, for: SideGate.restoredName(side))
    }
    context.gate(side).resume()
    core.engine.resumed()
    return .json(["side": .string(side.rawValue), "state": "up", "at": .string(context.clock.now.rfc3339)])
  }

  private func side(_ call: AdminCall) throws(AdminError) -> Side {
    guard let side = Side(rawValue: call.variable("side")) else {
      throw .notFound("There is no side \(call.variable("side")): it is invoiced or pms.")
    }
    return side
  }

  /// The property tables in force.
  func mapping() -> HTTPResponse {
    let flows = context.mapping.flows.map { flow -> JSONValue in
      [
        "flow": .string(flow.name), "title": Self.text(flow.title), "live": .string(flow.live.rawValue),
        "properties": .array(
          flow.properties.map { row in
            [
              "invoiced": .string(row.invoiced.description), "pms": .string(row.pms.description),
              "type": .string(row.type.rawValue), "direction": .string(row.direction.rawValue),
            ]
          }),
      ]
    }
    return .json(["flows": .array(flows)])
  }
}

extension SideGate {
  /// Under this name the store keeps a person's pause, so that it outlives a restart.
  static func pauseName(_ side: Side) -> String { "pause.\(side.rawValue)" }
  /// Under this one the service's own pause that a person lifts.
  static func alarmName(_ side: Side) -> String { "alarm.\(side.rawValue)" }
  /// Under this one when a person last resumed the side.
  static func restoredName(_ side: Side) -> String { "resumed.\(side.rawValue)" }
}

extension SideGate.Pause {
  /// As the store keeps it: the time, a blank, the reason.
  var kept: String { "\(since.rfc3339) \(reason)" }

  init(kept: String, byPerson: Bool = true, now: Timestamp) {
    let parts = kept.split(separator: " ", maxSplits: 1)
    self.init(
      byPerson: byPerson, reason: parts.count == 2 ? String(parts[1]) : "by a person",
      since: parts.first.flatMap { Timestamp(rfc3339: String($0)) } ?? now)
  }
}
