import GRDB
import JSON
import Mapping
import Sync

extension Link.State {
  /// As the table has it: what is not ended lies below 2.
  var code: Int {
    switch self {
    case .active: 0
    case .asleep: 1
    case .ended: 2
    }
  }

  init?(code: Int) {
    switch code {
    case 0: self = .active
    case 1: self = .asleep
    case 2: self = .ended
    default: return nil
    }
  }
}

extension Link {
  static let columns = """
    id, flow, invoiced, pms, state, created_at, ended_at, reason, invoiced_reference, pms_reference, agreed,
    invoiced_edits, pms_edits
    """

  init(_ row: Row) throws {
    let id = try row.needed(row.int(0), "a link without a number")
    let place = "link \(id)"
    self.init(
      flow: try row.needed(row.text(1), place), invoiced: try row.needed(row.id(2), place),
      pms: try row.needed(row.id(3), place), createdAt: try row.needed(row.time(5), place))
    self.id = id
    state = try row.needed(State(code: row.number(4)), place)
    endedAt = row.time(6)
    reason = row.text(7)
    invoicedReference = row.id(8)
    pmsReference = row.id(9)
    for member in try row.needed(row.json(10)?.object, place).members {
      agreed[member.key] = AgreedPair(
        invoiced: member.value["invoiced"], pms: member.value["pms"],
        fingerprint: try row.needed(member.value["fingerprint"]?.string, place),
        isBaseOnly: member.value["base_only"] != nil)
    }
    invoicedEdits = try Self.edits(row, 11, place)
    pmsEdits = try Self.edits(row, 12, place)
  }

  /// Stores a new link, or what a stored one has become; returns its number.
  func save(_ db: Database) throws -> Int64 {
    var values: [SQLValue] = [
      .text(flow), .id(invoiced), .id(pms), .int(state.code), .time(createdAt), .time(endedAt), .text(reason),
      .id(invoicedReference), .id(pmsReference), .json(agreedJSON), .json(Self.json(invoicedEdits)),
      .json(Self.json(pmsEdits)),
    ]
    if id == 0 {
      try db.run("INSERT INTO link(\(Self.columns)) VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
      return db.lastInsertedRowID
    }
    values.append(.int(id))
    try db.run(
      """
      UPDATE link SET flow = ?, invoiced = ?, pms = ?, state = ?, created_at = ?, ended_at = ?, reason = ?,
        invoiced_reference = ?, pms_reference = ?, agreed = ?, invoiced_edits = ?, pms_edits = ? WHERE id = ?
      """, values)
    return id
  }

  private var agreedJSON: JSONValue {
    .object(
      JSONObject(
        agreed.sorted { $0.key < $1.key }.map { row, pair in
          var members = JSONObject()
          // In the order of their bytes, which reads fastest.
          if pair.isBaseOnly { members["base_only"] = true }
          members["fingerprint"] = .string(pair.fingerprint)
          members["invoiced"] = pair.invoiced
          members["pms"] = pair.pms
          return (row, .object(members))
        }))
  }

  private static func json(_ edits: [String: Edit]) -> JSONValue {
    .object(
      JSONObject(
        edits.sorted { $0.key < $1.key }.map { row, edit in
          var members = JSONObject()
          members["at"] = .number(JSONNumber(edit.at.milliseconds))
          members["value"] = edit.value
          return (row, .object(members))
        }))
  }

  private static func edits(_ row: Row, _ index: Int, _ place: String) throws -> [String: Edit] {
    var edits: [String: Edit] = [:]
    for member in try row.needed(row.json(index)?.object, place).members {
      let at = try row.needed(member.value["at"]?.int64, place)
      edits[member.key] = Edit(at: Timestamp(milliseconds: at), value: member.value["value"])
    }
    return edits
  }
}
