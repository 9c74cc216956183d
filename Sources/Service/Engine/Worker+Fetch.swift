import Connectors
import JSON
import Mapping
import Store
import Sync

/// Fetches, and what is to be believed of their answers (rules 5, 6 and 14).
extension Worker {
  /// The record as it is now; the outcome is in the work.
  func fetch(_ key: RecordKey, deletion: StoredEvent? = nil, _ work: inout Work) async throws(Interruption) {
    let fetched = try await call(key.side, work) { (connector) async throws(ConnectorError) in
      try await connector.fetch(key.id)
    }
    switch fetched {
    case .found(let seen): try await found(seen, deletion, &work)
    case .gone: try await missed(key, deletion, &work)
    }
  }

  private func found(_ seen: Observation, _ deletion: StoredEvent?, _ work: inout Work) async throws(Interruption) {
    let key = seen.key
    var state = work.state(of: key, now: now)
    if state.presence == .gone {
      // What is older than the deletion never revives it; what is just as old does, where its link lives on.
      guard !isOlder(seen, than: state, isLinked: work.link?.key(on: key.side) == key) else {
        state.doubtSince = nil
        work.set(state)
        return
      }
      try await doubt(&state, &work, "\(key) answers again, though it was gone")
    } else if Judgement.of(seen, against: state, paths: []) == .stale {
      let basis = seen.version.map { "\($0.nanoseconds)" } ?? ""
      if !work.holds.contains(where: { $0.cause == .backInTime && $0.record == key && $0.basis == basis }) {
        try await doubt(&state, &work, "\(key) was answered with a version older than one seen before")
      }
      throw try await backInTime(seen, basis, &work)
    } else if let deletion, !isOvertaken(by: seen, deletion, &work) {
      try await doubt(&state, &work, "\(key) is said to be deleted and still answers")
    } else if mayLag(seen, state, &work) {
      let wait = min(Self.longestLag, context.settings.confirm)
      try await doubt(&state, &work, "\(key) was answered as it was before the last push to it", for: wait)
    }
    accept(seen, &work)
    work.fresh.insert(key.side)
  }

  private func missed(_ key: RecordKey, _ deletion: StoredEvent?, _ work: inout Work) async throws(Interruption) {
    var state = work.state(of: key, now: now)
    if state.presence == .gone {
      let isApart = key.side == .pms && state.apart != nil
      guard state.doubtSince != nil || isApart else { return }
      state.doubtSince = nil
      // Also one that we deleted is really gone, and not just marked as deleted.
      if isApart { state.apart = nil }
      work.set(state)
      return
    }
    if deletion == nil, !work.pushes.contains(where: { $0.deletes(key) }) {
      guard state.presence == .alive else { throw .retry(reason: "\(key) is not there yet", after: nil) }
      if let merge = try await merge(of: state, work) {
        try await carryOut(merge, &work)
        return
      }
      try await doubt(&state, &work, "\(key) was not found, without an event that says it was deleted")
      try await confirmSideAnswers(key, &work)
      // The 404 may be of before the side answered again.
      let again = try await call(key.side, work) { (connector) async throws(ConnectorError) in
        try await connector.fetch(key.id)
      }
      if case .found(let seen) = again { return try await found(seen, deletion, &work) }
    }
    state.presence = .gone
    state.goneAt = goneAt(state, deletion.flatMap { observation(in: $0, of: key, &work)?.version })
    state.doubtSince = nil
    // What comes under its id later is another record. Invoiced's ids aren't used again, and a merge told late asks
    // whether a person had parted the two.
    if key.side == .pms { state.apart = nil }
    work.set(state)
    work.note(.deleted, side: key.side, rule: 6, "\(key) is gone", at: now)
  }

  /// How long a side that answers from a copy may take to show what was written.
  private static let longestLag: Duration = .seconds(3)

  /// Whether a read may be of before our last push, and no event in hand tells of an edit that would explain it.
  private func mayLag(_ seen: Observation, _ state: RecordState, _ work: inout Work) -> Bool {
    guard let last = state.last, let link = work.link, let flow = context.mapping.flow(named: link.flow) else {
      return false
    }
    let rows = link.rowsFromBefore(seen, last: last, flow: flow)
    guard !rows.isEmpty else { return false }
    var events: [ShownByEvent] = []
    for event in work.events where event.key == seen.key {
      if let shown = shown(event, seen.key, &work) { events.append(shown) }
    }
    return rows.contains { row in !events.contains { $0.shows(row, editedFrom: last.record, to: seen.record) } }
  }

  /// The first time, looks again after `wait`, or else `confirm`; returns when this is the second look.
  private func doubt(
    _ state: inout RecordState, _ work: inout Work, _ reason: String, for wait: Duration? = nil
  ) async throws(Interruption) {
    let wait = wait ?? context.settings.confirm
    guard let since = state.doubtSince else {
      state.doubtSince = now
      work.set(state)
      throw .later(now.adding(wait), reason: reason)
    }
    let due = since.adding(wait)
    if now < due { throw .later(due, reason: reason) }
    state.doubtSince = nil
    work.set(state)
  }

  /// A side that answers 404 for everything is in trouble; its records aren't gone (rule 6).
  private func confirmSideAnswers(_ key: RecordKey, _ work: inout Work) async throws(Interruption) {
    let page: ListPage
    do throws(Interruption) {
      page = try await call(key.side, work) { (connector) async throws(ConnectorError) in
        try await connector.list(updatedSince: nil, cursor: nil)
      }
    } catch {
      guard case .refusal(let refusal) = error else { throw error }
      throw .retry(reason: "\(key) is not found, nor is anything else: \(refusal)", after: nil, side: key.side)
    }
    // One of them may have gone since; not all.
    let others = page.items.lazy.filter { $0.key != key }.prefix(3)
    for other in others {
      let seen = try await call(key.side, work) { (connector) async throws(ConnectorError) in
        try await connector.fetch(other.key.id)
      }
      if case .found = seen { return }
    }
    if !others.isEmpty {
      throw .retry(reason: "\(key.side.title) answers that records are gone which it lists", after: nil, side: key.side)
    }
  }

  private func isOvertaken(by seen: Observation, _ deletion: StoredEvent, _ work: inout Work) -> Bool {
    guard let version = seen.version, let snapshot = observation(in: deletion, of: seen.key, &work)?.version else {
      return false
    }
    return version > snapshot
  }

  /// Whether an observation is of before its record went; `isLinked`: of a link that hasn't ended.
  func isOlder(_ seen: Observation, than state: RecordState, isLinked: Bool) -> Bool {
    guard let version = seen.version, let gone = state.goneAt else { return false }
    return isLinked ? version.timestamp < gone : version.timestamp <= gone
  }

  /// By the side's clock: nothing as old as what was seen last, or as the deletion's own snapshot, revives it.
  func goneAt(_ state: RecordState, _ snapshot: Version? = nil) -> Timestamp {
    let newest = [state.last?.version, snapshot].compactMap(\.self).max()
    return newest?.timestamp ?? now.adding(context.connector(state.key.side).clockOffset ?? .zero)
  }

  // MARK: Back in time

  /// The second look shows it too: parked; and where that happens to many, someone restored a backup (rule 5).
  private func backInTime(_ seen: Observation, _ basis: String, _ work: inout Work) async throws(Interruption)
    -> Interruption
  {
    let key = seen.key
    // Nothing was planned: what waits for a change or a person waits on.
    work.confirmedHolds.formUnion(work.holds.map(\.id))
    let interruption = park(
      &work, .backInTime, about: key, basis: basis,
      reason: "\(key) went back in time: the version answered is older than one that was seen",
      nextStep: "if a backup was restored, correct the record there; a newer version is taken up by itself")
    // First filed, then counted: of those that find it out at once, the last one sees them all.
    try await commit(&work)
    do throws(StoreError) {
      var query = ListQuery()
      query.side = key.side
      query.type = Hold.Cause.backInTime.rawValue
      query.since = now.adding(.zero - context.settings.deletions.window)
      if let text = try await context.store.value(SideGate.restoredName(key.side)),
        let resumed = Timestamp(rfc3339: text)
      {
        query.since = max(resumed, query.since ?? resumed)
      }
      var links = 0
      for flow in context.mapping.flows { links += try await context.store.activeLinks(in: flow.name) }
      let allowed = context.settings.deletions.allowed(links: links)
      query.limit = allowed + 1
      let count = try await context.store.holds(.parked, query).items.count
      guard count > allowed, !context.gate(key.side).isAlarmed else { return interruption }
      let pause = SideGate.Pause(
        byPerson: false,
        reason:
          "\(count) records went back in time, as if a backup had been restored; see customer-sync parked list, then: customer-sync resume \(key.side.rawValue)",
        since: now)
      try await context.store.setValue(pause.kept, for: SideGate.alarmName(key.side))
      context.gate(key.side).raiseAlarm(pause)
    } catch {
      return .store(error)
    }
    return interruption
  }
}
