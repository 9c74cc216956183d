import Connectors
import JSON
import Mapping
import Store
import Sync

/// Observation: a payload where it is provably the newest, else a fetch (rules 5 and 6).
extension Worker {
  /// Takes what a record's pending events say, and fetches it where they leave a doubt.
  func observe(_ key: RecordKey, _ work: inout Work) async throws(Interruption) {
    var state = work.state(of: key, now: now)
    let flow = work.link.flatMap { context.mapping.flow(named: $0.flow) }
    let paths = flow?.paths(on: key.side) ?? context.mapping.flows.flatMap { $0.paths(on: key.side) }
    var mustFetch = false
    var deletion: StoredEvent?
    var taken: Observation?
    for event in work.events where event.key == key {
      switch event.event.kind {
      case .deleted: deletion = event
      case .merged: mustFetch = true
      case .created, .updated, .seen, .other:
        guard let seen = observation(in: event, of: key) else {
          mustFetch = true
          continue
        }
        var judged = state
        if let taken { judged.last = taken }
        switch Judgement.of(seen, against: judged, paths: paths) {
        case .newest: taken = seen
        case .same, .stale: break
        case .fetch: mustFetch = true
        }
      }
    }
    if mustFetch || deletion != nil {
      try await fetch(key, deletion: deletion, &work)
      return
    }
    if let taken {
      accept(taken, &work)
    } else if work.records[key] == nil {
      state.presence = .unseen
      work.set(state)
    }
  }

  /// What an event's body shows of the record it is about.
  private func observation(in event: StoredEvent, of key: RecordKey) -> Observation? {
    guard !event.event.body.isEmpty, let body = try? JSONValue(parsing: event.event.body),
      let record = context.reader.record(in: body, side: key.side, origin: event.event.origin)
    else { return nil }
    let source: Observation.Source =
      event.event.origin == .backfill || event.event.origin == .reconcile ? .listing : .payload
    let seen = context.connector(key.side).observation(of: record, source: source, at: event.event.receivedAt)
    return seen?.key == key ? seen : nil
  }

  /// The record as it is now; the outcome is in the work.
  func fetch(_ key: RecordKey, deletion: StoredEvent? = nil, _ work: inout Work) async throws(Interruption) {
    let fetched = try await call(key.side, work) { (connector) async throws(ConnectorError) in
      try await connector.fetch(key.id)
    }
    var state = work.state(of: key, now: now)
    switch fetched {
    case .found(let seen):
      if Judgement.of(seen, against: state, paths: []) == .stale {
        if state.presence == .gone { return }
        try await doubt(&state, &work, "\(key) was answered with a version older than one seen before")
        throw park(
          &work, .backInTime, basis: seen.version.map { "\($0.nanoseconds)" } ?? "",
          reason: "\(key) went back in time: the version answered is older than one that was seen",
          nextStep: "if a backup was restored, correct the record there; a newer version is taken up by itself")
      }
      if deletion != nil, isOvertaken(by: seen, deletion) == false {
        try await doubt(&state, &work, "\(key) is said to be deleted and still answers")
      }
      accept(seen, &work)
      work.fresh.insert(key.side)
    case .gone:
      guard state.presence != .gone else { return }
      if deletion == nil {
        guard state.presence == .alive else {
          throw .retry(reason: "\(key) is not there yet", after: nil)
        }
        try await doubt(&state, &work, "\(key) was not found, without an event that says it was deleted")
        try await confirmSideAnswers(key, &work)
      }
      state.presence = .gone
      state.goneAt = goneAt(state, deletion)
      state.doubtSince = nil
      work.set(state)
      work.note(.deleted, side: key.side, rule: 6, "\(key) is gone", at: now)
    }
  }

  /// The first time, looks again after `confirm`; returns when this is the second look.
  private func doubt(_ state: inout RecordState, _ work: inout Work, _ reason: String) async throws(Interruption) {
    guard let since = state.doubtSince else {
      state.doubtSince = now
      work.set(state)
      throw .later(now.adding(context.settings.confirm), reason: reason)
    }
    let due = since.adding(context.settings.confirm)
    if now < due { throw .later(due, reason: reason) }
    state.doubtSince = nil
    work.set(state)
  }

  /// A side that answers 404 for everything is in trouble; its records aren't gone (rule 6).
  private func confirmSideAnswers(_ key: RecordKey, _ work: inout Work) async throws(Interruption) {
    let page = try await call(key.side, work) { (connector) async throws(ConnectorError) in
      try await connector.list(updatedSince: nil, cursor: nil)
    }
    guard let other = page.items.first(where: { $0.key != key }) else { return }
    let seen = try await call(key.side, work) { (connector) async throws(ConnectorError) in
      try await connector.fetch(other.key.id)
    }
    if case .gone = seen {
      throw .retry(reason: "\(key.side.title) answers that records are gone which it lists", after: nil)
    }
  }

  private func isOvertaken(by seen: Observation, _ deletion: StoredEvent?) -> Bool {
    guard let deletion, let version = seen.version,
      let snapshot = observation(in: deletion, of: seen.key)?.version
    else { return false }
    return version > snapshot
  }

  /// By the side's clock: nothing as old as what was seen last, or as the deletion's own snapshot, revives it.
  private func goneAt(_ state: RecordState, _ deletion: StoredEvent?) -> Timestamp {
    let snapshot = deletion.flatMap { observation(in: $0, of: state.key)?.version }
    let newest = [state.last?.version, snapshot].compactMap(\.self).max()
    return newest?.timestamp ?? now.adding(context.connector(state.key.side).clockOffset ?? .zero)
  }

  /// Takes an observation over as the newest.
  func accept(_ seen: Observation, own: Set<String> = [], _ work: inout Work) {
    var state = work.state(of: seen.key, now: now)
    let previous = state.last
    var seen = seen
    if seen.etag == nil, let previous, previous.version != nil, previous.version == seen.version,
      previous.record == seen.record
    {
      seen.etag = previous.etag
    }
    if seen.source == .fetch || seen.source == .answer { state.wasFetched = true }
    state.last = seen
    state.presence = .alive
    state.goneAt = nil
    state.doubtSince = nil
    work.set(state)
    guard var link = work.link, let flow = context.mapping.flow(named: link.flow) else { return }
    Planner.noteEdits(
      &link, flow: flow, previous: previous?.record, now: seen,
      clockOffset: context.connector(seen.key.side).clockOffset ?? .zero, own: own)
    if link != work.link { work.set(link) }
  }
}
