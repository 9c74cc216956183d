import JSON
import Mapping
import Sync
import Synchronization

extension Judge {
  /// Whether a row of a pair shows Invoiced's edit and not the PMS's later one, though `conflict` is `pms`: whether the
  /// two met or came one after the other, the later one stands, and only a write on a stale read loses it (rules 8 and 18).
  /// Told only of values that nobody had entered before: a former value after an unanswered write counts as not taken
  /// (rule 12).
  /// - Parameter linkedAt: Before it, `on_link` decides.
  func isOverwritten(_ row: PropertyPair, _ records: [Side: JSONValue], linkedAt: Int64) -> Bool {
    guard prefersPMS, isSteady(row), let invoiced = records[.invoiced], let pms = records[.pms] else { return false }
    return state.withLock { state in
      guard let older = state.entered[Self.name(invoiced, .invoiced)]?[row.path(on: .invoiced).description],
        let newer = state.entered[Self.name(pms, .pms)]?[row.path(on: .pms).description],
        linkedAt <= older.at, older.at <= newer.at,
        let lost = try? row.canonical(on: .invoiced, raw: older.raw),
        let won = try? row.canonical(on: .pms, raw: newer.raw), won != lost, !won.isNothing,
        let shown = try? row.canonical(on: .pms, raw: row.raw(on: .pms, in: pms))
      else { return false }
      let entries = (state.known[row.key] ?? []).count { entry in
        (try? row.canonical(on: entry.side, raw: entry.raw)) == won
      }
      return entries == 1 && (shown == lost || shown.isNear(to: lost)) && shown != won && !shown.isNear(to: won)
    }
  }
}
