import Mapping
import Sync

extension RecordState {
  static let columns = """
    side, id, presence, was_fetched, gone_at, apart, flow, doubt_since, first_seen_at, version, etag, source, seen_at,
    body, failing_since, server_errors
    """

  init(_ row: Row) throws {
    let key = RecordKey(
      try row.needed(row.side(0), "a record without a side"), try row.needed(row.id(1), "a record without an id"))
    let place = "record \(key)"
    self.init(key: key, firstSeenAt: try row.needed(row.time(8), place))
    presence = try row.choice(2, place)
    wasFetched = row.number(3) != 0
    goneAt = row.time(4)
    apart = row.text(5)
    flow = row.text(6)
    doubtSince = row.time(7)
    failingSince = row.time(14)
    serverErrors = row.number(15)
    if let body = try row.json(13) {
      last = Observation(
        key: key, record: body, version: row.int(9).map { Version(nanoseconds: $0) }, etag: row.text(10),
        source: try row.choice(11, place), seenAt: try row.needed(row.time(12), place))
    }
  }

  func save(_ db: SQLConnection) throws {
    let values: [SQLValue] = [
      .side(key.side), .id(key.id), .text(presence.rawValue), .int(wasFetched ? 1 : 0), .time(goneAt), .text(apart),
      .text(flow), .time(doubtSince), .time(firstSeenAt), .int(last?.version?.nanoseconds), .text(last?.etag),
      .text(last?.source.rawValue), .time(last?.seenAt), .json(last?.record),
      .time(failingSince), .int(serverErrors),
    ]
    // Most are there already, and an upsert takes half as long again as an update.
    try db.run(Self.update, values)
    if db.changesCount == 0 { try db.run(Self.insertion, values) }
  }

  private static let update = """
    UPDATE record SET presence = ?3, was_fetched = ?4, gone_at = ?5, apart = ?6, flow = ?7, doubt_since = ?8,
      first_seen_at = ?9, version = ?10, etag = ?11, source = ?12, seen_at = ?13, body = ?14, failing_since = ?15,
      server_errors = ?16
    WHERE side = ?1 AND id = ?2
    """
  private static let insertion =
    "INSERT INTO record(\(columns)) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
}
