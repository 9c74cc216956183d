import Mapping
import Sync

/// A condition of a list, and what it compares with.
private struct Filter {
  var conditions: [String] = []
  var values: [SQLValue] = []

  mutating func add(_ condition: String, _ values: SQLValue...) {
    conditions.append(condition)
    self.values += values
  }

  mutating func add(_ column: String, since: Timestamp?, until: Timestamp?) {
    if let since { add("\(column) >= ?", .time(since)) }
    if let until { add("\(column) <= ?", .time(until)) }
  }

  var text: String { conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ") }
}

/// Pages of what people ask for.
extension SQLConnection {
  /// A page in the order of `id`, of which `first` of each row is the number.
  private func page<Item>(
    _ select: String, _ filter: Filter, _ query: ListQuery, newestFirst: Bool, _ read: (Row) throws -> Item
  ) throws -> Listing<Item> {
    var filter = filter
    if let after = query.after { filter.add(newestFirst ? "id < ?" : "id > ?", .int(after)) }
    let limit = max(1, query.limit)
    let rows = try all(
      "\(select)\(filter.text) ORDER BY id \(newestFirst ? "DESC" : "ASC") LIMIT ?",
      filter.values + [.int(Int64(limit) + 1)]
    ) { (id: $0[0], item: try read($0)) }
    return Listing(
      items: rows.prefix(limit).map(\.item), next: rows.count > limit ? rows[limit - 1].id : nil)
  }

  func events(_ query: ListQuery, pending: PendingIndex) throws -> Listing<StoredEvent> {
    var filter = Filter()
    if let side = query.side { filter.add("side = ?", .side(side)) }
    if let type = query.type { filter.add("type = ?", .exact(type)) }
    if let name = query.state {
      guard let state = EventState(rawValue: name) else { return Listing(items: [], next: nil) }
      // Said twice where an index is for a group of states.
      filter.add("state = ?", .int(state.code))
      if state.isPending { filter.add("state < 3") } else if !state.isFinished { filter.add("state >= 5") }
    }
    if let record = query.record {
      let sides = query.side.map { [$0] } ?? Side.allCases
      let open = try sides.flatMap { try pending.candidates(RecordKey($0, RecordID(record)), self) }
      let done = sides.map { "SELECT id FROM event WHERE state >= 3 AND side = \($0.code) AND record = ?" }
      filter.add(
        "record = ? AND id IN (SELECT value FROM json_each(?) UNION ALL \(done.joined(separator: " UNION ALL ")))",
        .exact(record), .numbers(open))
      filter.values += done.map { _ in .exact(record) }
    }
    if let id = query.eventID {
      filter.add("id IN (SELECT value FROM json_each(?))", .numbers(try storedEvents(id, on: query.side)))
    }
    if let flow = query.flow {
      filter.add(
        "EXISTS(SELECT 1 FROM record WHERE record.side = event.side AND record.id = event.record AND flow = ?)",
        .text(flow))
    }
    filter.add("received_at", since: query.since, until: query.until)
    return try page("SELECT \(StoredEvent.columns) FROM event", filter, query, newestFirst: true, StoredEvent.init)
  }

  /// The numbers of the events that a sender gave this id.
  private func storedEvents(_ eventID: String, on side: Side?) throws -> [Int64] {
    let hash = try SipHash(of: self)
    return try (side.map { [$0] } ?? Side.allCases).flatMap { side in
      let hash = hash.event(side, eventID)
      var recent: [Int64] = []
      try RecentEvents.each(self) { if $0.hash == hash { recent.append($0.id) } }
      return try all(
        """
        SELECT id FROM event WHERE side = ? AND event_id = ? AND id IN (
          SELECT value FROM json_each(?) UNION ALL SELECT id FROM known_event WHERE hash = ?)
        """,
        [.side(side), .exact(eventID), .numbers(recent), .int(hash)]
      ) { $0[0] }
    }
  }

  func links(_ query: ListQuery) throws -> Listing<Link> {
    var filter = Filter()
    if let flow = query.flow { filter.add("flow = ?", .text(flow)) }
    if let name = query.state {
      guard let state = Link.State(rawValue: name) else { return Listing(items: [], next: nil) }
      filter.add("state = ?", .int(state.code))
    }
    if let record = query.record {
      let columns = query.side.map { [$0.rawValue] } ?? Side.allCases.map(\.rawValue)
      let parts = columns.flatMap { column in
        ["state < 2", "state >= 2"].map { "SELECT id FROM link WHERE \($0) AND \(column) = ?" }
      }
      filter.conditions.append("id IN (\(parts.joined(separator: " UNION ALL ")))")
      filter.values += parts.map { _ in .exact(record) }
    }
    filter.add("created_at", since: query.since, until: query.until)
    return try page("SELECT \(Link.columns) FROM link", filter, query, newestFirst: false, Link.init)
  }

  func holds(_ kind: Hold.Kind, _ query: ListQuery) throws -> Listing<Hold> {
    var filter = Filter()
    filter.add("kind = ?", .text(kind.rawValue))
    filter.add("state = ?", .text(query.state ?? Hold.State.open.rawValue))
    if let side = query.side { filter.add("side = ?", .side(side)) }
    if let flow = query.flow { filter.add("flow = ?", .text(flow)) }
    if let cause = query.type { filter.add("cause = ?", .text(cause)) }
    if let record = query.record {
      filter.add("(record = ? OR invoiced = ? OR pms = ?)", .exact(record), .exact(record), .exact(record))
    }
    if let id = query.eventID {
      filter.add("event IN (SELECT value FROM json_each(?))", .numbers(try storedEvents(id, on: query.side)))
    }
    filter.add("at", since: query.since, until: query.until)
    return try page("SELECT \(Hold.columns) FROM hold", filter, query, newestFirst: false, Hold.init)
  }

  func history(_ query: ListQuery) throws -> Listing<HistoryEntry> {
    var filter = Filter()
    if let side = query.side { filter.add("side = ?", .side(side)) }
    if let flow = query.flow { filter.add("flow = ?", .text(flow)) }
    if let kind = query.type { filter.add("kind = ?", .text(kind)) }
    if let record = query.record {
      filter.add(
        "id IN (SELECT id FROM history WHERE invoiced = ? UNION ALL SELECT id FROM history WHERE pms = ?)",
        .exact(record), .exact(record))
    }
    if let id = query.eventID {
      filter.add("event IN (SELECT value FROM json_each(?))", .numbers(try storedEvents(id, on: nil)))
    }
    filter.add("at", since: query.since, until: query.until)
    return try page("SELECT \(HistoryEntry.columns) FROM history", filter, query, newestFirst: true, HistoryEntry.init)
  }
}
