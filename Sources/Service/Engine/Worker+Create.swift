import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync

/// Creates: written down and claimed before they are sent, looked up when they went unanswered (rule 12).
extension Worker {
  func create(
    _ creation: (record: JSONValue, properties: [Push.Property], claims: [Push.Claim]), _ seen: Observation,
    _ flow: Flow, _ work: inout Work
  ) async throws(Interruption) {
    let target = seen.key.side.other
    guard flow.create.allows(on: target) else {
      work.outcome = (.done, "flow \(flow.name) creates nothing on \(target.title)")
      return
    }
    guard flow.live >= .creates else {
      work.outcome = (.held, "flow \(flow.name) is live only up to \(flow.live.rawValue)")
      return
    }
    let assignments = creation.properties.map { Assignment($0.path, $0.sent) }
    if let misfit = context.connector(target).misfits(in: assignments).first {
      throw park(
        &work, .misfit, showing: shown(misfit.property, on: misfit.side, flow, work),
        basis: "\(misfit.property) \(misfit.value) \(misfit.reason)",
        reason: "\(work.key) in flow \(flow.name): property '\(misfit.property)' = \(misfit.value) \(misfit.reason)",
        nextStep: misfit.nextStep)
    }
    let basis = assignments.map { "\($0.path)=\($0.value.text)" }.joined(separator: "; ")
    // Whether an earlier one was done is not known: only a person's word sends another.
    let unknown = work.holds.first { $0.cause == .unansweredCreate && ($0.state == .open || $0.basis == basis) }
    if let filed = unknown ?? work.holds.first(where: { $0.isRejection && $0.basis == basis }) {
      work.confirmedHolds.insert(filed.id)
      throw .parked(filed.state == .discarded ? .done : .parked, reason: filed.reason)
    }
    var push = Push(
      action: .create, flow: flow.name, source: seen.key, target: nil, link: nil, properties: creation.properties,
      claims: creation.claims, idempotencyKey: key(for: creation.properties, work), sentAt: now, event: work.cause)
    work.pushBasis = basis
    work.changes.pushes.append(push)
    do throws(StoreError) {
      push.id = try await context.store.commit(work.changes).pushes.first ?? 0
      work.changes = Changes()
    } catch .claimed {
      work.changes.pushes = []
      throw .later(now.adding(.milliseconds(200)), reason: "waits for another create with the same match key")
    } catch {
      throw .store(error)
    }
    if try await findsItAfterAll(push, seen, flow, &work) { return }
    let written = try await send(push, &work) { (connector) async throws(ConnectorError) in
      try await connector.create(creation.record, idempotencyKey: push.idempotencyKey)
    }
    guard let written else {
      guard let error = work.collision else { return }
      work.collision = nil
      try await commit(&work)
      if try await match(seen, flow, &work) { return }
      throw refused(push, error, &work)
    }
    work.writes += 1
    guard let id = written.id else {
      var left = push
      left.state = .unanswered
      left.idempotencyKey = context.random.idempotencyKey()
      work.changes.pushes.append(left)
      throw .later(
        push.sentAt.adding(context.settings.confirm), reason: "the answer to a create did not name the new record")
    }
    let answer = written.observation.flatMap { flow.isCutShort($0, over: nil, sent: assignments) ? nil : $0 }
    try await created(push, RecordKey(target, id), answer: answer, seen, flow, &work)
  }

  /// The same request is sent again with its own key where nothing was answered: searches lie, and the first one may
  /// still be under way. After an answer, which may be stored with the key, with a fresh one (`failed`).
  private func key(for properties: [Push.Property], _ work: Work) -> String {
    if let lost = work.lookedUp, lost.properties == properties { return lost.idempotencyKey }
    return context.random.idempotencyKey()
  }

  /// Looks once more now that the match keys are claimed: the other side may have got the same customer since the first
  /// look, or the search may have left it out. True when that settles the matter.
  private func findsItAfterAll(_ push: Push, _ seen: Observation, _ flow: Flow, _ work: inout Work)
    async throws(Interruption) -> Bool
  {
    // A lost one has just been looked up, twice.
    guard work.lookedUp == nil else { return false }
    let verdict: Verdict?
    do throws(Interruption) { verdict = try await admissionByKeys(seen, flow, work) } catch {
      settle(push, &work)
      try await commit(&work)
      throw error
    }
    guard let verdict else { return false }
    settle(push, &work)
    try await commit(&work)
    return try await follow(verdict, seen, flow, &work)
  }

  /// The new record is known: the link is formed, and what the target made of it is judged.
  private func created(
    _ push: Push, _ key: RecordKey, answer: Observation?, _ seen: Observation, _ flow: Flow, _ work: inout Work
  ) async throws(Interruption) {
    // Its echo may be in another worker's hands, which finds the create under way and steps back.
    await work.lease.acquire(key)
    context.arrivals.left(seen.key)
    if work.records[key] == nil { work.set(RecordState(key: key, firstSeenAt: now)) }
    // Before the link is formed: where the look fails, the create is still to be looked up.
    if answer == nil { try await fetch(key, &work) }
    let (invoiced, pms) = key.side == .pms ? (seen.key.id, key.id) : (key.id, seen.key.id)
    work.set(Link(flow: flow.name, invoiced: invoiced, pms: pms, createdAt: now))
    if let answer { accept(answer, own: Set(push.properties.compactMap(\.row)), &work) }
    guard let made = work.records[key]?.last, var link = work.link else { return }
    link.agree(Planner.settle(push, answer: made.record, flow: flow).agreed)
    work.set(link)
    work.fresh.insert(key.side)
    work.changes.settledPushes.append(push.id)
    work.pushes.removeAll { $0.id == push.id }
    work.note(
      .linked, side: key.side, new: Push.record(of: push.properties), rule: 12,
      "\(key) was created for \(seen.key) with these values, and the two are linked", at: now)
    context.logger.info("created", metadata: [LogKey.record: "\(key)", LogKey.source: "\(seen.key)"])
    try await commit(&work)
    try await syncLink(&work)
  }

  /// An own create without an answer is looked up, not before `confirm` has passed; true when the unit is done by that.
  func settleOwnCreate(_ work: inout Work) async throws(Interruption) -> Bool {
    guard let push = work.pushes.create(for: work.key) else { return false }
    // What was created belongs to the flow that it was created for, whichever fits the source by now (rule 23), and
    // is the source's even where that is gone.
    guard let seen = work.records[work.key]?.last, let flow = context.mapping.flow(named: push.flow) else {
      throw unanswered(
        push, because: "\(work.key) may have been created on \(push.side.title) by flow \(push.flow), which is no more",
        &work)
    }
    #if SABOTAGE
      if Sabotage.breaks(.repeatsCreatesBlindly) {
        settle(push, &work)
        try await commit(&work)
        return false
      }
      let wait = Sabotage.breaks(.looksCreatesUpAtOnce) ? Duration.zero : context.settings.confirm
    #else
      let wait = context.settings.confirm
    #endif
    let due = push.sentAt.adding(wait)
    if now < due { throw .later(due, reason: "whether the record was created is looked up") }
    let lookups = self.lookups(push, seen, flow)
    // Searches lie: that it isn't there is believed when a second look says the same.
    for search in lookups + lookups {
      let hits = try await call(push.side, work) { (connector) async throws(ConnectorError) in
        try await connector.find(search.path, search.value)
      }
      let found = hits.filter { search.matches($0.record) }
      if found.count == 1 {
        // Found by a key, it may be another's by now.
        if let why = try await obstacle(found[0], flow) {
          settle(push, &work)
          throw park(
            &work, .ambiguous, basis: MatchBasis(candidates: [found[0].key: why]).text,
            reason: "\(work.key) may have been created as \(found[0].key), which \(why)",
            nextStep: "link it by hand: customer-sync links link INVOICED-ID PMS-ID")
        }
        try await created(push, found[0].key, answer: nil, seen, flow, &work)
        return true
      }
      if found.count > 1 {
        let names = found.map(\.key.description).joined(separator: ", ")
        settle(push, &work)
        throw park(
          &work, .ambiguous, basis: MatchBasis(found.map { Candidate(observation: $0, obstacle: nil, by: "") }).text,
          reason: "\(work.key) may have been created as any of \(names)",
          nextStep: "link it by hand: customer-sync links link INVOICED-ID PMS-ID")
      }
    }
    guard !lookups.isEmpty else {
      throw unanswered(
        push,
        because:
          "whether \(work.key) was created on \(push.side.title) is not known, and flow \(flow.name) has no reference or match key to look it up by",
        &work)
    }
    // Conclusively not there: settled, and planned afresh.
    work.lookedUp = push
    settle(push, &work)
    try await commit(&work)
    return false
  }

  private func settle(_ push: Push, _ work: inout Work) {
    work.changes.pushes.removeAll { $0.id == push.id }
    work.changes.settledPushes.append(push.id)
    work.pushes.removeAll { $0.id == push.id }
  }

  /// A create that may have been done waits for a person; its claims hold up no other record (rule 12).
  func unanswered(_ push: Push, because reason: String, _ work: inout Work) -> Interruption {
    settle(push, &work)
    return park(
      &work, .unansweredCreate, basis: push.basis, reason: reason,
      nextStep:
        "look on \(push.side.title), then link it by hand (customer-sync links link) or: customer-sync parked retry ID")
  }

  private struct Lookup {
    var path: JSONPath
    var value: JSONValue
    var matches: (JSONValue) -> Bool
  }

  private func lookups(_ push: Push, _ seen: Observation, _ flow: Flow) -> [Lookup] {
    guard context.connector(push.side).abilities.finds else { return [] }
    var lookups: [Lookup] = []
    if let path = flow.reference(on: push.side), let sent = push.properties.first(where: { $0.path == path }) {
      lookups.append(
        Lookup(path: path, value: sent.sent) { flow.reference(in: $0, on: push.side) == seen.key.id })
    }
    for key in flow.match {
      guard let sent = push.properties.first(where: { $0.path == key.path(on: push.side) }),
        let text = flow.matchText(key, of: seen.record, on: seen.key.side)
      else { continue }
      lookups.append(
        Lookup(path: sent.path, value: sent.sent) { flow.matchText(key, of: $0, on: push.side) == text })
    }
    return lookups
  }
}
