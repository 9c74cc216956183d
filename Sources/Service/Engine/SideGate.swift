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
    var isOpen = false
    var openedReason = ""
    var openedAt: Timestamp?
    /// Records whose calls failed in a row since the last success.
    var failures: [RecordKey?] = []
    /// The earliest moment for the next call under the rate limit.
    var nextCall: Timestamp?
    var refusals: [(status: Int, record: RecordKey?)] = []
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

  var isClosed: Bool { state.withLock { $0.personPause != nil || $0.ownPause != nil || $0.isOpen } }

  /// Why calls are not let through now; nil when they are.
  var closedReason: String? {
    state.withLock { state in
      if let pause = state.personPause { return "\(side.title) is paused: \(pause.reason)" }
      if let pause = state.ownPause { return "\(side.title) is paused: \(pause.reason)" }
      if state.isOpen { return "\(side.title) is down: \(state.openedReason)" }
      return nil
    }
  }

  /// Whether calls are not let through now.
  var isClosed: Bool { state.withLock { $0.isOpen || $0.personPause != nil || $0.ownPause != nil } }

  var pause: Pause? { state.withLock { $0.personPause ?? $0.ownPause } }
  var isBreakerOpen: Bool { state.withLock { $0.isOpen } }
  /// Whether a probe can lift what closes the gate.
  var needsProbe: Bool { state.withLock { $0.isOpen || $0.ownPause != nil } }

  func pause(byPerson: Bool, reason: String) {
    state.withLock { state in
      let pause = Pause(byPerson: byPerson, reason: reason, since: clock.now)
      if byPerson { state.personPause = pause } else if state.ownPause == nil { state.ownPause = pause }
    }
  }

  /// A person's pause of an earlier run.
  func restore(_ pause: Pause) { state.withLock { $0.personPause = pause } }

  func resume() {
    state.withLock { state in
      state.personPause = nil
      state.reopen()
    }
  }

  /// A probe was answered: the breaker closes and the service's own pause lifts.
  func probed() { state.withLock { $0.reopen() } }

  /// Runs one call when there is room; the outcome feeds the breaker.
  func call<Result: Sendable>(
    for record: RecordKey?, _ body: () async throws(ConnectorError) -> Result
  ) async throws(ConnectorError) -> Result {
    await enter()
    defer { leave() }
    await keepRate()
    do throws(ConnectorError) {
      let result = try await body()
      state.withLock {
        $0.failures = []
        $0.refusals = []
      }
      return result
    } catch {
      note(error, record)
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

  private func note(_ error: ConnectorError, _ record: RecordKey?) {
    switch error {
    case .cancelled, .unreadable: return
    case .refused(_, let status, _, _, _) where status == 401 || status == 402:
      pause(byPerson: false, reason: "\(error); check its credentials, then it is tried again by itself")
    case .refused(_, let status, _, _, _) where status < 500 && ![408, 425, 429].contains(status):
      noteRefusal(status, error, record)
    case .notSent, .unanswered, .refused:
      state.withLock { state in
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
    guard ![404, 409, 410, 412].contains(status) else { return }
    state.withLock { state in
      if let last = state.refusals.last, last.status != status { state.refusals = [] }
      guard !state.refusals.contains(where: { $0.record == record }) else { return }
      state.refusals.append((status, record))
      guard state.refusals.count >= state.breakerFailures else { return }
      state.ownPause = Pause(
        byPerson: false, reason: "\(state.refusals.count) records in a row were refused: \(error)", since: clock.now)
      state.refusals = []
    }
  }
}

extension SideGate.State {
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
  }
}
