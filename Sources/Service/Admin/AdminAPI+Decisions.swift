import Connectors
import HTTP
import HTTPServer
import JSON
import Mapping
import Store
import Sync

/// What a person decides about records: to join them, to part them, which value counts, to erase them.
extension AdminAPI {
  // MARK: Links

  /// `{"invoiced_id": ID, "pms_id": ID}`: the two records are linked, whatever kept them apart.
  func makeLink(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let object = try call.object(of: ["invoiced_id", "pms_id"])
    guard let invoiced = object["invoiced_id"]?.identifier, let pms = object["pms_id"]?.identifier,
      !invoiced.isEmpty, !pms.isEmpty
    else { throw .badRequest("Give invoiced_id and pms_id.") }
    let keys = [RecordKey(.invoiced, RecordID(invoiced)), RecordKey(.pms, RecordID(pms))]
    let link = try await core.engine.exclusively(on: keys) { () async throws(AdminError) in
      try await join(keys[0], keys[1])
    }
    for key in keys { core.engine.notify(key) }
    return .json(Self.json(link), status: 201)
  }

  private func join(_ invoiced: RecordKey, _ pms: RecordKey) async throws(AdminError) -> Link {
    let now = context.clock.now
    var changes = Changes()
    var records: [Side: JSONValue] = [:]
    var states: [RecordState] = []
    for key in [invoiced, pms] {
      let unit = try await reading { () async throws(StoreError) in try await store.unit(of: key) }
      if let link = unit.link, link.state != .ended {
        throw .conflict("\(key) is linked with \(link.key(on: key.side.other)): first unlink link \(link.id).")
      }
      if unit.pushes.contains(where: { $0.action == .create }) {
        throw .conflict("\(key) is being created on \(key.side.other.title): wait until that is settled.")
      }
      let state = try await known(key, unit.records[key], now)
      states.append(state)
      records[key.side] = state.last?.record
      changes.closedHolds += unit.holds.map(\.id)
    }
    guard let seenInvoiced = records[.invoiced], let seenPMS = records[.pms] else {
      throw .notFound("One of the records can't be read.")
    }
    let owner =
      context.mapping.flow(owning: seenInvoiced, on: .invoiced) ?? context.mapping.flow(owning: seenPMS, on: .pms)
    guard let flow = owner else { throw .conflict("No flow of the mapping covers \(invoiced) or \(pms).") }
    var link = Link(flow: flow.name, invoiced: invoiced.id, pms: pms.id, createdAt: now)
    if flow.live < .updates {
      // Made while the flow can't write: both values are its base (rule 23).
      for row in flow.properties {
        link.agreed[row.key] = AgreedPair(
          invoiced: row.raw(on: .invoiced, in: seenInvoiced), pms: row.raw(on: .pms, in: seenPMS),
          fingerprint: row.fingerprint, isBaseOnly: true)
      }
    }
    changes.records = states.map { state in
      var state = state
      state.apart = nil
      state.flow = flow.name
      return state
    }
    changes.links = [link]
    changes.followUps = [invoiced, pms].map { .look(at: $0, now: now, context.random) }
    changes.history = [Self.entry(.linked, link, rule: 11, "\(invoiced) and \(pms) were linked by a person", at: now)]
    let made = changes
    link.id = try await reading { () async throws(StoreError) in try await store.commit(made) }.link ?? 0
    return link
  }

  /// A record as it was seen last, fetched where it never was.
  private func known(_ key: RecordKey, _ state: RecordState?, _ now: Timestamp) async throws(AdminError) -> RecordState
  {
    if let state, state.presence == .alive, state.last != nil { return state }
    if try await reading({ () async throws(StoreError) in try await store.isForgotten(key) }) {
      throw .conflict("\(key) was forgotten: nothing about it is stored again.")
    }
    var fresh = state ?? RecordState(key: key, firstSeenAt: now)
    let fetched: Fetched
    do throws(ConnectorError) {
      fetched = try await context.gate(key.side).call(for: key) { () async throws(ConnectorError) in
        try await context.connector(key.side).fetch(key.id)
      }
    } catch {
      throw .side(error)
    }
    switch fetched {
    case .found(let seen):
      fresh.presence = .alive
      fresh.goneAt = nil
      fresh.last = seen
      fresh.wasFetched = true
      return fresh
    case .gone: throw .notFound("\(key.side.title) has no record \(key.id).")
    }
  }

  /// The link ends, and both records are kept apart until a person links them.
  func unlink(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let text = call.variable("id")
    guard let found = try await find(link: text) else { throw Self.noLink(text) }
    let keys = Side.allCases.map { found.key(on: $0) }
    let ended = try await core.engine.exclusively(on: keys) { () async throws(AdminError) in try await part(found.id) }
    return .json(Self.json(ended))
  }

  private func part(_ id: Int64) async throws(AdminError) -> Link {
    let now = context.clock.now
    guard var link = try await reading({ () async throws(StoreError) in try await store.link(id) }) else {
      throw Self.noLink("\(id)")
    }
    guard link.state != .ended else { throw .conflict("Link \(id) has ended already.") }
    link.state = .ended
    link.endedAt = now
    link.reason = "unlinked by a person"
    let key = link.key(on: .invoiced)
    let unit = try await reading { () async throws(StoreError) in try await store.unit(of: key) }
    var changes = Changes()
    changes.links = [link]
    changes.records = Side.allCases.map { side in
      let key = link.key(on: side)
      var state = unit.records[key] ?? RecordState(key: key, firstSeenAt: now)
      state.apart = "unlinked by a person"
      return state
    }
    changes.settledPushes = unit.pushes.filter { $0.action != .create }.map(\.id)
    changes.closedHolds = unit.holds.map(\.id)
    changes.history = [
      Self.entry(
        .unlinked, link, rule: 11,
        "\(link.key(on: .invoiced)) and \(link.key(on: .pms)) were unlinked by a person, and are kept apart", at: now)
    ]
    try await commit(changes)
    return link
  }

  // MARK: Conflicts

  /// `{"take": "invoiced" | "pms"}`: that side's value counts.
  func resolve(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let hold = try await find(.conflict, call.variable("id"))
    guard let winner = try call.object(of: ["take"])["take"]?.string.flatMap({ Side(rawValue: $0) }) else {
      throw .badRequest("take must be invoiced or pms.")
    }
    guard let record = hold.record else { throw .conflict("Conflict \(hold.id) is about no record.") }
    let unit = try await reading { () async throws(StoreError) in try await store.unit(of: record) }
    let keys = unit.link.map { link in Side.allCases.map { link.key(on: $0) } } ?? [record]
    try await core.engine.exclusively(on: keys) { () async throws(AdminError) in
      if hold.cause == .deletedAgainstEdit {
        try await settleDelete(hold, record, winner)
      } else {
        try await settle(hold, record, winner)
      }
    }
    for key in keys { core.engine.notify(key) }
    return .json(["id": .number(JSONNumber(hold.id)), "state": "resolved", "take": .string(winner.rawValue)])
  }

  private func settle(_ hold: Hold, _ record: RecordKey, _ winner: Side) async throws(AdminError) {
    let now = context.clock.now
    let unit = try await reading { () async throws(StoreError) in try await store.unit(of: record) }
    guard unit.holds.contains(where: { $0.id == hold.id && $0.state == .open }) else {
      throw .conflict("Conflict \(hold.id) is over.")
    }
    if hold.cause == .conflict, hold.row == nil {
      try await followFlow(of: winner, hold, unit, now)
      return
    }
    guard var link = unit.link, link.state == .active, let flow = context.mapping.flow(named: link.flow),
      let row = flow.properties.first(where: { $0.key == hold.row })
    else { throw .conflict("Conflict \(hold.id) is about no property of a link: \(hold.nextStep)") }
    func present(_ side: Side) -> JSONValue? {
      unit.records[link.key(on: side)]?.last.flatMap { row.raw(on: side, in: $0.record) }
    }
    if let lost = link.overwritten.firstIndex(where: { $0.row == row.key }) {
      // Both sides have the value that was written over the edit: that side's edit counts, or what stands (rule 18).
      if link.overwritten[lost].side == winner {
        link.overwritten[lost].isTaken = true
      } else {
        link.overwritten.remove(at: lost)
      }
    } else {
      link.agreed[row.key] = row.pair(
        taking: winner, present: present(winner), over: present(winner.other), formerly: link.agreed[row.key])
    }
    var changes = Changes()
    changes.links = [link]
    changes.closedHolds = [hold.id]
    changes.followUps = [.look(at: record, now: now, context.random)]
    var entry = Self.entry(
      .resolved, link, rule: 8, "a person took \(winner.title)'s value of '\(row.path(on: winner))'", at: now)
    entry.side = winner.other
    entry.property = row.path(on: winner.other).description
    entry.old = present(winner.other)
    entry.new = present(winner)
    changes.history = [entry]
    try await commit(changes)
  }

  /// Both records fit different flows: the loser's counts as the one that they are linked in, so that the loser follows
  /// the winner out of it (rule 23).
  private func followFlow(of winner: Side, _ hold: Hold, _ unit: UnitState, _ now: Timestamp) async throws(AdminError) {
    guard var link = unit.link, link.state == .active, let loser = unit.records[link.key(on: winner.other)]?.last,
      let flow = context.mapping.flow(fitting: loser.record, on: winner.other, linkedIn: link.flow),
      flow.name != link.flow
    else { throw .conflict("Conflict \(hold.id) can't be decided here: \(hold.nextStep)") }
    link.flow = flow.name
    let entry = Self.entry(
      .resolved, link, rule: 23, "a person let \(winner.other.title)'s record follow \(winner.title)'s flow", at: now)
    let key = link.key(on: winner)
    var changes = Changes()
    changes.links = [link]
    changes.closedHolds = [hold.id]
    changes.followUps = [NewEvent.look(at: key, now: now, context.random)]
    changes.history = [entry]
    try await commit(changes)
    core.engine.notify(key)
  }

  /// A delete against an edit: taking the side that deleted deletes, taking the other creates anew.
  private func settleDelete(_ hold: Hold, _ gone: RecordKey, _ winner: Side) async throws(AdminError) {
    let now = context.clock.now
    let unit = try await reading { () async throws(StoreError) in try await store.unit(of: gone) }
    guard var link = unit.link, unit.holds.contains(where: { $0.id == hold.id && $0.state == .open }) else {
      throw .conflict("Conflict \(hold.id) is over.")
    }
    let survivor = link.key(on: gone.side.other)
    var changes = Changes()
    if winner == gone.side {
      var approved = hold
      approved.state = .approved
      changes.holds = [approved]
      changes.followUps = [.look(at: gone, now: now, context.random)]
      changes.history = [
        Self.entry(
          .resolved, link, rule: 14, "a person let the delete of \(gone) go on, over the edit of \(survivor)", at: now)
      ]
    } else {
      guard let flow = context.mapping.flow(named: link.flow), flow.create.allows(on: gone.side), flow.live >= .creates
      else {
        throw .conflict(
          "Flow \(link.flow) creates nothing on \(gone.side.title): let it (create, live), link \(survivor) by hand, or keep it as it is: customer-sync links unlink \(link.id)."
        )
      }
      link.state = .ended
      link.endedAt = now
      link.reason = "\(gone) was deleted, and a person took \(survivor)"
      changes.links = [link]
      if var state = unit.records[survivor] {
        state.apart = nil
        changes.records = [state]
      }
      changes.settledPushes = unit.pushes.filter { $0.action != .create }.map(\.id)
      changes.closedHolds = unit.holds.map(\.id)
      changes.followUps = [.look(at: survivor, now: now, context.random)]
      changes.history = [
        Self.entry(
          .resolved, link, rule: 14, "a person took \(survivor): \(gone.side.title)'s record is created anew", at: now)
      ]
    }
    try await commit(changes)
  }

  // MARK: Forgetting

  /// `{"invoiced_id": ID}` or `{"pms_id": ID}`: erases the customer, with the record it is linked with (rule 24).
  func forget(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let object = try call.object(of: ["invoiced_id", "pms_id"])
    let given = [(Side.invoiced, "invoiced_id"), (.pms, "pms_id")].compactMap { side, name in
      object[name]?.identifier.map { RecordKey(side, RecordID($0)) }
    }
    guard given.count == 1, let key = given.first, !key.id.text.isEmpty else {
      throw .badRequest("Give either invoiced_id or pms_id.")
    }
    let unit = try await reading { () async throws(StoreError) in try await store.unit(of: key) }
    var keys = [key]
    if let link = unit.link, link.state != .ended { keys.append(link.key(on: key.side.other)) }
    guard try await isKnown(key, unit) else {
      throw .notFound("Nothing is stored about \(key): compare the id with customer-sync links list")
    }
    let all = keys
    try await core.engine.exclusively(on: all) { () async throws(AdminError) in
      try await reading { () async throws(StoreError) in try await store.forget(all) }
    }
    return .json(["forgotten": .array(all.map { .string($0.description) })])
  }

  private func isKnown(_ key: RecordKey, _ unit: UnitState) async throws(AdminError) -> Bool {
    if unit.link != nil || !unit.records.isEmpty || !unit.events.isEmpty { return true }
    return try await reading { () async throws(StoreError) in
      var query = ListQuery(limit: 1)
      query.side = key.side
      query.record = key.id.text
      if try await store.isForgotten(key) { return true }
      if try await !store.events(query).items.isEmpty { return true }
      return try await !store.links(query).items.isEmpty
    }
  }

  static func entry(_ kind: HistoryEntry.Kind, _ link: Link, rule: Int, _ sentence: String, at time: Timestamp)
    -> HistoryEntry
  {
    HistoryEntry(
      kind: kind, flow: link.flow, invoicedID: link.invoiced, pmsID: link.pms, rule: rule, sentence: sentence, at: time)
  }
}

extension PropertyPair {
  /// The agreed pair under which just the winner's value looks changed, so that it goes to the other side.
  func pair(taking winner: Side, present: JSONValue?, over loser: JSONValue?, formerly: AgreedPair?) -> AgreedPair {
    var pair = AgreedPair(invoiced: nil, pms: nil, fingerprint: fingerprint)
    pair[winner.other] = loser
    if let source = onlySource, source != winner {
      // Nothing goes this way: the copy stays as it is until its source is edited.
      pair[winner] = present
      return pair
    }
    let former = formerly.flatMap { $0[winner] }
    pair[winner] = former
    if same(former, present, on: winner) { pair[winner] = same(nil, present, on: winner) ? .array([]) : nil }
    return pair
  }
}
