import Sync
import Synchronization

/// Records for which a side answered when to try again (`Retry-After`): no hurry of ours brings that forward.
final class AskedToWait: Sendable {
  private let moments = Mutex<[RecordKey: Timestamp]>([:])

  /// - Parameter until: Nil where the side said nothing.
  func note(_ key: RecordKey, until moment: Timestamp?) { moments.withLock { $0[key] = moment } }

  func holds(_ key: RecordKey, at now: Timestamp) -> Bool {
    moments.withLock { moments in
      guard let moment = moments[key] else { return false }
      if moment <= now { moments[key] = nil }
      return moment > now
    }
  }
}
