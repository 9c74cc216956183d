import Service
import Sync
import Synchronization

/// A clock that stands until a test moves it: hours pass at once.
final class ManualClock: ServiceClock {
  private struct Sleeper {
    var due: Timestamp
    var continuation: CheckedContinuation<Bool, Never>
  }
  private struct State {
    var now: Timestamp
    var last: UInt64 = 0
    var sleepers: [UInt64: Sleeper] = [:]
    var cancelled: Set<UInt64> = []
  }
  private let state: Mutex<State>

  init(_ start: Timestamp) { state = Mutex(State(now: start)) }

  var now: Timestamp { state.withLock { $0.now } }
  /// How many wait for the time to come.
  var sleeping: Int { state.withLock { $0.sleepers.count } }
  /// When the next of them wakes.
  var next: Timestamp? { state.withLock { $0.sleepers.values.map(\.due).min() } }

  func sleep(for duration: Duration) async throws(CancellationError) {
    let id = state.withLock { state in
      state.last += 1
      return state.last
    }
    let isOver = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let isCancelled = state.withLock { state in
          if state.cancelled.remove(id) != nil { return true }
          state.sleepers[id] = Sleeper(due: state.now.adding(duration), continuation: continuation)
          return false
        }
        if isCancelled { continuation.resume(returning: false) }
      }
    } onCancel: {
      let sleeper = state.withLock { state in
        let sleeper = state.sleepers.removeValue(forKey: id)
        if sleeper == nil { state.cancelled.insert(id) }
        return sleeper
      }
      sleeper?.continuation.resume(returning: false)
    }
    if !isOver { throw CancellationError() }
  }

  /// Moves the time on, and wakes those whose time has come.
  func advance(to time: Timestamp) {
    let due = state.withLock { state in
      state.now = max(state.now, time)
      let due = state.sleepers.filter { $0.value.due <= state.now }
      for id in due.keys { state.sleepers[id] = nil }
      return due.sorted { $0.key < $1.key }.map(\.value.continuation)
    }
    for continuation in due { continuation.resume(returning: true) }
  }
}
