import Connectors
import Mapping
import Sync
import Synchronization

/// What lets calls through to one side: its concurrency, its rate, its circuit breaker and its pauses (rules 19 and 20).
final class SideGate: Sendable {
  /// Why nothing goes to a side.
  struct Pause: Sendable, Hashable {
    /// A person's pause is lifted by a person only; the service's own is probed and lifts by itself.
    var byPerson: Bool
    var reason: String
    var since: Timestamp
  }

  fileprivate struct State {
    var limits: EngineSettings.SideLimits
    var breakerFailures: Int
    /// Below zero while more calls are under way than a lowered limit allows.
    var free: Int
    var waiters: [CheckedContinuation<Void, Never>] = []
    var personPause: Pause?
    var ownPause: Pause?
    /// The service's own, and for a person to lift: a side that answers may be what is wrong with it (rule 5).
    var alarm: Pause?
    var isOpen = false
    var openedReason = ""
    var openedAt: Timestamp?
    /// Records whose calls failed in a row since the last success.
    var failures: [RecordKey?] = []
    /// The earliest moment for the next call under the rate limit.
    var nextCall: Timestamp?
    var refusals: [(status: Int, record: RecordKey?)] = []
    /// Records that were refused before it turned out to be the side's trouble.
    var explained: [RecordKey] = []
    /// The same, as long as the side is paused over them.
    var blameless: Set<RecordKey> = []
    /// The last answered calls, a few records' each.
    var answered: [(record: RecordKey?, at: Timestamp)] = []
    /// When calls were not let through, oldest first; the last one may go on.
    var closures: [Closure] = []
  }

  /// A span in which nothing went to the side.
  struct Closure: Sendable, Hashable {
    var start: Timestamp
    /// Nil while it goes on.
    var end: Timestamp?
  }

  let side: Side
  private let clock: any ServiceClock
  private let state: Mutex<State>

  init(side: Side, limits: EngineSettings.SideLimits, breakerFailures: Int, clock: any ServiceClock) {
    self.side = side
    self.clock = clock
    state = Mutex(State(limits: limits, breakerFailures: breakerFailures, free: limits.concurrency))
  }

  /// Takes other limits over; calls under way are not touched.
  func replace(limits: EngineSettings.SideLimits, breakerFailures: Int) {
    let next = state.withLock { state in
      state.free += limits.concurrency - state.limits.concurrency
      state.limits = limits
      state.breakerFailures = breakerFailures
      state.nextCall = nil
      return state.admitted()
    }
    for waiter in next { waiter.resume() }
  }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  /// Why calls are not let through now; nil when they are.
  var closedReason: String? {
    state.withLock { state in
      if let pause = state.personPause { return "\(side.title) is paused: \(pause.reason)" }
      if let pause = state.alarm { return "\(side.title) is paused: \(pause.reason)" }
      if let pause = state.ownPause { return "\(side.title) is paused: \(pause.reason)" }
      if state.isOpen { return "\(side.title) is down: \(state.openedReason)" }
      return nil
    }
  }

  var pause: Pause? { state.withLock { $0.personPause ?? $0.alarm ?? $0.ownPause } }
  var isAlarmed: Bool { state.withLock { $0.alarm != nil } }
  var isBreakerOpen: Bool { state.withLock { $0.isOpen } }
  /// Whether a probe can lift what closes the gate.
  var needsProbe: Bool { state.withLock { $0.isOpen || $0.ownPause != nil } }

  func pause(byPerson: Bool, reason: String) {
    change { state in
      let pause = Pause(byPerson: byPerson, reason: reason, since: clock.now)
      if byPerson { state.personPause = pause } else if state.ownPause == nil { state.ownPause = pause }
    }
  }

  /// A person's pause of an earlier run.
  func restore(_ pause: Pause) { change { $0.personPause = pause } }

  /// Pauses the side until a person resumes it.
  func raiseAlarm(_ pause: Pause) { change { $0.alarm = pause } }

  func resume() {
    change { state in
      state.personPause = nil
      state.alarm = nil
      state.reopen()
    }
  }

  // MARK: The time that the side was up

  /// Every change of what closes the gate comes this way, so that the clock of rule 19 can stand meanwhile.
  private func change(_ body: (inout State) -> Void) {
    state.withLock { state in
      body(&state)
      let isClosed = state.isClosed
      let isNoted = state.closures.last.map { $0.end == nil } ?? false
      if isClosed, !isNoted {
        state.closures.append(Closure(start: clock.now, end: nil))
        if state.closures.count > Self.mostClosures { state.closures.removeFirst() }
      } else if !isClosed, isNoted {
        state.closures[state.closures.count - 1].end = clock.now
      }
    }
  }

  private static let mostClosures = 500

  /// How long calls were not let through since a moment.
  func closedTime(since start: Timestamp) -> Duration {
    let now = clock.now
    return state.withLock { state in
      state.closures.reduce(.zero) { sum, closure in
        sum + max((closure.end ?? now).since(max(closure.start, start)), .zero)
      }
    }
  }

  /// The closures as the store keeps them over a restart; one that goes on ends now, since nothing is known of later.
  var keptClosures: String {
    let now = clock.now
    return state.withLock { state in
      state.closures.map { "\($0.start.milliseconds)-\(($0.end ?? now).milliseconds)" }.joined(separator: " ")
    }
  }

  func restore(closures kept: String) {
    let earlier = kept.split(separator: " ").compactMap { text -> Closure? in
      let parts = text.split(separator: "-").compactMap { Int64($0) }
      guard parts.count == 2 else { return nil }
      return Closure(start: Timestamp(milliseconds: parts[0]), end: Timestamp(milliseconds: parts[1]))
    }
    state.withLock { $0.closures = earlier + $0.closures }
  }

  static func closuresName(_ side: Side) -> String { "closures \(side.rawValue)" }

  /// Whether calls for other records were answered since a moment.
  func hasAnswered(othersThan records: [RecordKey], since start: Timestamp) -> Bool {
    state.withLock { state in
      state.answered.contains { answer in
        answer.at >= start && answer.record.map { !records.contains($0) } ?? false
      }
    }
  }

  /// Whether calls for others failed since the last one that was answered.
  func isFailing(othersThan records: [RecordKey]) -> Bool {
    state.withLock { state in
      state.failures.contains { record in record.map { !records.contains($0) } ?? true }
    }
  }

  /// Records that were refused, and perhaps parked, by what turned out to be the side's trouble; told once.
  func takeExplained() -> [RecordKey] {
    state.withLock { state in
      defer { state.explained = [] }
      return state.explained
    }
  }

  /// Whether the side is paused over refusals of which this record's was one.
  func isToBlame(for record: RecordKey) -> Bool { state.withLock { $0.blameless.contains(record) } }

  /// A probe was answered: the breaker closes and the service's own pause lifts.
  func probed() { change { $0.reopen() } }

  /// Statuses by which a side answers that a record isn't as we knew it: no trouble of the side's.
  static let ofVersions: Set<Int> = [409, 412]
  /// The same, or that it isn't there.
  static let ofRecords = ofVersions.union([404, 410])

  /// Runs one call when there is room; the outcome feeds the breaker.
  /// - Parameter own: Statuses that speak of the record and not of the side. A search, a listing or a create finds no
  ///   record missing: a 404 there is a refusal as any other.
  func call<Result: Sendable>(
    for record: RecordKey?, own: Set<Int> = ofVersions, _ body: () async throws(ConnectorError) -> Result
  ) async throws(ConnectorError) -> Result {
    await enter()
    defer { leave() }
    await keepRate()
    do throws(ConnectorError) {
      let result = try await body()
      change { state in
        state.failures = []
        // That a record isn't there may be one more word of a side that has lost everything.
        if case .gone? = result as? Fetched {} else { state.refusals = [] }
        state.answered.removeAll { $0.record == record }
        state.answered.append((record, clock.now))
        if state.answered.count > 4 { state.answered.removeFirst() }
      }
      return result
    } catch {
      note(error, record, own)
      throw error
    }
  }

  private func enter() async {
    await withCheckedContinuation { continuation in
      let entered = state.withLock { state in
        if state.free > 0 {
          state.free -= 1
          return true
        }
        state.waiters.append(continuation)
        return false
      }
      if entered { continuation.resume() }
    }
  }

  private func leave() {
    let next = state.withLock { state in
      state.free += 1
      return state.admitted()
    }
    for waiter in next { waiter.resume() }
  }

  private func keepRate() async {
    let now = clock.now
    let wait = state.withLock { state -> Duration in
      guard let rate = state.limits.rate, rate > 0 else { return .zero }
      let start = max(state.nextCall ?? now, now)
      state.nextCall = start.adding(.seconds(1 / rate))
      return start.since(now)
    }
    if wait > .zero { try? await clock.sleep(for: wait) }
  }

  private func note(_ error: ConnectorError, _ record: RecordKey?, _ own: Set<Int>) {
    switch error {
    case .cancelled, .unreadable, .tooLarge, .unsendable, .overtaken: return
    case .refused(_, let status, _, _, _) where status == 401 || status == 402:
      pause(byPerson: false, reason: "\(error); check its credentials, then it is tried again by itself")
    case .refused(_, let status, _, _, _) where !ConnectorError.passes(status):
      if !own.contains(status) { noteRefusal(status, error, record) }
    case .notSent, .unanswered, .refused:
      change { state in
        state.failures.append(record)
        // One poisonous record is no outage (rule 19).
        guard state.failures.count >= state.breakerFailures,
          Set(state.failures).count >= min(3, state.breakerFailures)
        else { return }
        if !state.isOpen { state.openedAt = clock.now }
        state.isOpen = true
        state.openedReason = "\(error)"
      }
    }
  }

  /// The same refusal for that many different records in a row is the side's trouble, not theirs (rule 19).
  private func noteRefusal(_ status: Int, _ error: ConnectorError, _ record: RecordKey?) {
    change { state in
      if let last = state.refusals.last, last.status != status { state.refusals = [] }
      guard !state.refusals.contains(where: { $0.record == record }) else { return }
      state.refusals.append((status, record))
      guard state.refusals.count >= state.breakerFailures else { return }
      state.ownPause = Pause(
        byPerson: false, reason: "\(state.refusals.count) records in a row were refused: \(error)", since: clock.now)
      state.explained = state.refusals.compactMap(\.record)
      state.blameless.formUnion(state.explained)
      state.refusals = []
    }
  }
}

extension SideGate.State {
  fileprivate var isClosed: Bool { personPause != nil || alarm != nil || ownPause != nil || isOpen }

  /// Those that there is room for now.
  fileprivate mutating func admitted() -> [CheckedContinuation<Void, Never>] {
    guard free > 0, !waiters.isEmpty else { return [] }
    let next = Array(waiters.prefix(free))
    waiters.removeFirst(next.count)
    free -= next.count
    return next
  }

  fileprivate mutating func reopen() {
    ownPause = nil
    isOpen = false
    openedAt = nil
    openedReason = ""
    failures = []
    refusals = []
    blameless = []
  }
}
