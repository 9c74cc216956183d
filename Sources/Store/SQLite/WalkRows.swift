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
    on side: Side, after id: RecordID?, upTo newest: Int64, unless isSeen: @escaping @Sendable (Int64) -> Bool,
    limit: Int
  ) async throws(StoreError) -> [RecordKey] {
    try await list { db in
      var keys: [RecordKey] = []
      // The index over ids has all that is asked of most records; the table has their bodies between.
      try db.each(
        "SELECT number, id FROM record WHERE side = ? AND id > ? ORDER BY id", [.side(side), .id(id ?? RecordID(""))]
      ) { row in
        let number = row[0] as Int64
        guard number <= newest, !isSeen(number) else { return true }
        let isAlive = try db.first("SELECT presence = 'alive' FROM record WHERE number = ?", [.int(number)]) {
          $0.number(0) != 0
        }
        guard isAlive ?? false else { return true }
        keys.append(RecordKey(side, try row.needed(row.id(1), "a record without an id")))
        return keys.count < limit
      }
      return keys
    }
  }

  public func pendingEvents(receivedBy time: Timestamp?) async throws(StoreError) -> Int {
    try await list { db in
      guard let time else { return Int(try db.number("SELECT count(*) FROM event WHERE state < 3")) }
      return Int(try db.number("SELECT count(*) FROM event WHERE state < 3 AND received_at <= ?", [.time(time)]))
    }
  }
}
