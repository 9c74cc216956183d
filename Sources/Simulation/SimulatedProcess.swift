import Service
import Sync
import Synchronization

/// One run of the service, from its start until it is stopped or killed.
///
/// Killing it cuts it off: whatever it waits for ends at once, and nothing that it still does on its way out reaches
/// the store, a side or a sender. From outside that is a crash, and its memory is given back all the same.
final class SimulatedProcess: Sendable {
  private struct State: Sendable {
    var isOver = false
    var waiting: [Int: @Sendable () -> Void] = [:]
    var last = 0
  }
  private let state = Mutex(State())

  var isOver: Bool { state.withLock { $0.isOver } }

  func kill() {
    let waiting = state.withLock { state in
      state.isOver = true
      defer { state.waiting = [:] }
      return state.waiting.sorted { $0.key < $1.key }
    }
    for (_, end) in waiting { end() }
  }

  /// Waits for a value that `begin` arranges to be given; nil when the process, or the task, is ended before.
  func wait<Value: Sendable>(_ begin: (Waiter<Value>) -> Void) async -> Value? {
    let waiter = Waiter<Value>()
    let number = state.withLock { state -> Int? in
      if state.isOver { return nil }
      state.last += 1
      state.waiting[state.last] = { waiter.resume(nil) }
      return state.last
    }
    guard let number else { return nil }
    begin(waiter)
    let value = await withTaskCancellationHandler {
      await waiter.value()
    } onCancel: {
      waiter.resume(nil)
    }
    state.withLock { _ = $0.waiting.removeValue(forKey: number) }
    return value
  }
}

/// Something that one task waits for; the first value that is given counts.
final class Waiter<Value: Sendable>: Sendable {
  private enum State {
    case idle
    case waiting(UnsafeContinuation<Value?, Never>)
    case given(Value?)
    case taken
  }
  private let state = Mutex(State.idle)

  func resume(_ value: Value?) {
    let continuation = state.withLock { state -> UnsafeContinuation<Value?, Never>? in
      switch state {
      case .idle: state = .given(value)
      case .waiting(let continuation):
        state = .taken
        return continuation
      case .given, .taken: break
      }
      return nil
    }
    continuation?.resume(returning: value)
  }

  func value() async -> Value? {
    await withUnsafeContinuation { continuation in
      let given = state.withLock { state -> Value?? in
        if case .given(let value) = state {
          state = .taken
          return .some(value)
        }
        state = .waiting(continuation)
        return nil
      }
      if let given { continuation.resume(returning: given) }
    }
  }
}

/// The time of a simulation, as one run of the service sees it.
struct SimulatedClock: ServiceClock {
  let timeline: Timeline
  let process: SimulatedProcess

  var now: Timestamp { Timestamp(milliseconds: timeline.now) }

  func sleep(for duration: Duration) async throws(CancellationError) {
    let (seconds, attoseconds) = duration.components
    let span = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    let due = timeline.now + max(1, span)
    let (timeline, box) = (timeline, Box())
    let elapsed: Bool? = await process.wait { waiter in
      box.token.withLock { $0 = timeline.schedule(at: due) { waiter.resume(true) } }
    }
    if elapsed == nil {
      timeline.cancel(box.token.withLock { $0 })
      throw CancellationError()
    }
  }

  private final class Box: Sendable {
    let token = Mutex(0)
  }
}
