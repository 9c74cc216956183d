import Connectors
import JSON
import Mapping
import Store
import Sync

/// A record that isn't linked: matched, else created on the other side (rules 11 to 13).
extension Worker {
  func admit(_ work: inout Work) async throws(Interruption) {
    if try await settleOwnCreate(&work) { return }
    guard let state = work.records[work.key], state.presence == .alive, let seen = state.last else {
      work.outcome = (.done, "the record is gone")
      return
    }
    if let apart = state.apart {
      work.outcome = (.done, "kept apart: \(apart)")
      return
    }
    guard let flow = context.mapping.flow(owning: seen.record, on: work.key.side) else {
      work.outcome = (.done, "no flow covers it")
      return
    }
    if state.flow != flow.name {
      var owned = state
      owned.flow = flow.name
      work.set(owned)
    }
    if flow.live < .links {
      work.outcome = (.held, "flow \(flow.name) only observes")
      return
    }
    let creation: (record: JSONValue, properties: [Push.Property], claims: [Push.Claim])
    do throws(Misfit) {
      creation = try Planner.creation(of: seen, flow: flow, idPath: context.connector(work.key.side).idPath)
    } catch {
      throw park(
        &work, .misfit, showing: shown(error.property, on: error.side, flow, work),
        basis: "\(error.property) \(error.value) \(error.reason)",
        reason: "\(work.key) in flow \(flow.name): property '\(error.property)' = \(error.value) \(error.reason)",
        nextStep: error.nextStep)
    }
    context.arrivals.note(work.key, creation.claims, at: now)
    try await waitForCreates(creation.claims, state, &work)
    if try await match(seen, flow, &work) { return }
    try await create(creation, seen, flow, &work)
  }

  /// A record with a claimed match key, or first seen while creates on its side were unanswered, waits for them (rule 12).
  private func waitForCreates(_ claims: [Push.Claim], _ state: RecordState, _ work: inout Work)
    async throws(Interruption)
  {
    #if SABOTAGE
      if Sabotage.breaks(.letsEchoesIn) { return }
    #endif
    let blocking: [Push]
    do throws(StoreError) {
      let claiming = try await context.store.creates(claiming: claims, sources: [])
      let unanswered = try await context.store.unansweredCreates(on: work.key.side)
      blocking = claiming + unanswered.filter { $0.sentAt <= state.firstSeenAt }
    } catch {
      throw .store(error)
    }
    guard let first = blocking.first(where: { $0.source != work.key }) else { return }
    let reason = "waits for the create that is under way for \(first.source)"
    if let closed = context.gate(first.side).closedReason { throw .blocked(first.side, reason: "\(reason): \(closed)") }
    // One that has been under way for long is looked for less often.
    let pause = min(Self.longestForCreate, now.since(first.sentAt) / 10)
    throw .later(now.adding(max(pause, min(context.settings.confirm, .seconds(1)))), reason: reason)
  }

  // MARK: Matching

  /// Links the record with its one candidate, or parks it; false when there is none.
  func match(_ seen: Observation, _ flow: Flow, _ work: inout Work) async throws(Interruption) -> Bool {
    #if SABOTAGE
      if Sabotage.breaks(.createsWithoutMatching) { return false }
    #endif
    let found = try await byReference(seen, flow, &work)
    if let admission = Planner.admit(work.key, candidates: found) {
      return try await follow((admission, found), seen, flow, &work)
    }
    return try await follow(admissionByKeys(seen, flow, work), seen, flow, &work)
  }

  /// What is to become of a record, and the candidates that led to it.
  typealias Verdict = (admission: Admission, found: [Candidate])

  /// What the match keys say, in their order; nil where the other side has no such record.
  func admissionByKeys(_ seen: Observation, _ flow: Flow, _ work: Work) async throws(Interruption) -> Verdict? {
    #if SABOTAGE
      if Sabotage.breaks(.createsWithoutMatching) { return nil }
    #endif
    for key in flow.match {
      let found = try await byKey(key, seen, flow, work)
      if let admission = Planner.admit(work.key, candidates: found) { return (admission, found) }
    }
    return nil
  }

  func follow(_ verdict: Verdict?, _ seen: Observation, _ flow: Flow, _ work: inout Work)
    async throws(Interruption) -> Bool
  {
    switch verdict?.admission {
    case nil, .create: return false
    case .ambiguous(let candidates, let why):
      let names = candidates.map(\.description).joined(separator: ", ")
      let keys = flow.match.compactMap { flow.matchText($0, of: seen.record, on: work.key.side) }
      throw park(
        &work, .ambiguous, basis: MatchBasis(verdict?.found ?? [], keys: keys).text,
        reason: "\(work.key) can't be matched in flow \(flow.name): \(why) (candidates: \(names))",
        nextStep: "link it by hand: customer-sync links link INVOICED-ID PMS-ID, or correct the match keys")
    case .link(let other, let why):
      try await link(seen, with: other, flow, why: why, &work)
      return true
    }
  }

  private func byReference(_ seen: Observation, _ flow: Flow, _ work: inout Work) async throws(Interruption)
    -> [Candidate]
  {
    let side = seen.key.side
    var found: [Observation] = []
    if let id = flow.reference(in: seen.record, on: side) {
      let fetched = try await call(side.other, work) { (connector) async throws(ConnectorError) in
        try await connector.fetch(id)
      }
      if case .found(let other) = fetched { found.append(other) }
    }
    let connector = context.connector(side.other)
    if let path = flow.reference(on: side.other), connector.abilities.finds {
      let value: JSONValue =
        side.other == .invoiced
        ? .string(seen.key.id.text) : seen.key.json(in: seen.record, idPath: context.connector(side).idPath)
      let hits = try await call(side.other, work) { (connector) async throws(ConnectorError) in
        try await connector.find(path, value)
      }
      for hit in hits where flow.reference(in: hit.record, on: side.other) == seen.key.id {
        if !found.contains(where: { $0.key == hit.key }) { found.append(hit) }
      }
    }
    let former = try await formerPartners(of: seen.key)
    var candidates: [Candidate] = []
    // A reference that an ended link left behind says nothing of the record that has the id now (rule 14).
    for other in found where !former.contains(other.key.id) {
      candidates.append(
        Candidate(
          observation: other, obstacle: try await obstacle(other, flow), by: "the stored reference",
          // A copied record carries a reference too, but the other side's record names whose it is.
          rivals: flow.reference(in: other.record, on: side.other).map { [RecordKey(side, $0)] } ?? []))
    }
    return candidates
  }

  /// The records that this one's ended links were with.
  private func formerPartners(of key: RecordKey) async throws(Interruption) -> Set<RecordID> {
    var query = ListQuery(limit: 1000)
    query.side = key.side
    query.record = key.id.text
    query.state = Link.State.ended.rawValue
    do throws(StoreError) {
      return Set(try await context.store.links(query).items.map { $0.id(on: key.side.other) })
    } catch {
      throw .store(error)
    }
  }

  private func byKey(_ key: MatchKey, _ seen: Observation, _ flow: Flow, _ work: Work) async throws(Interruption)
    -> [Candidate]
  {
    let side = seen.key.side
    guard let claim = flow.claim(key, of: seen.record, on: side),
      let value = flow.searchValue(key, of: seen.record, on: side)
    else { return [] }
    let text = claim.value
    var hits = try await search(side.other, key, value, work)
    // Searches lie: what an event told of counts though they don't show it, and every hit is compared again.
    for known in context.arrivals.records(with: claim, on: side.other) where !hits.contains(where: { $0.key == known })
    {
      let fetched = try await call(side.other, work) { (connector) async throws(ConnectorError) in
        try await connector.fetch(known.id)
      }
      if case .found(let other) = fetched { hits.append(other) }
    }
    let found = hits.filter { flow.matchText(key, of: $0.record, on: side.other) == text }
    guard !found.isEmpty else { return [] }
    var rivals: [RecordKey] = []
    if let own = seen.record[key.path(on: side)] {
      rivals = try await search(side, key, own, work)
        .filter { $0.key != seen.key && flow.matchText(key, of: $0.record, on: side) == text }.map(\.key)
    }
    var candidates: [Candidate] = []
    for other in found {
      candidates.append(
        Candidate(
          observation: other, obstacle: try await obstacle(other, flow), by: "\(key.path(on: side))", rivals: rivals))
    }
    return candidates
  }

  private func search(_ side: Side, _ key: MatchKey, _ value: JSONValue, _ work: Work) async throws(Interruption)
    -> [Observation]
  {
    guard context.connector(side).abilities.finds else { return [] }
    return try await call(side, work) { (connector) async throws(ConnectorError) in
      try await connector.find(key.path(on: side), value)
    }
  }

  /// Why a candidate can't be linked with; it counts all the same (rule 11).
  func obstacle(_ other: Observation, _ flow: Flow) async throws(Interruption) -> String? {
    do throws(StoreError) {
      return context.obstacle(other.key, other.record, flow, try await context.store.unit(of: other.key))
    } catch {
      throw .store(error)
    }
  }

  /// Forms the link, and goes on as with any linked pair.
  func link(_ seen: Observation, with other: Observation, _ flow: Flow, why: String, _ work: inout Work)
    async throws(Interruption)
  {
    guard work.lease.take(other.key) else { throw .busy }
    for key in [seen.key, other.key] { context.arrivals.left(key) }
    let (invoiced, pms) = seen.key.side == .invoiced ? (seen, other) : (other, seen)
    work.set(Link(flow: flow.name, invoiced: invoiced.key.id, pms: pms.key.id, createdAt: now))
    if work.records[other.key] == nil { work.set(RecordState(key: other.key, firstSeenAt: now)) }
    accept(seen, &work)
    accept(other, &work)
    if flow.live < .updates { baseOnly(&work, flow, invoiced.record, pms.record) }
    work.note(.linked, rule: 11, "\(invoiced.key) and \(pms.key) were linked: \(why)", at: now)
    try await commit(&work)
    try await syncLink(&work)
  }

  /// A link made while the flow can't write keeps both values as its base (rule 23).
  private func baseOnly(_ work: inout Work, _ flow: Flow, _ invoiced: JSONValue, _ pms: JSONValue) {
    guard var link = work.link else { return }
    for row in flow.properties {
      link.agreed[row.key] = AgreedPair(
        invoiced: row.raw(on: .invoiced, in: invoiced), pms: row.raw(on: .pms, in: pms), fingerprint: row.fingerprint,
        isBaseOnly: true)
    }
    work.set(link)
  }
}

extension EngineContext {
  /// Why a record can't be linked with; nil where it can.
  func obstacle(_ key: RecordKey, _ record: JSONValue, _ flow: Flow, _ unit: UnitState) -> String? {
    if let link = unit.link, link.state != .ended { return "is linked already with \(link.key(on: key.side.other))" }
    if unit.records[key]?.apart != nil { return "is kept apart" }
    let owner = mapping.flow(fitting: record, on: key.side, linkedIn: flow.name)
    if owner?.name == flow.name { return nil }
    return owner.map { "belongs to flow \($0.name)" } ?? "is covered by no flow"
  }

  /// Whether what a match was ambiguous by is no longer so, as far as is known here: then it is planned afresh (rule 20).
  func isFreed(_ hold: Hold, of unit: UnitState) async throws(StoreError) -> Bool {
    guard hold.cause == .ambiguous, hold.state == .open, let record = hold.record,
      let flow = unit.records[record]?.flow.flatMap({ mapping.flow(named: $0) }),
      let basis = MatchBasis(text: hold.basis)
    else { return false }
    for (key, obstacle) in basis.candidates {
      let unit = try await store.unit(of: key)
      guard let state = unit.records[key] else { continue }
      if state.presence == .gone { return true }
      guard state.presence == .alive, let seen = state.last?.record else { continue }
      // Rivals of the record's own side are named without what keeps them.
      if key.side != record.side, (self.obstacle(key, seen, flow, unit) ?? "") != obstacle { return true }
      let names = flow.reference(in: seen, on: key.side) == record.id
      if !names, !basis.keys.isEmpty, !flow.matches(seen, on: key.side, anyOf: basis.keys) { return true }
    }
    return false
  }
}
