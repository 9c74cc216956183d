import Sync
import Synchronization

/// Sleeps until the next work is due, or until earlier work turns up.
final class DueTimer: Sendable {
  private struct State {
    var brought: Timestamp?
    var sleeper: Task<Void, Never>?
    var until: Timestamp?
  }
  private let state = Mutex(State())
  private let executor: (any TaskExecutor)?

  init(executor: (any TaskExecutor)?) { self.executor = executor }

  func bring(forwardTo time: Timestamp) {
    state.withLock { state in
      if state.brought.map({ time < $0 }) ?? true { state.brought = time }
      if state.until.map({ time < $0 }) ?? true { state.sleeper?.cancel() }
    }
  }

  func wait(until time: Timestamp?, clock: any ServiceClock) async {
    let sleeper = state.withLock { state -> Task<Void, Never> in
      let until = [time, state.brought].compactMap(\.self).min()
      state.brought = nil
      state.until = until
      let span = until.map { max($0.since(clock.now), .milliseconds(1)) } ?? .seconds(3600)
      let task = Task<Void, Never>(executorPreference: executor) { try? await clock.sleep(for: span) }
      state.sleeper = task
      return task
    }
    await withTaskCancellationHandler {
      await sleeper.value
    } onCancel: {
      sleeper.cancel()
    }
  }
}
