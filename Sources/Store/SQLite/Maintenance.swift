import JSON
import Mapping
import Sync

extension SQLiteStore {
  /// Rows that go in one commit, so that events which come meanwhile don't wait.
  private static let slice = 500

  public func prune(events: Timestamp, history: Timestamp) async throws(StoreError) {
    // Numbers rise with time: a slice that is younger ends the walk.
    var last: Int64? = 0
    while let after = last { last = try await write { try $0.pruneEvents(before: events, after: after, $1) } }
    var isOver = false
    while !isOver {
      isOver = try await write { _, db in
        try db.run(
          "DELETE FROM history WHERE id IN (SELECT id FROM history ORDER BY id LIMIT ?) AND at < ?",
          [.int(Self.slice), .time(history)])
        return db.changesCount < Self.slice
      }
    }
    try await write { _, db in
      try db.run(
        """
        DELETE FROM hold WHERE record IS NULL AND state = 'discarded'
          AND NOT EXISTS (SELECT 1 FROM event WHERE event.id = hold.event)
        """)
      try db.run(
        """
        UPDATE record SET body = NULL, version = NULL, etag = NULL, source = NULL, seen_at = NULL
        WHERE presence = 'gone' AND body IS NOT NULL AND gone_at < ?
        """, [.time(history)])
    }
  }

  public func forget(_ keys: [RecordKey]) async throws(StoreError) {
    guard !keys.isEmpty else { return }
    try await write { try $0.forget(keys, $1) }
    for side in Side.allCases {
      let names = keys.filter { $0.side == side }.map { Token($0.id) }
      var after: Int64? = names.isEmpty ? nil : 0
      while let start = after {
        let (found, next) = try await list { try $0.looseEvents(naming: names, on: side, after: start) }
        if !found.isEmpty {
          try await write { ledger, db in
            for event in found {
              try ledger.remove(event, db)
              try db.run("DELETE FROM hold WHERE event = ? AND record IS NULL", [.int(event.id)])
            }
            try ledger.keepNumbers(db)
          }
        }
        after = next
      }
    }
    try await eraseLog()
  }

  /// Waits until no reader needs the old pages any more and the log is empty.
  private func eraseLog() async throws(StoreError) {
    for _ in 0..<120 {
      let isEmpty = await withCheckedContinuation { continuation in
        writer.truncateLog { continuation.resume(returning: $0) }
      }
      if isEmpty { return }
    }
    throw .unavailable(
      "the data is deleted, but another program still reads the store, so its bytes are in the log; close that program "
        + "(a backup, a shell) and run the command again")
  }
}

extension Ledger {
  private static let slice = 500

  /// Removes what is over of the next slice; returns where the one after it begins, nil at the end.
  fileprivate func pruneEvents(before time: Timestamp, after: Int64, _ db: SQLConnection) throws -> Int64? {
    let rows = try db.all(
      "SELECT id, side, event_id, finished_at, received_at, state, record FROM event WHERE id > ? ORDER BY id LIMIT ?",
      [.int(after), .int(Self.slice)]
    ) { row in
      (
        id: row[0] as Int64, side: try row.needed(row.side(1), "an event"),
        eventID: try row.needed(row.exact(2), "an event"), finished: row.time(3),
        received: try row.needed(row.time(4), "an event"), state: EventState(code: row.number(5)), record: row.id(6)
      )
    }
    var removed = false
    for row in rows {
      guard row.finished ?? row.received < time else { continue }
      if row.finished == nil {
        // What waits for a person stays as long as it is held; what is still to be worked on, always.
        guard let state = row.state, !state.isPending else { continue }
        let isHeld =
          try row.record.map { try db.hasOpenHold(RecordKey(row.side, $0)) } ?? db.hasOpenHold(ofEvent: row.id)
        if isHeld { continue }
      }
      try remove((row.id, row.side, row.eventID), db)
      removed = true
    }
    if removed { try keepNumbers(db) }
    guard let last = rows.last, rows.count == Self.slice, rows.contains(where: { $0.received < time }) else {
      return nil
    }
    return last.id
  }

  fileprivate func forget(_ keys: [RecordKey], _ db: SQLConnection) throws {
    for key in keys {
      let place: [SQLValue] = [.side(key.side), .id(key.id)]
      let column = key.side == .invoiced ? "invoiced" : "pms"
      let open = try pending.candidates(key, db)
      let conditions: [(String, [SQLValue])] = [
        ("id IN (SELECT value FROM json_each(?))", [.numbers(open)]), ("state >= 3", []),
      ]
      for (condition, values) in conditions {
        let events = try db.all(
          "SELECT id, event_id FROM event WHERE \(condition) AND side = ? AND record = ?", values + place
        ) { (id: $0[0] as Int64, eventID: try $0.needed($0.exact(1), "an event")) }
        for event in events { try remove((event.id, key.side, event.eventID), db) }
      }
      try db.run(
        "DELETE FROM push WHERE (side = ? AND source = ?) OR (side = ? AND target = ?)",
        place + [.side(key.side.other), .id(key.id)])
      try db.run("DELETE FROM hold WHERE (side = ? AND record = ?) OR \(column) = ?", place + [.id(key.id)])
      try db.run("DELETE FROM history WHERE \(column) = ?", [.id(key.id)])
      for condition in ["state < 2", "state >= 2"] {
        try db.run("DELETE FROM link WHERE \(condition) AND \(column) = ?", [.id(key.id)])
      }
      try db.run("DELETE FROM record WHERE side = ? AND id = ?", place)
      try markForgotten(key, db)
    }
    try keepNumbers(db)
  }
}

extension SQLConnection {
  /// Of a slice of the events that belong to no record or tell of a merger: those whose bodies name one of `names`;
  /// and where the next slice begins.
  fileprivate func looseEvents(
    naming names: [Token], on side: Side, after: Int64
  ) throws -> (found: [(id: Int64, side: Side, eventID: String)], next: Int64?) {
    let slice = 1000
    var found: [(id: Int64, side: Side, eventID: String)] = []
    let ids = try all(
      """
      SELECT id, event_id, body FROM event
      WHERE (record IS NULL OR kind = 'merged') AND side = ? AND id > ? ORDER BY id LIMIT ?
      """, [.side(side), .int(after), .int(slice)]
    ) { row in
      let id: Int64 = row[0]
      let body = row.bytes(2) ?? []
      if names.contains(where: { $0.occurs(in: body) }) {
        found.append((id, side, try row.needed(row.exact(1), "event \(id)")))
      }
      return id
    }
    return (found, ids.count == slice ? ids.last : nil)
  }
}

/// A record's id as it stands in a JSON text, neither part of a longer word nor of a longer number.
struct Token: Sendable {
  private let bytes: [UInt8]

  init(_ id: RecordID) { bytes = Array(JSONValue.string(id.text).serialized.dropFirst().dropLast()) }

  func occurs(in body: [UInt8]) -> Bool {
    guard let first = bytes.first, body.count >= bytes.count else { return false }
    for start in 0...(body.count - bytes.count) where body[start] == first {
      let end = start + bytes.count
      if start > 0, Self.isWord(body[start - 1]) { continue }
      if end < body.count, Self.isWord(body[end]) { continue }
      if body[start..<end].elementsEqual(bytes) { return true }
    }
    return false
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"), 0x80...:
      true
    default: false
    }
  }
}
