import GRDB
import Mapping

/// Finds the stored event that a sender's event id belongs to.
///
/// An index over ids in random order costs a page of the log for each event. So the newest are kept in memory, and in a
/// table to which rows are only ever added; from there they go to the big index sorted, a few with each commit, so that
/// neighbours share a page.
final class EventIndex {
  /// The newest events that are kept in memory; fills a dictionary without making it grow once more.
  private let capacity: Int
  private let hash: SipHash
  /// Events that came since the last move began.
  private var recent: [Int64: Int64] = [:]
  /// Events on their way to the big index.
  private var moving: [Int64: Int64] = [:]
  /// The hashes of `moving`, ascending, and how many of them are through.
  private var order: [Int64] = []
  private var moved = 0
  /// The newest event of the last move while its rows are being cleared away; 0 when they are.
  private var clearing: Int64 = 0
  private var undo: [Undo] = []

  private enum Undo {
    case added(Int64)
    case removedRecent(Int64, Int64)
    case removedMoving(Int64, Int64)
    case moved(from: Int)
    case cleared(Int64)
  }

  init(_ db: Database, hash: SipHash, capacity: Int = 49_152) throws {
    self.hash = hash
    self.capacity = capacity
    try db.each("SELECT hash, id FROM recent_event", []) { row in
      recent[row[0]] = row[1]
      return true
    }
  }

  func find(_ side: Side, _ eventID: String, _ db: Database) throws -> Int64? {
    let key = hash.event(side, eventID)
    if let id = recent[key] ?? moving[key], try isEvent(id, side, eventID, db) { return id }
    let known = try db.all("SELECT id FROM known_event WHERE hash = ?", [.int(key)]) { $0[0] as Int64 }
    return try known.first { try isEvent($0, side, eventID, db) }
  }

  /// Takes in an event that `find` didn't.
  func add(_ side: Side, _ eventID: String, id: Int64, _ db: Database) throws {
    let key = hash.event(side, eventID)
    if recent[key] != nil || moving[key] != nil {
      try db.run(Self.insertKnown, [.int(key), .int(id)])
      return
    }
    try db.run("INSERT INTO recent_event(id, hash) VALUES(?, ?)", [.int(id), .int(key)])
    recent[key] = id
    undo.append(.added(key))
  }

  func remove(_ side: Side, _ eventID: String, id: Int64, _ db: Database) throws {
    let key = hash.event(side, eventID)
    if recent[key] == id {
      recent[key] = nil
      undo.append(.removedRecent(key, id))
    } else if moving[key] == id {
      moving[key] = nil
      undo.append(.removedMoving(key, id))
    }
    try db.run("DELETE FROM recent_event WHERE id = ?", [.int(id)])
    try db.run("DELETE FROM known_event WHERE hash = ? AND id = ?", [.int(key), .int(id)])
  }

  /// Carries on moving: `count` came with this commit. A move and its clearing together take fewer new events than they
  /// move, or each would be larger than the one before.
  func move(alongside count: Int, _ db: Database) throws {
    let share = 2 * count + 1
    if moved < order.count {
      undo.append(.moved(from: moved))
      let end = min(moved + share, order.count)
      for key in order[moved..<end] {
        guard let id = moving[key] else { continue }
        try db.run(Self.insertKnown, [.int(key), .int(id)])
      }
      moved = end
    } else if clearing > 0 {
      try db.run(
        "DELETE FROM recent_event WHERE id IN (SELECT id FROM recent_event WHERE id <= ? ORDER BY id LIMIT ?)",
        [.int(clearing), .int(2 * share)])
      if db.changesCount < 2 * share {
        undo.append(.cleared(clearing))
        clearing = 0
      }
    }
  }

  var mark: Int { undo.count }

  /// Forgets what happened since `mark`, whose changes are rolled back.
  func rollBack(to mark: Int) {
    while undo.count > mark {
      switch undo.removeLast() {
      case .added(let key): recent[key] = nil
      case .removedRecent(let key, let id): recent[key] = id
      case .removedMoving(let key, let id): moving[key] = id
      case .moved(let from): moved = from
      case .cleared(let id): clearing = id
      }
    }
  }

  func committed() {
    undo.removeAll(keepingCapacity: true)
    if moved == order.count, !order.isEmpty {
      clearing = moving.values.max() ?? 0
      order = []
      moved = 0
      moving = [:]
    }
    if recent.count >= capacity, order.isEmpty, clearing == 0 {
      moving = recent
      recent = [:]
      recent.reserveCapacity(capacity)
      order = moving.keys.sorted()
    }
  }

  // A crash in the middle of a move leaves rows in both tables.
  private static let insertKnown = "INSERT OR IGNORE INTO known_event(hash, id) VALUES(?, ?)"

  private func isEvent(_ id: Int64, _ side: Side, _ eventID: String, _ db: Database) throws -> Bool {
    try db.first(
      "SELECT 1 FROM event WHERE id = ? AND side = ? AND event_id = ?", [.int(id), .side(side), .exact(eventID)]
    ) { _ in true } ?? false
  }
}
