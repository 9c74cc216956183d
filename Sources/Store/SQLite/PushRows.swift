import JSON
import Mapping
import Sync

extension Push {
  static let columns = """
    id, action, flow, side, source, target, link, state, sent_at, event, idempotency_key, properties, claims,
    read_version, metadata
    """

  init(_ row: Row) throws {
    let id = try row.needed(row.int(0), "a push without a number")
    let place = "push \(id)"
    self.init(
      action: try row.choice(1, place), flow: try row.needed(row.text(2), place),
      source: RecordKey(try row.needed(row.side(3), place), try row.needed(row.id(4), place)), target: row.id(5),
      link: row.int(6),
      properties: try row.needed(row.json(11)?.array, place).map { item in
        Property(
          row: item["row"]?.string,
          path: try row.needed(item["path"]?.string.flatMap { JSONPath($0) }, place), former: item["former"],
          sent: try row.needed(item["sent"], place), source: item["source"])
      },
      claims: try row.needed(row.json(12)?.array, place).map { item in
        Claim(
          flow: try row.needed(item["flow"]?.string, place), key: try row.needed(item["key"]?.string, place),
          value: try row.needed(item["value"]?.string, place))
      },
      idempotencyKey: try row.needed(row.exact(10), place), sentAt: try row.needed(row.time(8), place),
      event: row.int(9))
    self.id = id
    state = try row.choice(7, place)
    read = row.int(13).map { Version(nanoseconds: $0) }
    metadata = try row.json(14)
  }

  /// Stores a new push with what it claims, or what a stored one has become; returns its number.
  func save(_ db: SQLConnection) throws -> Int64 {
    var values: [SQLValue] = [
      .text(action.rawValue), .text(flow), .side(source.side), .id(source.id), .id(target), .int(link),
      .text(state.rawValue), .time(sentAt), .int(event), .exact(idempotencyKey), .json(propertiesJSON),
      .json(claimsJSON), .int(read?.nanoseconds), .json(metadata),
    ]
    var number = id
    if id == 0 {
      try db.run(Self.insertion, values)
      number = db.lastInsertedRowID
    } else {
      values.append(.int(id))
      try db.run(
        """
        UPDATE push SET action = ?, flow = ?, side = ?, source = ?, target = ?, link = ?, state = ?, sent_at = ?,
          event = ?, idempotency_key = ?, properties = ?, claims = ?, read_version = ?, metadata = ? WHERE id = ?
        """, values)
      // One that was settled meanwhile stays settled.
      guard db.changesCount > 0, action == .create else { return number }
      try db.run("DELETE FROM claim WHERE push = ?", [.int(id)])
    }
    guard action == .create else { return number }
    for claim in claims {
      try db.run(
        "INSERT INTO claim(flow, key, value, push) VALUES(?, ?, ?, ?)",
        [.exact(claim.flow), .exact(claim.key), .exact(claim.value), .int(number)])
    }
    return number
  }

  private static let insertion =
    "INSERT INTO push(\(columns)) VALUES(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

  private var propertiesJSON: JSONValue {
    .array(
      properties.map { property in
        var members = JSONObject()
        members["former"] = property.former
        members["path"] = .string(property.path.description)
        members["row"] = property.row.map { .string($0) }
        members["sent"] = property.sent
        members["source"] = property.source
        return .object(members)
      })
  }

  private var claimsJSON: JSONValue {
    .array(
      claims.map { ["flow": .string($0.flow), "key": .string($0.key), "value": .string($0.value)] })
  }
}
