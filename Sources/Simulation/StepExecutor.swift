import Sandbox
import SeededRandom
import Synchronization

/// Runs every job of a simulation, one after another, each time one that the seed chooses among those that are ready.
final class StepExecutor: TaskExecutor, SerialExecutor {
  private struct State: Sendable {
    var ready: [UnownedJob] = []
    var generator: SeededGenerator
    var steps = 0
  }
  private let state: Mutex<State>

  init(generator: SeededGenerator) { state = Mutex(State(generator: generator)) }

  /// How many jobs have run.
  var steps: Int { state.withLock { $0.steps } }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { $0.ready.append(job) }
  }

  /// Runs one job to its next suspension; false when none is ready.
  func step() -> Bool {
    let next = state.withLock { state -> UnownedJob? in
      guard !state.ready.isEmpty else { return nil }
      state.steps += 1
      let index = Int(state.generator.next() % UInt64(state.ready.count))
      state.ready.swapAt(index, state.ready.count - 1)
      return state.ready.removeLast()
    }
    guard let next else { return false }
    next.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    return true
  }
}
