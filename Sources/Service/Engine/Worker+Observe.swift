import Connectors
import JSON
import Mapping
import Store
import Sync

/// Observation: a payload where it is provably the newest, else a fetch (rule 5).
extension Worker {
  /// Takes what a record's pending events say, and fetches it where they leave a doubt.
  func observe(_ key: RecordKey, _ work: inout Work) async throws(Interruption) {
    var state = work.state(of: key, now: now)
    let flow = work.link.flatMap { context.mapping.flow(named: $0.flow) }
    let paths = flow?.paths(on: key.side) ?? context.mapping.flows.flatMap { $0.paths(on: key.side) }
    var mustFetch = false
    var deletion: StoredEvent?
    var taken: Observation?
    var shown: [Observation] = []
    for event in work.events where event.key == key {
      switch event.event.kind {
      case .deleted: deletion = event
      case .merged:
        mustFetch = true
        // It shows the survivor whole: one that is gone since was there.
        if state.last == nil, taken == nil { taken = observation(in: event, of: key, &work) }
      case .created, .updated, .seen, .other:
        guard let seen = observation(in: event, of: key, &work) else {
          mustFetch = true
          continue
        }
        shown.append(seen)
        var judged = state
        if let taken { judged.last = taken }
        switch Judgement.of(seen, against: judged, paths: paths) {
        case .newest: taken = seen
        case .stale
        where state.presence == .gone && !isOlder(seen, than: state, isLinked: work.link?.key(on: key.side) == key):
          // Its link isn't over: perhaps it is back.
          mustFetch = true
        case .same, .stale: break
        case .fetch: mustFetch = true
        }
      }
    }
    if work.link != nil { work.shown += shown.sorted { $0.isEarlier(than: $1) } }
    if mustFetch || deletion != nil {
      if let taken, state.presence == .unseen { accept(taken, &work) }
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
  func observation(in event: StoredEvent, of key: RecordKey, _ work: inout Work) -> Observation? {
    guard let body = work.body(of: event),
      let record = context.reader.record(in: body, side: key.side, origin: event.event.origin)
    else { return nil }
    let source: Observation.Source =
      event.event.origin == .backfill || event.event.origin == .reconcile ? .listing : .payload
    let seen = context.connector(key.side).observation(of: record, source: source, at: event.event.receivedAt)
    return seen?.key == key ? seen : nil
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
      shown: work.shown.filter { $0.isBetween(previous, seen) }.reversed(),
      clockOffset: context.connector(seen.key.side).clockOffset ?? .zero, own: own)
    if link != work.link { work.set(link) }
  }
}

extension Observation {
  fileprivate func isEarlier(than other: Observation) -> Bool {
    if let version, let its = other.version, version != its { return version < its }
    return seenAt < other.seenAt
  }

  /// Whether it is of the time after one observation and not after another one of the same record.
  fileprivate func isBetween(_ earlier: Observation?, _ later: Observation) -> Bool {
    guard key == later.key else { return false }
    if let version, let last = later.version {
      return version <= last && (earlier?.version.map { version >= $0 } ?? true)
    }
    return version == nil && later.version == nil && seenAt <= later.seenAt
      && (earlier.map { seenAt >= $0.seenAt } ?? true)
  }
}
