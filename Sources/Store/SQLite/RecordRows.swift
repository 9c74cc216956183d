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
    try db.run(
      Self.saving,
      [
        .side(key.side), .id(key.id), .text(presence.rawValue), .int(wasFetched ? 1 : 0), .time(goneAt), .text(apart),
        .text(flow), .time(doubtSince), .time(firstSeenAt), .int(last?.version?.nanoseconds), .text(last?.etag),
        .text(last?.source.rawValue), .time(last?.seenAt), .json(last?.record),
        .time(failingSince), .int(serverErrors),
      ])
  }

  private static let saving = """
    INSERT INTO record(\(columns)) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT(side, id) DO UPDATE SET presence = excluded.presence, was_fetched = excluded.was_fetched,
      gone_at = excluded.gone_at, apart = excluded.apart, flow = excluded.flow, doubt_since = excluded.doubt_since,
      first_seen_at = excluded.first_seen_at, version = excluded.version, etag = excluded.etag,
      source = excluded.source, seen_at = excluded.seen_at, body = excluded.body,
      failing_since = excluded.failing_since, server_errors = excluded.server_errors
    """
}
