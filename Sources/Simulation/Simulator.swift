import Documents
import Mapping
import Service
import Store
import Sync
import Synchronization

/// What all the days of a simulation share: the service's configuration, and how its endpoints tell events.
struct SimulatedSettings: Sendable {
  let configuration: Configuration
  let endpoints: [Side: EventEndpoint]

  private static let text = """
    mapping: mapping.yaml
    store: sqlite:simulation.db
    breaker: { failures: 5, probe: 30s }
    invoiced:
      url: http://invoiced.simulation
      api_key: sandbox-key
      webhook: { secrets: [sandbox-webhook-secret] }
    pms:
      url: http://pms.simulation
      auth: { type: bearer, token: sandbox-token }
      callback:
        signature: { scheme: standard-webhooks, secrets: ["whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="] }
    """

  init() throws(SimulationError) {
    let (configuration, problems) = Configuration.read(text: Self.text, file: "simulation.yaml", environment: [:])
    guard let configuration else { throw SimulationError(problems.map(\.description).joined(separator: "\n")) }
    do {
      self.configuration = configuration
      endpoints = [
        .invoiced: try EventEndpoint(invoiced: configuration.invoiced), .pms: try EventEndpoint(pms: configuration.pms),
      ]
    } catch {
      throw SimulationError("\(error)")
    }
  }
}

/// Why a simulation can't be run at all.
public struct SimulationError: Error, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}

/// Runs the service through random bad days, each drawn from one seed.
public struct Simulator: Sendable {
  /// How one day went.
  public struct Outcome: Sendable {
    public let seed: UInt64
    public let violation: Violation?
    /// The same for every run of the same seed.
    public let hash: UInt64
    /// Virtual milliseconds that passed.
    public let passed: Int64
    /// Pieces of work that it took.
    public let steps: Int
    /// What happened, line by line, where that was asked for.
    public let lines: [String]
  }

  private let maker: ScenarioMaker
  private let settings: SimulatedSettings
  private let stores = StorePool()

  /// - Parameter variesPolicies: Each day has policies of its own, in place of the mapping's.
  public init(mapping: Mapping, variesPolicies: Bool) throws(SimulationError) {
    guard !mapping.flows.isEmpty else {
      throw SimulationError("the mapping has no flows: there is nothing to simulate\n  next: add a flow")
    }
    var choices = ScenarioMaker.Choices()
    choices.policies = variesPolicies
    maker = ScenarioMaker(mapping: mapping, choices: choices)
    settings = try SimulatedSettings()
  }

  func scenario(_ seed: UInt64) -> Scenario { maker.scenario(seed) }

  public func run(_ seed: UInt64, isRecording: Bool = false) -> Outcome {
    run(maker.scenario(seed), isRecording: isRecording)
  }

  func run(_ scenario: Scenario, isRecording: Bool = false) -> Outcome {
    do {
      let store = try stores.take()
      let day = Day(scenario, settings, store: store, isRecording: isRecording)
      let violation = day.run()
      // Of a day that was broken off, work is left that may still hold the store.
      if violation == nil { stores.giveBack(store) }
      return Outcome(
        seed: scenario.seed, violation: violation, hash: day.trace.hash, passed: day.passed, steps: day.steps,
        lines: day.transcript())
    } catch {
      return Outcome(
        seed: scenario.seed, violation: Violation(invariant: .notAtRest, detail: "the store can't be opened: \(error)"),
        hash: 0, passed: 0, steps: 0, lines: [])
    }
  }
}

/// Stores that days have been through, for the next ones.
private final class StorePool: Sendable {
  private let free = Mutex<[SQLiteStore]>([])

  func take() throws(StoreError) -> SQLiteStore {
    guard let old = free.withLock({ $0.popLast() }) else { return try SQLiteStore(inMemory: { _ in }) }
    return try SQLiteStore(emptying: old)
  }

  func giveBack(_ store: SQLiteStore) { free.withLock { $0.append(store) } }
}

extension Day {
  /// The trace as text, each line with the time since the day's start.
  func transcript() -> [String] {
    trace.lines.map { line in
      let since = line.at - (timeline.now - passed)
      let (seconds, milliseconds) = since.quotientAndRemainder(dividingBy: 1000)
      let padded = String(repeating: "0", count: 3 - "\(milliseconds)".count) + "\(milliseconds)"
      return "\(seconds).\(padded)  \(line.text)"
    }
  }
}
