import JSON
import Mapping

/// Parks a property that is pushed to and fro between the two sides (rule 20).
public struct LoopGuard: Sendable, Hashable {
  /// How many pushes of one property that repeat or answer ours are borne within `window`.
  public var pushes: Int
  public var window: Duration
  public var now: Timestamp

  public init(pushes: Int, window: Duration, now: Timestamp) {
    self.pushes = pushes
    self.window = window
    self.now = now
  }

  /// Whether a push repeats the value that was pushed last, or answers a change seen on its source after our own push
  /// there. A one-way stream of new values never does.
  public func counts(_ sent: JSONValue, of row: PropertyPair, to side: Side, _ link: Link) -> Bool {
    guard let last = link.writes.last(where: { $0.row == row.key }) else { return false }
    return last.side == side.other || row.same(last.sent, sent, on: side)
  }

  func isExceeded(of row: PropertyPair, _ link: Link) -> Bool { recent(link.loops[row.key]).count >= pushes }

  /// Notes that such a push was made.
  public func note(_ row: PropertyPair, _ link: inout Link) {
    link.loops[row.key] = recent(link.loops[row.key]).suffix(max(pushes, 1) - 1) + [now]
  }

  private func recent(_ times: [Timestamp]?) -> [Timestamp] {
    (times ?? []).filter { now.since($0) < window }
  }
}
