import HTTP
import JSON
import Mapping
import Store
import Sync

/// What a person decides about the deletes that the mass-delete guard holds (rule 14).
extension AdminAPI {
  /// How many are decided in one commit.
  private static let batch = 200

  /// They are done, and the guard counts anew. `{"ids": [...]}` or `{"flow": NAME}` for some of them.
  func approveDeletes(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    try await decide(call, "approved") { (api, holds) async throws(AdminError) in
      let now = api.context.clock.now
      var changes = Changes()
      for var hold in holds {
        hold.state = .approved
        changes.holds.append(hold)
        guard let record = hold.record else { continue }
        changes.followUps.append(.look(at: record, now: now, api.context.random))
      }
      try await api.commit(changes)
      try await api.release(holds)
    }
  }

  /// What is left stays as it is: its link ends, and it is kept apart.
  func rejectDeletes(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    try await decide(call, "rejected") { (api, holds) async throws(AdminError) in
      for hold in holds { try await api.keepSurvivor(of: hold) }
      try await api.release(holds)
    }
  }

  private func decide(
    _ call: AdminCall, _ word: String, _ carryOut: (AdminAPI, [Hold]) async throws(AdminError) -> Void
  ) async throws(AdminError) -> HTTPResponse {
    let object = try call.object(of: ["ids", "flow"])
    if let value = object["ids"] {
      guard object["flow"] == nil, let ids = value.array else { throw .badRequest("ids must be a list, without flow.") }
      var holds: [Hold] = []
      for id in ids {
        guard let text = id.identifier else { throw .badRequest("ids must be numbers or texts.") }
        holds.append(try await find(.deletion, text))
      }
      try await carryOut(self, holds)
      notify(holds)
      return .json([word: .number(JSONNumber(holds.count))])
    }
    var query = ListQuery(limit: Self.batch)
    if let value = object["flow"] {
      guard let flow = value.string else { throw .badRequest("flow must be a flow's name.") }
      guard context.mapping.flow(named: flow) != nil else { throw .notFound(context.mapping.noFlow(named: flow)) }
      query.flow = flow
    }
    var count = 0
    // What is held meanwhile comes later in the list.
    while true {
      let page = query
      let holds = try await reading { () async throws(StoreError) in try await store.holds(.deletion, page) }.items
      guard let last = holds.last else { break }
      try await carryOut(self, holds)
      notify(holds)
      count += holds.count
      query.after = last.id
    }
    return .json([word: .number(JSONNumber(count))])
  }

  private func notify(_ holds: [Hold]) {
    for hold in holds { if let record = hold.record { core.engine.notify(record) } }
  }

  private func release(_ holds: [Hold]) async throws(AdminError) {
    try await reading { () async throws(StoreError) in
      for hold in holds {
        if let flow = hold.flow, let link = hold.link { try await context.deletions.release(link, of: flow) }
      }
    }
  }

  private func keepSurvivor(of hold: Hold) async throws(AdminError) {
    guard let id = hold.link,
      let found = try await reading({ () async throws(StoreError) in try await store.link(id) })
    else { return }
    try await core.engine.exclusively(on: Side.allCases.map { found.key(on: $0) }) { () async throws(AdminError) in
      let now = context.clock.now
      let unit = try await reading { () async throws(StoreError) in try await store.unit(of: found.key(on: .invoiced)) }
      // Dropped or done meanwhile.
      guard var link = unit.link, link.id == id, unit.holds.contains(where: { $0.id == hold.id && $0.state == .open })
      else { return }
      var changes = Changes()
      link.state = .ended
      link.endedAt = now
      link.reason = "a person kept what was left"
      changes.links = [link]
      for side in Side.allCases {
        guard var state = unit.records[link.key(on: side)], state.presence == .alive else { continue }
        state.apart = "a person kept it when its counterpart was deleted"
        changes.records.append(state)
      }
      changes.closedHolds = unit.holds.map(\.id)
      changes.settledPushes = unit.pushes.filter { $0.action != .create }.map(\.id)
      changes.events = try await heldEvents(of: link).map {
        EventOutcome(id: $0.id, state: .done, attempts: $0.attempts, reason: "a person kept what was left", at: now)
      }
      changes.history = [
        Self.entry(
          .unlinked, link, rule: 14,
          "a person rejected the delete of \(hold.record?.description ?? "a record"): the link ended, and what is left is kept apart",
          at: now)
      ]
      try await commit(changes)
    }
  }

  private func heldEvents(of link: Link) async throws(AdminError) -> [StoredEvent] {
    var events: [StoredEvent] = []
    for side in Side.allCases {
      var query = ListQuery(limit: 500)
      query.side = side
      query.record = link.id(on: side).text
      query.state = EventState.held.rawValue
      let page = query
      events += try await reading { () async throws(StoreError) in try await store.events(page) }.items
    }
    return events
  }
}
