import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync

/// Works one unit off: observes its records, plans, pushes, and makes the outcome durable.
///
/// Every source of change comes this way: webhooks, callbacks, backfill, reconcile, replay, a person's decision.
struct Worker: Sendable {
  let context: EngineContext
  /// Tells the engine that work is due at a time, or that other records are to be looked at.
  let wake: @Sendable (Wake) -> Void

  enum Wake: Sendable {
    case at(Timestamp)
    case now([RecordKey])
    case blocked(RecordKey)
  }

  var now: Timestamp { context.clock.now }

  func process(_ key: RecordKey, _ lease: Scheduler.Lease) async {
    do throws(StoreError) {
      let unit = try await context.store.unit(of: key)
      guard !unit.events.isEmpty || !unit.pushes.isEmpty else { return }
      var work = Work(key: key, lease: lease, unit: unit)
      do throws(Interruption) {
        try await carryOut(&work)
        try await finish(&work)
        if unit.events.count >= UnitState.mostEvents { wake(.now([key])) }
      } catch {
        try await interrupted(&work, by: error)
      }
    } catch {
      // Nothing was lost: the events are still pending.
      context.logger.error(
        "the store failed while a record was worked on",
        metadata: [
          LogKey.record: "\(key)", LogKey.error: "\(error)",
        ])
      wake(.at(now.adding(context.settings.retryFirst)))
    }
  }

  private func carryOut(_ work: inout Work) async throws(Interruption) {
    if let link = work.link {
      for side in Side.allCases where !work.lease.take(link.key(on: side)) { throw .busy }
    }
    let isLinked = work.link != nil
    for key in work.records.keys.sorted() where work.events.contains(where: { $0.key == key }) {
      try await observe(key, &work)
    }
    if work.records[work.key] == nil, work.events.contains(where: { $0.key == work.key }) {
      try await observe(work.key, &work)
    }
    if try await carryOutMerges(&work) { return }
    // A fetch found a merge: the link is the survivor's, which looks at both records.
    if isLinked, work.link == nil { return }
    wakeSleepingLink(&work)
    if work.link?.state == .active {
      try await syncLink(&work)
    } else if let link = work.link, link.state == .asleep {
      sleepOn(link, &work)
    } else {
      try await admit(&work)
    }
  }

  /// A link that slept while a record was gone goes on when it is seen again (rule 14, `ignore`).
  private func wakeSleepingLink(_ work: inout Work) {
    guard var link = work.link, link.state == .asleep,
      Side.allCases.allSatisfy({ work.records[link.key(on: $0)]?.presence == .alive })
    else { return }
    link.state = .active
    link.reason = nil
    work.set(link)
    work.note(
      .linked, rule: 14,
      "\(link.key(on: .invoiced)) and \(link.key(on: .pms)) are both there again: their link sleeps no more", at: now)
  }

  /// A sleeping link's survivor isn't matched or created anew; where it goes too, there is nothing to wake up for.
  private func sleepOn(_ link: Link, _ work: inout Work) {
    if Side.allCases.allSatisfy({ work.records[link.key(on: $0)]?.presence == .gone }) {
      end(link, apart: nil, side: work.key.side, "both records are gone; the link ended", &work)
    } else {
      work.outcome = (.done, "the link sleeps: \(link.reason ?? "a record is gone")")
    }
  }

  /// Everything is done: the events are, and holds that are no longer true are closed.
  private func finish(_ work: inout Work) async throws(Interruption) {
    closeStaleHolds(&work)
    if var state = work.records[work.troubled], state.failingSince != nil {
      state.endFailures()
      work.set(state)
    }
    for event in work.events {
      work.changes.events.append(
        EventOutcome(
          id: event.id, state: work.outcome.state, attempts: event.attempts + 1, reason: work.outcome.reason, at: now))
    }
    if work.outcome.state == .done { work.changes.finished = Array(work.records.keys) }
    try await takeUpHeldEvents(&work)
    try await takeOverHeldBack(&work)
    let followed = work.changes.followUps.compactMap { event in event.record.map { RecordKey(event.side, $0) } }
    try await commit(&work)
    do throws(StoreError) { try await release(work) } catch { throw .store(error) }
    if !followed.isEmpty { wake(.now(followed)) }
    if work.writes > 0 {
      for event in work.events {
        context.metrics.lag(event.event.side, now.since(event.event.receivedAt))
      }
    }
  }

  func closeStaleHolds(_ work: inout Work) {
    let stale = work.holds.filter { hold in
      !work.confirmedHolds.contains(hold.id) && hold.id != 0
    }
    work.released += stale.filter { $0.kind == .deletion }
    work.changes.closedHolds += stale.map(\.id)
    work.holds.removeAll { hold in stale.contains { $0.id == hold.id } }
  }

  private func interrupted(_ work: inout Work, by interruption: Interruption) async throws(StoreError) {
    let state: EventState
    var due: Timestamp?
    var reason: String
    var counts = true
    switch interruption {
    case .busy: return
    case .store(let error): throw error
    case .parked(let kind, reason: let why):
      (state, reason) = (kind, why)
    case .later(let at, reason: let why):
      (state, reason, due, counts) = (.retrying, why, at, false)
    case .blocked(let side, reason: let why):
      (state, reason, counts) = (.retrying, why, false)
      let others = context.gate(side).takeExplained().filter { $0 != work.key }
      try await reopen(others, &work.changes)
      due = now.adding(max(context.settings.breakerProbe, .seconds(60)))
      wake(.blocked(work.key))
    case .refusal(let error):
      // Nothing was planned: what waits for a change or a person waits on.
      work.confirmedHolds.formUnion(work.holds.map(\.id))
      let parked = park(
        &work, error.cause, basis: "\(error)", reason: "\(work.key): \(error)",
        nextStep: "put right what is named, then: customer-sync parked retry ID")
      guard case .parked(let kind, reason: let why) = parked else { return }
      (state, reason) = (kind, why)
    case .retry(reason: let why, let after, let side, let isServerError):
      (state, reason) = (.retrying, why)
      if hasFailedForTooLong(&work, side, isServerError) {
        try await giveUp(&work, because: why)
        return
      }
      let attempts = work.events.map(\.attempts).max() ?? 0
      due = now.adding(after.map { .seconds($0) } ?? pause(attempts, work))
      context.askedToWait.note(work.key, until: after == nil ? nil : due)
    }
    for event in work.events {
      work.changes.events.append(
        EventOutcome(
          id: event.id, state: state, attempts: event.attempts + (counts ? 1 : 0), dueAt: due, reason: reason, at: now))
    }
    if state == .parked || state == .conflict || state == .held {
      // The reason names values, which reach logs only at trace (rule 24).
      let detail: Logger.Metadata = context.logger.logLevel == .trace ? [LogKey.reason: "\(reason)"] : [:]
      context.logger.warning(
        "work waits for a change or a person; see: customer-sync parked list",
        metadata: detail.merging([LogKey.record: "\(work.key)"]) { $1 })
    }
    _ = try await context.store.commit(work.changes)
    try await release(work)
    if let due { wake(.at(due)) }
    // It was found out to be the side's trouble while this was being parked.
    if state == .parked, Side.allCases.contains(where: { context.gate($0).isToBlame(for: work.key) }) {
      var changes = Changes()
      try await reopen([work.key], &changes)
      if !changes.isEmpty { _ = try await context.store.commit(changes) }
    }
  }

  /// Other records wait for a create whose answer is missing: it isn't put off for long.
  private func pause(_ attempts: Int, _ work: Work) -> Duration {
    let pause = context.settings.backoff(attempts, context.random)
    let isAwaited = work.pushes.create(for: work.key) != nil
    return isAwaited ? min(pause, Self.longestForCreate) : pause
  }

  static let longestForCreate: Duration = .seconds(10)

  private static let mostServerErrors = 5

  /// Whether the unit has failed for 48 hours of that side being up, or with five errors of the side's own while other
  /// records' calls were answered (rule 19).
  private func hasFailedForTooLong(_ work: inout Work, _ side: Side?, _ isServerError: Bool) -> Bool {
    var state = work.state(of: work.troubled, now: now)
    let since = state.failingSince ?? now
    let gate = side.map { context.gate($0) }
    if !isServerError {
      state.serverErrors = 0
    } else if let gate, !gate.isFailing(othersThan: work.own) {
      // Errors that others get as well, as in an outage, say nothing of this record.
      state.serverErrors += 1
    }
    state.failingSince = since
    work.set(state)
    if let gate, state.serverErrors >= Self.mostServerErrors, gate.hasAnswered(othersThan: work.own, since: since) {
      return true
    }
    return now.since(since) - (gate?.closedTime(since: since) ?? .zero) > context.settings.giveUp
  }

  /// After 48 hours of trying, work waits for a person (rule 19).
  private func giveUp(_ work: inout Work, because why: String) async throws(StoreError) {
    let reason = "\(work.key) was tried for too long: \(why)"
    if let create = work.pushes.create(for: work.key) {
      // Nothing looks it up any more: it holds up no other record, and only a person sends it again (rule 12).
      _ = unanswered(create, because: reason, &work)
    } else {
      let hold = hold(
        work, .parked, .gaveUp, row: nil, basis: work.pushBasis ?? why, reason: reason,
        nextStep: "put right what is named, then: customer-sync parked retry ID")
      work.file(hold)
      work.note(.parked, side: work.key.side, rule: hold.cause.rule, reason, at: now)
    }
    if var state = work.records[work.troubled] {
      state.endFailures()
      work.set(state)
    }
    for event in work.events {
      work.changes.events.append(
        EventOutcome(id: event.id, state: .parked, attempts: event.attempts + 1, reason: reason, at: now))
    }
    _ = try await context.store.commit(work.changes)
  }

  /// Records that were parked by what turned out to be their side's trouble wait for the side instead (rule 19).
  private func reopen(_ keys: [RecordKey], _ changes: inout Changes) async throws(StoreError) {
    for key in keys {
      let holds = try await context.store.unit(of: key).holds.filter { $0.cause == .rejected && $0.state == .open }
      guard !holds.isEmpty else { continue }
      changes.closedHolds += holds.map(\.id)
      changes.followUps.append(NewEvent.look(at: key, now: now, context.random))
      wake(.blocked(key))
    }
  }

  // MARK: Parts that the steps share

  /// Makes what was learnt so far durable.
  @discardableResult
  func commit(_ work: inout Work) async throws(Interruption) -> Committed {
    guard !work.changes.isEmpty else { return Committed() }
    do throws(StoreError) {
      let committed = try await context.store.commit(work.changes)
      work.changes = Changes()
      if let id = committed.link { work.link?.id = id }
      return committed
    } catch .claimed where work.link?.id == 0 {
      // A side gave a record that is another link's, or a person was quicker: looked at afresh.
      work.changes = Changes()
      throw .later(
        now.adding(context.settings.confirm), reason: "one of the records to be linked was linked otherwise meanwhile")
    } catch {
      throw .store(error)
    }
  }

  /// One call to a side; trouble becomes an interruption.
  func call<Result: Sendable>(
    _ side: Side, _ work: Work, _ body: (any Connector) async throws(ConnectorError) -> Result
  ) async throws(Interruption) -> Result {
    let gate = context.gate(side)
    if let reason = gate.closedReason { throw .blocked(side, reason: reason) }
    do throws(ConnectorError) {
      return try await gate.call(for: work.key) { () throws(ConnectorError) in
        try await body(context.connector(side))
      }
    } catch {
      throw interruption(for: error, side)
    }
  }

  /// What trouble with a call that wrote nothing means.
  func interruption(for error: ConnectorError, _ side: Side, isPassing: Bool = false) -> Interruption {
    if let reason = context.gate(side).closedReason { return .blocked(side, reason: reason) }
    guard isPassing || error.isPassing else { return .refusal(error) }
    var after: Int?
    if case .refused(_, _, _, _, let seconds) = error { after = seconds }
    return .retry(
      reason: "\(error)", after: after, side: side, isServerError: error.status.map { $0 >= 500 } ?? false)
  }

  /// Files a hold and stops; one that is filed for the same basis stays as it is (rule 20).
  func park(
    _ work: inout Work, _ cause: Hold.Cause, row: PropertyPair? = nil, about key: RecordKey? = nil,
    showing shown: Shown? = nil, basis: String, reason: String, nextStep: String
  ) -> Interruption {
    if let filed = work.holds.first(where: { $0.cause == cause && $0.row == row?.key && $0.basis == basis }) {
      work.confirmedHolds.insert(filed.id)
      closeStaleHolds(&work)
      return filed.state == .discarded ? .parked(.done, reason: reason) : .parked(.parked, reason: reason)
    }
    var filed = hold(work, .parked, cause, row: row, basis: basis, reason: reason, nextStep: nextStep)
    if let key { filed.record = key }
    if let shown { (filed.property, filed.invoiced, filed.pms) = (shown.property, shown.invoiced, shown.pms) }
    work.file(filed)
    work.note(
      .parked, side: work.key.side, property: row?.path(on: work.key.side).description ?? shown?.property,
      rule: cause.rule, reason, at: now)
    return .parked(.parked, reason: reason)
  }

  func hold(
    _ work: Work, _ kind: Hold.Kind, _ cause: Hold.Cause, row: PropertyPair?, basis: String, reason: String,
    nextStep: String
  ) -> Hold {
    var hold = Hold(
      kind: kind, cause: cause, flow: work.link?.flow ?? work.records[work.key]?.flow, record: work.key, basis: basis,
      reason: reason, nextStep: nextStep, at: now)
    hold.link = work.link.flatMap { $0.id == 0 ? nil : $0.id }
    hold.invoicedID = work.link?.invoiced ?? (work.key.side == .invoiced ? work.key.id : nil)
    hold.pmsID = work.link?.pms ?? (work.key.side == .pms ? work.key.id : nil)
    hold.event = work.cause
    if let row {
      hold.row = row.key
      hold.property = row.path(on: work.key.side).description
      if let link = work.link {
        hold.invoiced = work.records[link.key(on: .invoiced)]?.last.flatMap { row.raw(on: .invoiced, in: $0.record) }
        hold.pms = work.records[link.key(on: .pms)]?.last.flatMap { row.raw(on: .pms, in: $0.record) }
      }
    }
    return hold
  }

  /// The property over which a whole record is parked.
  struct Shown {
    var property: String
    var invoiced: JSONValue?
    var pms: JSONValue?
  }

  /// - Parameter path: Where `side` has it.
  func shown(_ path: JSONPath, on side: Side, _ flow: Flow?, _ work: Work) -> Shown {
    guard let row = flow?.properties.first(where: { $0.path(on: side) == path }) else {
      return Shown(property: path.description)
    }
    func value(_ side: Side) -> JSONValue? {
      guard let key = work.link?.key(on: side) ?? (work.key.side == side ? work.key : nil) else { return nil }
      return work.records[key]?.last.flatMap { row.raw(on: side, in: $0.record) }
    }
    return Shown(
      property: row.path(on: work.key.side).description, invoiced: value(.invoiced), pms: value(.pms))
  }
}
