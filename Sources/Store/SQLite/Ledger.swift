import Mapping
import Sync

/// What is written, and what the writer remembers of it. Lives on the writing connection and nowhere else.
final class Ledger {
  let pending: PendingIndex
  private let index: EventIndex
  private let hash: SipHash
  private var nextEvent: Int64
  private var forgotten: Set<Int64>
  /// Forgotten in the transaction under way.
  private var forgetting: [Int64] = []
  private var appended = 0

  init(_ db: SQLConnection) throws {
    hash = try SipHash(of: db)
    index = try EventIndex(db, hash: hash)
    pending = try PendingIndex(db, hash: hash)
    let newest = try db.number("SELECT max(id) FROM event")
    let given = try db.number("SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last event'")
    nextEvent = max(newest, given) + 1
    forgotten = Set(try db.all("SELECT hash FROM forgotten") { $0[0] as Int64 })
  }

  func append(_ event: NewEvent, _ db: SQLConnection) throws -> Receipt {
    if let record = event.record, isForgotten(RecordKey(event.side, record)) { return .forgotten }
    let key = index.key(event.side, event.eventID)
    if let id = try index.find(key, db) { return .duplicate(id: id) }
    let id = nextEvent
    nextEvent += 1
    try event.insert(id: id, db)
    try index.add(key, id: id, db)
    if event.state.isPending, let record = event.record { pending.add(id, of: RecordKey(event.side, record)) }
    appended += 1
    if event.state == .parked, event.record == nil { _ = try Hold(unreadable: event, stored: id).save(db) }
    return .accepted(id: id)
  }

  func apply(_ changes: Changes, _ db: SQLConnection) throws -> Committed {
    let changes = forgotten.isEmpty && forgetting.isEmpty ? changes : withoutForgotten(changes)
    var committed = Committed(pushes: [], holds: [])
    for record in changes.records { try record.save(db) }
    // Ended links make room for new ones.
    for link in changes.links where link.id != 0 { _ = try link.save(db) }
    for link in changes.links where link.id == 0 { committed.link = try link.save(db) }
    for push in changes.pushes {
      let id = try push.save(db)
      if push.id == 0 { committed.pushes.append(id) }
    }
    for id in changes.settledPushes { try db.run("DELETE FROM push WHERE id = ?", [.int(id)]) }
    // Closed ones make room for those that are filed anew.
    var over = try changes.closedHolds.compactMap { try db.hold($0) }
    for id in changes.closedHolds { try db.run("DELETE FROM hold WHERE id = ?", [.int(id)]) }
    for hold in changes.holds {
      let id = try hold.save(db)
      if hold.id == 0 { committed.holds.append(id) }
    }
    over += changes.holds.filter { $0.state == .discarded }
    for outcome in changes.events {
      try outcome.update(db)
      if outcome.state.isPending {
        try pending.isPending(outcome.id, db)
      } else {
        try pending.isFinished(outcome.id, db)
      }
    }
    if !over.isEmpty || !changes.finished.isEmpty {
      try db.finishEvents(of: over, changes.finished, at: changes.latest)
    }
    for event in changes.followUps { _ = try append(event, db) }
    for entry in changes.history { try entry.insert(db) }
    return committed
  }

  // MARK: Events that go

  /// Removes an event for good; its number is not given again.
  func remove(_ event: (id: Int64, side: Side, eventID: String), _ db: SQLConnection) throws {
    try index.remove(index.key(event.side, event.eventID), id: event.id, db)
    try pending.isFinished(event.id, db)
    try db.run("DELETE FROM event WHERE id = ?", [.int(event.id)])
  }

  /// Keeps the numbers of removed events from being given again after a restart.
  func keepNumbers(_ db: SQLConnection) throws {
    try db.run(
      "INSERT INTO meta VALUES('last event', CAST(? AS BLOB)) ON CONFLICT DO UPDATE SET value = excluded.value",
      [.text(String(nextEvent - 1))])
  }

  // MARK: Forgotten records

  func isForgotten(_ key: RecordKey) -> Bool {
    guard !forgotten.isEmpty || !forgetting.isEmpty else { return false }
    let value = hash.record(key)
    return forgotten.contains(value) || forgetting.contains(value)
  }

  func markForgotten(_ key: RecordKey, _ db: SQLConnection) throws {
    let value = hash.record(key)
    try db.run("INSERT OR IGNORE INTO forgotten VALUES(?)", [.int(value)])
    forgetting.append(value)
  }

  /// Work that was under way when its record was forgotten must not bring it back.
  private func withoutForgotten(_ changes: Changes) -> Changes {
    func isGone(_ side: Side, _ id: RecordID?) -> Bool { id.map { isForgotten(RecordKey(side, $0)) } ?? false }
    var rest = changes
    rest.records.removeAll { isForgotten($0.key) }
    rest.links.removeAll { isGone(.invoiced, $0.invoiced) || isGone(.pms, $0.pms) }
    rest.pushes.removeAll { isForgotten($0.source) || isGone($0.side, $0.target) }
    rest.holds.removeAll {
      isGone(.invoiced, $0.invoicedID) || isGone(.pms, $0.pmsID) || $0.record.map(isForgotten) ?? false
    }
    rest.history.removeAll { isGone(.invoiced, $0.invoicedID) || isGone(.pms, $0.pmsID) }
    return rest
  }

  // MARK: Transactions

  /// To be called last in each transaction.
  func finish(_ db: SQLConnection) throws {
    try index.move(alongside: appended, db)
    try pending.move(alongside: appended, db)
  }

  func committed() {
    index.committed()
    pending.committed()
    forgotten.formUnion(forgetting)
    forgetting = []
    appended = 0
  }

  struct Mark {
    fileprivate var index = 0
    fileprivate var pending = 0
    fileprivate var forgetting = 0
  }

  var mark: Mark { Mark(index: index.mark, pending: pending.mark, forgetting: forgetting.count) }

  func rollBack(to mark: Mark = Mark()) {
    index.rollBack(to: mark.index)
    pending.rollBack(to: mark.pending)
    forgetting.removeLast(forgetting.count - mark.forgetting)
  }
}
