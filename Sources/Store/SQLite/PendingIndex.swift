import Foundation
import Mapping
import Sync

/// Finds the pending events of a record.
///
/// Most events are worked off soon, and an index over records costs a page of the log for each event that comes and
/// once more when it is done. So the newest are known in memory alone; only when there are too many of them do they go
/// to a table, sorted, a few with each commit. At the start those that aren't in the table are read again.
///
/// `@unchecked Sendable`: readers call `candidates` and `generation`, which are under `lock` like all that they read;
/// the rest belongs to the writer.
final class PendingIndex: @unchecked Sendable {
  private let hash: SipHash
  private let capacity: Int
  private let lock = NSLock()
  private var ids: [Int64: [Int64]] = [:]
  private var hashes: [Int64: Int64] = [:]
  private var moves = 0

  /// What is on its way to the table, by hash, and how much of it is through.
  private var moving: [(hash: Int64, id: Int64)] = []
  private var moved = 0
  /// The newest event that is on its way; 0 when none is.
  private var newestMoving: Int64 = 0
  /// Finished in the transaction under way.
  private var finished: Set<Int64> = []
  private var undo: [Undo] = []

  /// By the index of what is pending: a million events that are done, with their bodies, are none of its business.
  static let notInTable = """
    SELECT id, side, record FROM event INDEXED BY event_due WHERE state < 3 AND record IS NOT NULL AND id > ?
    """

  private enum Undo {
    case added(Int64)
    case finished(Int64)
    case moved(from: Int)
  }

  init(_ db: SQLConnection, hash: SipHash, capacity: Int = 16_384) throws {
    self.hash = hash
    self.capacity = capacity
    let inTable = try db.number("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'pending in table'")
    // A crash in the middle of a move leaves some that are read again.
    try db.run("DELETE FROM pending_event WHERE id > ?", [.int(inTable)])
    try db.each(Self.notInTable, [.int(inTable)]) { row in
      insert(row[0], hash.record(try Self.key(row, 1)))
      return true
    }
  }

  // MARK: Readers

  /// Numbers of events that may be the record's and pending, besides those in the table. To be asked for within a
  /// transaction, and worth something only if `generation` is the same before it and afterwards.
  func candidates(_ key: RecordKey, _ db: SQLConnection) throws -> [Int64] {
    let hash = hash.record(key)
    lock.lock()
    let known = ids[hash] ?? []
    lock.unlock()
    let inTable = try db.all("SELECT id FROM pending_event WHERE hash = ?", [.int(hash)]) { $0[0] }
    return inTable.isEmpty ? known : Set(known + inTable).sorted()
  }

  /// Changes when events have gone from memory to the table.
  var generation: Int {
    lock.lock()
    defer { lock.unlock() }
    return moves
  }

  // MARK: The writer

  func add(_ id: Int64, of key: RecordKey) {
    insert(id, hash.record(key))
    undo.append(.added(id))
  }

  /// To be told of every event that is pending after a change to it.
  func isPending(_ id: Int64, _ db: SQLConnection) throws {
    if hashes[id] != nil, !finished.contains(id) { return }
    guard let hash = try storedHash(id, db) else { return }
    try db.run(Self.insertRow, [.int(hash), .int(id)])
  }

  /// To be told of every event that isn't pending after a change to it, or is to be deleted.
  func isFinished(_ id: Int64, _ db: SQLConnection) throws {
    if let hash = hashes[id] {
      if finished.insert(id).inserted { undo.append(.finished(id)) }
      if id <= newestMoving { try deleteRow(hash, id, db) }
    } else if let hash = try storedHash(id, db) {
      try deleteRow(hash, id, db)
    }
  }

  /// Carries on moving: `count` events came with this commit.
  func move(alongside count: Int, _ db: SQLConnection) throws {
    guard moved < moving.count else { return }
    undo.append(.moved(from: moved))
    let end = min(moved + 2 * count + 1, moving.count)
    for (hash, id) in moving[moved..<end] where hashes[id] != nil && !finished.contains(id) {
      try db.run(Self.insertRow, [.int(hash), .int(id)])
    }
    moved = end
    guard moved == moving.count else { return }
    try db.run(
      "INSERT INTO meta VALUES('pending in table', CAST(? AS BLOB)) ON CONFLICT DO UPDATE SET value = excluded.value",
      [.text(String(newestMoving))])
  }

  var mark: Int { undo.count }

  /// Forgets what happened since `mark`, whose changes are rolled back.
  func rollBack(to mark: Int) {
    while undo.count > mark {
      switch undo.removeLast() {
      case .added(let id): remove([id])
      case .finished(let id): finished.remove(id)
      case .moved(let from): moved = from
      }
    }
  }

  func committed() {
    undo.removeAll(keepingCapacity: true)
    if !finished.isEmpty { remove(finished) }
    finished.removeAll(keepingCapacity: true)
    if !moving.isEmpty, moved == moving.count {
      remove(Set(moving.map(\.id)))
      lock.lock()
      moves += 1
      lock.unlock()
      (moving, moved, newestMoving) = ([], 0, 0)
    }
    if moving.isEmpty, hashes.count >= capacity {
      moving = hashes.map { (hash: $0.value, id: $0.key) }.sorted { ($0.hash, $0.id) < ($1.hash, $1.id) }
      newestMoving = hashes.keys.max() ?? 0
    }
  }

  private static let insertRow = "INSERT OR IGNORE INTO pending_event(hash, id) VALUES(?, ?)"

  private func deleteRow(_ hash: Int64, _ id: Int64, _ db: SQLConnection) throws {
    try db.run("DELETE FROM pending_event WHERE hash = ? AND id = ?", [.int(hash), .int(id)])
  }

  private func insert(_ id: Int64, _ hash: Int64) {
    lock.lock()
    ids[hash, default: []].append(id)
    hashes[id] = hash
    lock.unlock()
  }

  private func remove(_ gone: Set<Int64>) {
    lock.lock()
    for hash in Set(gone.compactMap { hashes.removeValue(forKey: $0) }) {
      ids[hash]?.removeAll { gone.contains($0) }
      if ids[hash]?.isEmpty == true { ids[hash] = nil }
    }
    lock.unlock()
  }

  /// Nil for an event of no record.
  private func storedHash(_ id: Int64, _ db: SQLConnection) throws -> Int64? {
    try db.first("SELECT side, record FROM event WHERE id = ? AND record IS NOT NULL", [.int(id)]) { row in
      hash.record(try Self.key(row, 0))
    }
  }

  private static func key(_ row: Row, _ index: Int) throws -> RecordKey {
    RecordKey(try row.needed(row.side(index), "an event"), try row.needed(row.id(index + 1), "an event"))
  }
}
