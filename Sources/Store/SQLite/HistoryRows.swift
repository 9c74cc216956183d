import JSON
import Mapping
import Sync

extension HistoryEntry {
  static let columns =
    "id, kind, flow, invoiced, pms, side, property, old, new, rule, sentence, at, event, source, agreed"

  init(_ row: Row) throws {
    let place = "history \(row.number(0))"
    self.init(
      kind: try row.choice(1, place), flow: row.text(2), invoicedID: row.id(3), pmsID: row.id(4),
      side: row.side(5), property: row.text(6), old: try row.json(7), new: try row.json(8), rule: row.number(9),
      sentence: try row.needed(row.text(10), place), at: try row.needed(row.time(11), place), event: row.int(12))
    source = try row.json(13)
    if let pair = try row.json(14) {
      agreed = AgreedPair(invoiced: pair["invoiced"], pms: pair["pms"], fingerprint: "")
    }
  }

  func insert(_ db: SQLConnection) throws {
    try db.run(
      Self.insertion,
      [
        .text(kind.rawValue), .text(flow), .id(invoicedID), .id(pmsID), .side(side), .text(property), .json(old),
        .json(new), .int(rule), .text(sentence), .time(at), .int(event), .json(source),
        .json(agreed?.kept),
      ])
  }

  private static let insertion =
    "INSERT INTO history(\(columns)) VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}

extension AgreedPair {
  /// Its values; the row may be another one by the time that they are read.
  fileprivate var kept: JSONValue {
    var members = JSONObject()
    members["invoiced"] = invoiced
    members["pms"] = pms
    return .object(members)
  }
}
