import Mapping
import Sync
import Synchronization

/// Records without a counterpart that the workers have had in hand lately, by their match keys. Where both sides get the
/// same customer at once, a search may not show the one that an event has told of: it is asked for by its id then
/// (rule 11).
final class Arrivals: Sendable {
  fileprivate struct State {
    var records: [Push.Claim: [RecordKey: Timestamp]] = [:]
    var claims: [RecordKey: [Push.Claim]] = [:]
    /// Oldest first; an entry that was left or came again since is passed over.
    var order: [(key: RecordKey, at: Timestamp)] = []
  }

  private let state = Mutex(State())
  private static let most = 20_000
  private static let lifetime: Duration = .seconds(600)

  func note(_ key: RecordKey, _ claims: [Push.Claim], at now: Timestamp) {
    state.withLock { state in
      state.remove(key)
      guard !claims.isEmpty else { return }
      for claim in claims { state.records[claim, default: [:]][key] = now }
      state.claims[key] = claims
      state.order.append((key, now))
      let old = now.adding(.zero - Self.lifetime)
      let expired = state.order.prefix { $0.at < old }.count
      let surplus = max(expired, state.order.count - Self.most)
      guard surplus > 0 else { return }
      for (key, at) in state.order.prefix(surplus) where state.isNoted(key, at: at) { state.remove(key) }
      state.order.removeFirst(surplus)
    }
  }

  /// It is linked, kept apart or gone.
  func left(_ key: RecordKey) { state.withLock { $0.remove(key) } }

  /// Those of a side that had such a match key, in a settled order.
  func records(with claim: Push.Claim, on side: Side) -> [RecordKey] {
    state.withLock { ($0.records[claim] ?? [:]).keys.filter { $0.side == side }.sorted { $0.id < $1.id } }
  }
}

extension Arrivals.State {
  fileprivate func isNoted(_ key: RecordKey, at time: Timestamp) -> Bool {
    claims[key]?.first.flatMap { records[$0]?[key] } == time
  }

  fileprivate mutating func remove(_ key: RecordKey) {
    for claim in claims.removeValue(forKey: key) ?? [] {
      records[claim]?[key] = nil
      if records[claim]?.isEmpty ?? false { records[claim] = nil }
    }
  }
}
