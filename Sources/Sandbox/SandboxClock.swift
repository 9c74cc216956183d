import Glibc
import Synchronization

/// The machine's clock, and how far ahead of it a side's time is.
final class SandboxClock: Sendable {
  private let ahead = Mutex<Int64>(0)

  /// Milliseconds since 1970 UTC.
  var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000 + ahead.withLock { $0 }
  }

  /// Moves the time on, for retries that would take hours.
  func advance(by milliseconds: Int64) { ahead.withLock { $0 += milliseconds } }
}
