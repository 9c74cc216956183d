import Mapping
import Sync

extension Hold {
  static let columns = """
    id, kind, cause, state, flow, link, side, record, invoiced, pms, row, property, attempts, at, event,
    invoiced_value, pms_value, basis, reason, next_step
    """

  init(_ row: Row) throws {
    let id = try row.needed(row.int(0), "a hold without a number")
    let place = "hold \(id)"
    var record: RecordKey?
    if let side = row.side(6), let text = row.id(7) { record = RecordKey(side, text) }
    self.init(
      kind: try row.choice(1, place), cause: try row.choice(2, place), flow: row.text(4), record: record,
      basis: try row.needed(row.exact(17), place), reason: try row.needed(row.text(18), place),
      nextStep: try row.needed(row.text(19), place), at: try row.needed(row.time(13), place))
    self.id = id
    state = try row.choice(3, place)
    link = row.int(5)
    invoicedID = row.id(8)
    pmsID = row.id(9)
    self.row = row.exact(10)
    property = row.text(11)
    attempts = row.number(12)
    event = row.int(14)
    invoiced = try row.json(15)
    pms = try row.json(16)
  }

  /// Files it, in place of the one that is filed under the same record, kind, cause and row; returns its number.
  func save(_ db: SQLConnection) throws -> Int64 {
    var hold = self
    if id == 0, let filed = try filed(db) {
      hold.id = filed.id
      hold.at = filed.at
      hold.attempts = filed.attempts + 1
    }
    var values: [SQLValue] = [
      .text(kind.rawValue), .text(cause.rawValue), .text(state.rawValue), .text(flow), .int(link), .side(record?.side),
      .id(record?.id), .id(invoicedID), .id(pmsID), .exact(row), .text(property), .int(hold.attempts), .time(hold.at),
      .int(event), .json(invoiced), .json(pms), .exact(basis), .text(reason), .text(nextStep),
    ]
    if hold.id == 0 {
      try db.run(
        "INSERT INTO hold(\(Self.columns)) VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        values)
      return db.lastInsertedRowID
    }
    values.append(.int(hold.id))
    try db.run(
      """
      UPDATE hold SET kind = ?, cause = ?, state = ?, flow = ?, link = ?, side = ?, record = ?, invoiced = ?, pms = ?,
        row = ?, property = ?, attempts = ?, at = ?, event = ?, invoiced_value = ?, pms_value = ?, basis = ?,
        reason = ?, next_step = ? WHERE id = ?
      """, values)
    return hold.id
  }

  private func filed(_ db: SQLConnection) throws -> (id: Int64, at: Timestamp, attempts: Int)? {
    let read = { (row: Row) in
      (id: row[0] as Int64, at: Timestamp(milliseconds: row[1]), attempts: row.number(2))
    }
    guard let record else {
      return try db.first(
        "SELECT id, at, attempts FROM hold WHERE event = ? AND kind = ? AND cause = ? AND record IS NULL",
        [.int(event), .text(kind.rawValue), .text(cause.rawValue)], read)
    }
    return try db.first(
      """
      SELECT id, at, attempts FROM hold
      WHERE side = ? AND record = ? AND kind = ? AND cause = ? AND ifnull(row, x'') = ifnull(?, x'')
      """,
      [.side(record.side), .id(record.id), .text(kind.rawValue), .text(cause.rawValue), .exact(row)], read)
  }
}
