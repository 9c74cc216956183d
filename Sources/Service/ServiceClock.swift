import Glibc
import Sync

/// Where the engine's time comes from: handed in, so that a simulation can run it on virtual time.
public protocol ServiceClock: Sendable {
  var now: Timestamp { get }
  func sleep(for duration: Duration) async throws(CancellationError)
}

/// The machine's clock.
public struct SystemClock: ServiceClock {
  public init() {}

  public var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  }

  public func sleep(for duration: Duration) async throws(CancellationError) {
    do { try await Task.sleep(for: duration) } catch { throw CancellationError() }
  }
}
