import GRDB
import JSON
import Mapping
import Sync

/// What a walk over all records asks: the records' own numbers, which rise as records are first stored, so that
/// "seen in this pass" is one bit for each.
extension SQLiteStore {
  public func numbers(of ids: [RecordID], on side: Side) async throws(StoreError) -> [RecordID: Int64] {
    try await list { db in
      var numbers: [RecordID: Int64] = [:]
      for id in ids where numbers[id] == nil {
        numbers[id] = try db.first(
          "SELECT number FROM record WHERE side = ? AND id = ?", [.side(side), .id(id)]
        ) { $0[0] }
      }
      return numbers
    }
  }

  public func newestNumber() async throws(StoreError) -> Int64 {
    try await list { try $0.number("SELECT max(number) FROM record") }
  }

  public func alive(
    on side: Side, after number: Int64, upTo newest: Int64, limit: Int
  ) async throws(StoreError) -> [NumberedRecord] {
    try await list { db in
      try db.all(
        """
        SELECT number, id FROM record
        WHERE number > ? AND number <= ? AND side = ? AND presence = 'alive' ORDER BY number LIMIT ?
        """, [.int(number), .int(newest), .side(side), .int(limit)]
      ) { row in
        NumberedRecord(number: row[0], key: RecordKey(side, try row.needed(row.id(1), "a record without an id")))
      }
    }
  }

  public func pendingEvents(receivedBy time: Timestamp?) async throws(StoreError) -> Int {
    try await list { db in
      guard let time else { return Int(try db.number("SELECT count(*) FROM event WHERE state < 3")) }
      return Int(try db.number("SELECT count(*) FROM event WHERE state < 3 AND received_at <= ?", [.time(time)]))
    }
  }
}
