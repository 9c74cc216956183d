import JSON
import Mapping

/// One property of an update that went unanswered and wasn't seen to be taken, another value being there. It may still be
/// under way, and then falls on what was written since: that is no edit of the target's (rule 12).
public struct LateWrite: Sendable, Hashable {
  public var side: Side
  /// The row's key.
  public var row: String
  public var sent: JSONValue
  public var sentAt: Timestamp
  /// What arrives after this isn't taken for it.
  public var until: Timestamp

  public init(side: Side, row: String, sent: JSONValue, sentAt: Timestamp, until: Timestamp) {
    self.side = side
    self.row = row
    self.sent = sent
    self.sentAt = sentAt
    self.until = until
  }
}

extension Link {
  private static let mostLate = 24

  /// Remembers what may still arrive, and forgets what no longer can.
  public mutating func expect(_ new: [LateWrite], now: Timestamp) {
    // Its event may be told of long after it arrived.
    late.removeAll { now.since($0.until) > .seconds(86_400) || new.contains($0) }
    late += new
    if late.count > Self.mostLate { late.removeFirst(late.count - Self.mostLate) }
  }

  func lateWrites(of row: String, on side: Side) -> [LateWrite] {
    late.isEmpty ? [] : late.filter { $0.row == row && $0.side == side }
  }
}
