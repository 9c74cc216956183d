import CLibevent
import Synchronization

extension EventLoop {
  /// Work that is due later; it runs once, on the loop's thread, unless it is cancelled first.
  ///
  /// Safety of `@unchecked Sendable`: `event` is touched on the loop's thread only; `hasEnded` decides, once, who
  /// calls `completion`.
  public final class Timer: @unchecked Sendable {
    private let loop: EventLoop
    private let deadline: ContinuousClock.Instant
    private let completion: @Sendable (_ elapsed: Bool) -> Void
    private let hasEnded = Atomic<Bool>(false)
    private var event: OpaquePointer?

    init(
      loop: EventLoop, deadline: ContinuousClock.Instant, completion: @Sendable @escaping (_ elapsed: Bool) -> Void
    ) {
      self.loop = loop
      self.deadline = deadline
      self.completion = completion
    }

    /// After this returns the work does not start any more; if it has started, it goes on. From any thread.
    public func cancel() {
      guard claim() else { return }
      completion(false)
      if loop.isCurrentThread { free() } else { loop.execute { self.free() } }
    }

    func start() {
      guard !hasEnded.load(ordering: .acquiring) else { return }
      let fired: event_callback_fn = { _, _, context in
        if let context { Unmanaged<Timer>.fromOpaque(context).takeUnretainedValue().fire() }
      }
      // Unretained: the loop's list holds the timer until its event is freed.
      event = event_new(loop.base, -1, 0, fired, Unmanaged.passUnretained(self).toOpaque())
      loop.timers[ObjectIdentifier(self)] = self
      arm()
    }

    private func arm() {
      var left = timeval(max(.zero, deadline - .now))
      // Without memory for its event a timer would never come: then it ends at once, as cancelled.
      guard let event, event_add(event, &left) == 0 else { return end(elapsed: false) }
    }

    /// libevent reckons with the time at which the present round of callbacks began, and in milliseconds: when it is
    /// early, wait for the rest.
    private func fire() {
      if deadline > .now { arm() } else { end(elapsed: true) }
    }

    func end(elapsed: Bool) {
      let isFirst = claim()
      free()
      if isFirst { completion(elapsed) }
    }

    private func claim() -> Bool { !hasEnded.exchange(true, ordering: .acquiringAndReleasing) }

    private func free() {
      if let event { event_free(event) }
      event = nil
      loop.timers[ObjectIdentifier(self)] = nil
    }
  }

  /// Runs `work` on the loop's thread no earlier than `delay` from now; from any thread.
  @discardableResult
  public func schedule(after delay: Duration, _ work: @Sendable @escaping () -> Void) -> Timer {
    startTimer(after: delay) { elapsed in if elapsed { work() } }
  }

  private func startTimer(after delay: Duration, _ completion: @Sendable @escaping (Bool) -> Void) -> Timer {
    let timer = Timer(loop: self, deadline: .now + delay, completion: completion)
    if isCurrentThread {
      timer.start()
    } else {
      execute { timer.start() }
      // A stopped loop drops the start: nobody else will end it.
      if isClosed { timer.cancel() }
    }
    return timer
  }

  /// The time that timers go by.
  public var now: ContinuousClock.Instant { .now }

  /// Returns no earlier than `duration` from now. Throws when the task is cancelled or the loop is stopped.
  public func sleep(for duration: Duration) async throws(CancellationError) {
    let sleeper = Sleeper()
    let elapsed = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        sleeper.start { startTimer(after: duration) { continuation.resume(returning: $0) } }
      }
    } onCancel: {
      sleeper.cancel()
    }
    if !elapsed { throw CancellationError() }
  }
}

/// A timer that may be cancelled before it exists.
private final class Sleeper: Sendable {
  private let state = Mutex<(timer: EventLoop.Timer?, isCancelled: Bool)>((nil, false))

  func start(_ make: () -> EventLoop.Timer) {
    let timer = make()
    let isCancelled = state.withLock { state in
      state.timer = timer
      return state.isCancelled
    }
    if isCancelled { timer.cancel() }
  }

  func cancel() {
    let timer = state.withLock { state in
      state.isCancelled = true
      return state.timer
    }
    timer?.cancel()
  }
}

extension timeval {
  /// Rounded up to a microsecond.
  package init(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    let microseconds = (attoseconds + 999_999_999_999) / 1_000_000_000_000
    self.init(tv_sec: Int(seconds + microseconds / 1_000_000), tv_usec: Int(microseconds % 1_000_000))
  }
}
