import Mapping
import Sync

/// Events that wait for a person: they end with the holds that they wait for.
extension SQLConnection {
  /// Makes the events done that `holds` (closed, or discarded) or the work on `records` left open.
  func finishEvents(of holds: [Hold], _ records: [RecordKey], at time: Timestamp?) throws {
    var keys = Set(records)
    for hold in holds {
      if let record = hold.record {
        keys.insert(record)
      } else if let event = hold.event {
        try run(Self.finishing + "id = ?", [.time(time), .int(event)])
      }
      if let id = hold.invoicedID { keys.insert(RecordKey(.invoiced, id)) }
      if let id = hold.pmsID { keys.insert(RecordKey(.pms, id)) }
    }
    for key in keys where try hasOpenEvents(key) {
      if try hasOpenHold(key) { continue }
      try run(
        Self.finishing + "side = ? AND record = ?",
        [.time(time), .side(key.side), .id(key.id)])
    }
  }

  private static let finishing = """
    UPDATE event SET state = \(EventState.done.code), finished_at = ifnull(?, received_at)
    WHERE state >= 5 AND 
    """

  private func hasOpenEvents(_ key: RecordKey) throws -> Bool {
    try first(
      "SELECT 1 FROM event WHERE state >= 5 AND side = ? AND record = ? LIMIT 1",
      [.side(key.side), .id(key.id)]
    ) { _ in true } ?? false
  }

  /// Whether a hold is open that is filed under the record, its link, or the record that it is linked with.
  func hasOpenHold(_ key: RecordKey) throws -> Bool {
    let column = key.side == .invoiced ? "invoiced" : "pms"
    let link = try first(
      "SELECT \(Link.columns) FROM link WHERE \(column) = ? AND state < 2", [.id(key.id)], Link.init)
    let ids = Side.allCases.map { side in link?.key(on: side).id ?? (key.side == side ? key.id : nil) }
    return try first(
      """
      SELECT 1 FROM hold WHERE state = 'open' AND id IN (
        SELECT id FROM hold WHERE side = \(Side.invoiced.code) AND record = ?
        UNION ALL SELECT id FROM hold WHERE side = \(Side.pms.code) AND record = ?
        UNION ALL SELECT id FROM hold WHERE link = ?) LIMIT 1
      """, [.id(ids[0]), .id(ids[1]), .int(link?.id)]
    ) { _ in true } ?? false
  }

  /// Of an event that can't be read.
  func hasOpenHold(ofEvent id: Int64) throws -> Bool {
    try first("SELECT 1 FROM hold WHERE state = 'open' AND record IS NULL AND event = ?", [.int(id)]) { _ in true }
      ?? false
  }
}

extension Changes {
  /// When what they tell of happened, as far as they say.
  var latest: Timestamp? {
    (events.map(\.at) + followUps.map(\.receivedAt) + history.map(\.at) + holds.map(\.at)).max()
  }
}
