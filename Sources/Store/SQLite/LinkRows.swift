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
    invoiced_edits, pms_edits, writes
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
    let pairs = try row.needed(row.json(10)?.object, place).members
    agreed.reserveCapacity(pairs.count)
    for (key, value) in pairs { agreed[key] = try row.needed(AgreedPair(stored: value), place) }
    invoicedEdits = try Self.edits(row, 11, place)
    pmsEdits = try Self.edits(row, 12, place)
    if let memory = try row.json(13) { try recall(memory, row, place) }
  }

  /// Stores a new link, or what a stored one has become; returns its number.
  func save(_ db: SQLConnection) throws -> Int64 {
    var values: [SQLValue] = [
      .text(flow), .id(invoiced), .id(pms), .int(state.code), .time(createdAt), .time(endedAt), .text(reason),
      .id(invoicedReference), .id(pmsReference), .blob(agreedText), .json(Self.json(invoicedEdits)),
      .json(Self.json(pmsEdits)), .json(memory),
    ]
    if id == 0 {
      try db.run(Self.insertion, values)
      return db.lastInsertedRowID
    }
    values.append(.int(id))
    try db.run(Self.contentUpdate, values)
    if db.changesCount == 0 { try db.run(Self.update, values) }
    return id
  }

  private static let insertion = "INSERT INTO link(\(columns)) VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
  private static let update = """
    UPDATE link SET flow = ?1, invoiced = ?2, pms = ?3, state = ?4, created_at = ?5, ended_at = ?6, reason = ?7,
      invoiced_reference = ?8, pms_reference = ?9, agreed = ?10, invoiced_edits = ?11, pms_edits = ?12, writes = ?13
    WHERE id = ?14
    """
  /// What indexes and triggers look at is mostly as it was, and then none of them has work.
  private static let contentUpdate = """
    UPDATE link SET created_at = ?5, ended_at = ?6, reason = ?7,
      invoiced_reference = ?8, pms_reference = ?9, agreed = ?10, invoiced_edits = ?11, pms_edits = ?12, writes = ?13
    WHERE id = ?14 AND flow = ?1 AND invoiced = ?2 AND pms = ?3 AND state = ?4
    """

  /// Written straight away: the values of a link's rows are most of what is stored at each change.
  private var agreedText: [UInt8] {
    var text: [UInt8] = [UInt8(ascii: "{")]
    text.reserveCapacity(96 * agreed.count + 2)
    // Keys are sorted by themselves: pairs are large.
    for row in agreed.keys.sorted() {
      guard let pair = agreed[row] else { continue }
      if text.count > 1 { text.append(UInt8(ascii: ",")) }
      JSONValue.string(row).write(to: &text)
      text.append(UInt8(ascii: ":"))
      pair.write(to: &text)
    }
    text.append(UInt8(ascii: "}"))
    return text
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

/// `[fingerprint, invoiced, pms, flags]`: a list, since a link has many of them and lists read faster than objects. The
/// flags say what isn't there (1 the value of Invoiced, 2 that of the PMS), and that the values are a base only (4).
extension AgreedPair {
  fileprivate init?(stored: JSONValue) {
    guard let parts = stored.array, parts.count == 4, let fingerprint = parts[0].string, let flags = parts[3].int64
    else { return nil }
    // `nil` would be JSON's null here.
    let absent = JSONValue?.none
    self.init(
      invoiced: flags & 1 == 0 ? parts[1] : absent, pms: flags & 2 == 0 ? parts[2] : absent, fingerprint: fingerprint,
      isBaseOnly: flags & 4 != 0)
  }

  fileprivate func write(to text: inout [UInt8]) {
    let flags = (invoiced.map { _ in 0 } ?? 1) + (pms.map { _ in 0 } ?? 2) + (isBaseOnly ? 4 : 0)
    text.append(UInt8(ascii: "["))
    for value in [.string(fingerprint), invoiced ?? .null, pms ?? .null] {
      value.write(to: &text)
      text.append(UInt8(ascii: ","))
    }
    text.append(UInt8(ascii: "0") + UInt8(flags))
    text.append(UInt8(ascii: "]"))
  }
}
