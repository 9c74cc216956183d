import Mapping
import Sync

/// What the configuration says of the engine (contract section 3).
public struct EngineSettings: Sendable {
  public struct SideLimits: Sendable {
    public var concurrency: Int
    /// Calls a second; nil for no limit.
    public var rate: Double?

    public init(concurrency: Int, rate: Double? = nil) {
      self.concurrency = concurrency
      self.rate = rate
    }
  }

  public var invoiced = SideLimits(concurrency: 4)
  public var pms = SideLimits(concurrency: 8)
  public var retryFirst: Duration = .seconds(1)
  public var retryMost: Duration = .seconds(15 * 60)
  public var giveUp: Duration = .seconds(48 * 3600)
  public var breakerFailures = 5
  public var breakerProbe: Duration = .seconds(10)
  public var deletions = DeletionLimits()
  public var loopPushes = 20
  public var loopWindow: Duration = .seconds(600)
  public var confirm: Duration = .seconds(60)
  public var reconcileEvery: Duration = .seconds(300)
  public var reconcileFull: Duration = .seconds(86_400)
  public var keepEvents: Duration = .seconds(30 * 86_400)
  public var keepHistory: Duration = .seconds(365 * 86_400)

  public init() {}

  /// How long to wait after that many attempts: exponential, with full jitter (rule 19).
  func backoff(_ attempts: Int, _ random: RandomSource) -> Duration {
    let most = min(retryFirst * (1 << min(attempts, 20)), retryMost)
    return max(most * random.fraction(), .milliseconds(10))
  }

  func limits(_ side: Side) -> SideLimits { side == .invoiced ? invoiced : pms }
}
