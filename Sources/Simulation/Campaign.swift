import Foundation
import Synchronization

/// Many days, on all of the machine's cores, until one fails.
public struct Campaign: Sendable {
  private let simulator: Simulator

  public init(_ simulator: Simulator) { self.simulator = simulator }

  public struct Result: Sendable {
    public var days = 0
    /// Virtual milliseconds.
    public var passed: Int64 = 0
    /// Of all that happened: the same wherever the same days are run.
    public var hash: UInt64 = 0
    /// The failing day with the lowest seed, as short as it could be made.
    public var failure: FailedDay?

    /// One line.
    public func summary(_ took: Duration) -> String {
      let seconds = max(0.001, Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18)
      let simulated = Double(passed) / 86_400_000
      let speed = String(format: "%.0f seeds/s, %.1f simulated days/s", Double(days) / seconds, simulated / seconds)
      let seeds = days == 1 ? "1 seed" : "\(days) seeds"
      guard let failure else {
        return "\(seeds) converged (\(speed); trace \(String(format: "%016llx", hash)))"
      }
      return "seed \(failure.seed) failed, after \(seeds) (\(speed))"
    }
  }

  private struct State {
    var next: UInt64
    var result = Result()
    var failed: UInt64?
    var running: Int
  }

  /// Runs `count` days from seed `first` on; `finished` is told how many are done, from any thread.
  public func run(
    from first: UInt64, count: Int, finished: @escaping @Sendable (Int) -> Void
  ) async -> Result {
    let threads = min(count, ProcessInfo.processInfo.activeProcessorCount)
    let (simulator, end) = (simulator, first + UInt64(count))
    let state = Shared(State(next: first, running: threads))
    var result = await withCheckedContinuation { continuation in
      for _ in 0..<threads {
        // Threads of their own: each steps an executor of its own, and the pool's threads are for tasks.
        let thread = Thread {
          while let seed = state.take(before: end) {
            let outcome = simulator.run(seed)
            finished(state.note(outcome))
          }
          if let result = state.leave() { continuation.resume(returning: result) }
        }
        thread.stackSize = 16 << 20
        thread.start()
      }
    }
    if let seed = state.failed { result.failure = await FailedDay.shortest(of: seed, simulator) }
    return result
  }

  private final class Shared: Sendable {
    private let state: Mutex<State>
    init(_ state: State) { self.state = Mutex(state) }

    var failed: UInt64? { state.withLock { $0.failed } }

    /// The next seed; none when one has failed that comes before it.
    func take(before end: UInt64) -> UInt64? {
      state.withLock { state in
        guard state.next < end, state.failed == nil else { return nil }
        defer { state.next += 1 }
        return state.next
      }
    }

    func note(_ outcome: Simulator.Outcome) -> Int {
      state.withLock { state in
        state.result.days += 1
        state.result.hash ^= outcome.hash &* (outcome.seed | 1)
        state.result.passed += outcome.passed
        if outcome.violation != nil { state.failed = min(state.failed ?? outcome.seed, outcome.seed) }
        return state.result.days
      }
    }

    /// The result, for the last one that leaves.
    func leave() -> Result? {
      state.withLock { state in
        state.running -= 1
        return state.running == 0 ? state.result : nil
      }
    }
  }
}

/// A day that broke an invariant.
public struct FailedDay: Sendable {
  public let seed: UInt64
  public let violation: Violation
  public let lines: [String]

  /// What is printed of it; `command` runs the day again.
  public func report(again command: String) -> String {
    """
    seed \(seed) breaks \(violation)

    \(lines.joined(separator: "\n"))

    \(violation)
    Run it again with: \(command)

    """
  }

  /// The day of a seed, with everything left out that it fails without.
  static func shortest(of seed: UInt64, _ simulator: Simulator) async -> FailedDay? {
    await withCheckedContinuation { continuation in
      let thread = Thread {
        let whole = simulator.scenario(seed)
        guard let violation = simulator.run(whole).violation else { return continuation.resume(returning: nil) }
        #if SABOTAGE
          return continuation.resume(returning: FailedDay(seed: seed, violation: violation, lines: []))
        #else
          var shrinker = Shrinker { simulator.run($0) }
          let short = shrinker.shrink(whole, breaking: violation.invariant)
          let outcome = simulator.run(short, isRecording: true)
          continuation.resume(
            returning: FailedDay(seed: seed, violation: outcome.violation ?? violation, lines: outcome.lines))
        #endif
      }
      thread.stackSize = 16 << 20
      thread.start()
    }
  }
}
