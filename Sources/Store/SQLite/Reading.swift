import Mapping
import Sync

/// What the engine asks while it works.
extension SQLConnection {
  func unit(of key: RecordKey, pending: PendingIndex) throws -> UnitState {
    var unit = UnitState()
    unit.link = try first(key.side == .invoiced ? Self.invoicedLink : Self.pmsLink, [.id(key.id)], Link.init)
    // NULL equals nothing: of an unlinked record the other side finds no rows.
    let invoiced = SQLValue.id(unit.link?.invoiced ?? (key.side == .invoiced ? key.id : nil))
    let pms = SQLValue.id(unit.link?.pms ?? (key.side == .pms ? key.id : nil))
    for record in try all(Self.unitRecords, [invoiced, pms], RecordState.init) { unit.records[record.key] = record }
    unit.events = try pendingEvents(
      of: unit.link.map { link in Side.allCases.map { link.key(on: $0) } } ?? [key], pending: pending)
    unit.pushes = Self.once(try all(Self.unitPushes, [invoiced, pms], Push.init), by: \.id)
    unit.holds = Self.once(try all(Self.unitHolds, [invoiced, pms, .int(unit.link?.id)], Hold.init), by: \.id)
    return unit
  }

  private static let invoicedLink = "SELECT \(Link.columns) FROM link WHERE invoiced = ? AND state < 2"
  private static let pmsLink = "SELECT \(Link.columns) FROM link WHERE pms = ? AND state < 2"
  private static let unitRecords = """
    SELECT \(RecordState.columns) FROM record WHERE side = 0 AND id = ?
    UNION ALL SELECT \(RecordState.columns) FROM record WHERE side = 1 AND id = ?
    """
  /// The oldest of them: a record that changes all the time is not to fill the memory.
  private func pendingEvents(of keys: [RecordKey], pending: PendingIndex) throws -> [StoredEvent] {
    var events: [StoredEvent] = []
    for id in try keys.flatMap({ try pending.candidates($0, self) }).sorted() {
      let event = try first(Self.pendingEvent, [.int(id)], StoredEvent.init)
      if let event, let key = event.key, keys.contains(key) { events.append(event) }
      if events.count == UnitState.mostEvents { break }
    }
    return events
  }

  private static let pendingEvent = "SELECT \(StoredEvent.columns) FROM event WHERE id = ? AND state < 3"
  // Mostly there is nothing: then this is a few looks into indexes, where a sorted and distinct list takes tables.
  private static let unitPushes = """
    SELECT \(Push.columns) FROM push WHERE side = 0 AND source = ?1
    UNION ALL SELECT \(Push.columns) FROM push WHERE side = 1 AND source = ?2
    UNION ALL SELECT \(Push.columns) FROM push WHERE side = 0 AND target = ?2
    UNION ALL SELECT \(Push.columns) FROM push WHERE side = 1 AND target = ?1
    """
  private static let unitHolds = """
    SELECT \(Hold.columns) FROM hold WHERE side = 0 AND record = ?1
    UNION ALL SELECT \(Hold.columns) FROM hold WHERE side = 1 AND record = ?2
    UNION ALL SELECT \(Hold.columns) FROM hold WHERE link = ?3
    """

  /// Each of those found once, by their numbers.
  private static func once<T>(_ found: [T], by number: (T) -> Int64) -> [T] {
    guard found.count > 1 else { return found }
    var seen: Set<Int64> = []
    return found.filter { seen.insert(number($0)).inserted }.sorted { number($0) < number($1) }
  }

  func due(by time: Timestamp, limit: Int) throws -> DueWork {
    var keys: [RecordKey] = []
    var seen: Set<RecordKey> = []
    try each(
      "SELECT side, record FROM event WHERE state < 3 AND due_at <= ? AND record IS NOT NULL ORDER BY due_at, id",
      [.time(time)]
    ) { row in
      let key = RecordKey(try row.needed(row.side(0), "an event"), try row.needed(row.id(1), "an event"))
      if seen.insert(key).inserted { keys.append(key) }
      return keys.count < limit
    }
    let next = try first(
      "SELECT min(due_at) FROM event WHERE state < 3 AND due_at > ?", [.time(time)]
    ) { $0.time(0) }
    return DueWork(keys: keys, next: next ?? nil)
  }

  func creates(claiming claims: [Push.Claim], sources: [RecordKey]) throws -> [Push] {
    var pushes: [Int64: Push] = [:]
    for claim in claims {
      let found = try first(
        """
        SELECT \(Push.columns) FROM push
        WHERE id = (SELECT push FROM claim WHERE flow = ? AND key = ? AND value = ?)
        """, [.exact(claim.flow), .exact(claim.key), .exact(claim.value)], Push.init)
      if let found { pushes[found.id] = found }
    }
    for source in sources {
      let found = try first(
        "SELECT \(Push.columns) FROM push WHERE side = ? AND source = ? AND action = 'create'",
        [.side(source.side), .id(source.id)], Push.init)
      if let found { pushes[found.id] = found }
    }
    return pushes.values.sorted { $0.id < $1.id }
  }

  func unansweredCreates(on side: Side) throws -> [Push] {
    try all(
      """
      SELECT \(Push.columns) FROM push WHERE action = 'create' AND side = ? ORDER BY id
      """, [.side(side.other)], Push.init)
  }

  func unsettledPushes() throws -> [Push] { try all("SELECT \(Push.columns) FROM push ORDER BY id", [], Push.init) }

  func event(_ id: Int64) throws -> StoredEvent? {
    try first("SELECT \(StoredEvent.columns) FROM event WHERE id = ?", [.int(id)], StoredEvent.init)
  }

  func link(_ id: Int64) throws -> Link? {
    try first("SELECT \(Link.columns) FROM link WHERE id = ?", [.int(id)], Link.init)
  }

  func activeLinks(in flow: String) throws -> Int {
    try first("SELECT count FROM active_links WHERE flow = ?", [.text(flow)]) { $0.number(0) } ?? 0
  }

  func hold(_ id: Int64) throws -> Hold? {
    try first("SELECT \(Hold.columns) FROM hold WHERE id = ?", [.int(id)], Hold.init)
  }

  func record(_ key: RecordKey) throws -> RecordState? {
    try first(
      "SELECT \(RecordState.columns) FROM record WHERE side = ? AND id = ?", [.side(key.side), .id(key.id)],
      RecordState.init)
  }

  func records(on side: Side, after id: RecordID?, limit: Int) throws -> [RecordState] {
    guard let id else {
      return try all(
        "SELECT \(RecordState.columns) FROM record WHERE side = ? ORDER BY id LIMIT ?", [.side(side), .int(limit)],
        RecordState.init)
    }
    return try all(
      "SELECT \(RecordState.columns) FROM record WHERE side = ? AND id > ? ORDER BY id LIMIT ?",
      [.side(side), .id(id), .int(limit)], RecordState.init)
  }

  func value(_ name: String) throws -> String? {
    try first("SELECT value FROM setting WHERE name = ?", [.exact(name)]) { $0.exact(0) } ?? nil
  }

  func counts() throws -> StoreCounts {
    var counts = StoreCounts()
    let states =
      try all("SELECT state, count(*), min(received_at) FROM event WHERE state < 3 GROUP BY state") {
        ($0.number(0), $0.number(1), $0.time(2))
      } + all("SELECT state, count(*) FROM event WHERE state >= 5 GROUP BY state") { ($0.number(0), $0.number(1), nil) }
    for (code, count, oldest) in states {
      guard let state = EventState(code: code) else { throw Damage(what: "an event in state \(code)") }
      counts.events[state] = count
      if let oldest { counts.oldestPending = min(oldest, counts.oldestPending ?? oldest) }
    }
    let links = try all("SELECT flow, count FROM active_links WHERE count > 0") { row in
      (try row.needed(row.text(0), "a count of links"), row.number(1))
    }
    for (flow, count) in links { counts.activeLinks[flow] = count }
    for (flow, count) in try heldBack() { counts.heldBack[flow] = count }
    let holds = try all("SELECT kind, count(*) FROM hold WHERE state = 'open' GROUP BY kind") {
      (try $0.choice(0, "a hold") as Hold.Kind, $0.number(1))
    }
    for (kind, count) in holds { counts.openHolds[kind] = count }
    return counts
  }

  /// What the mass-delete guard holds is not among it: that is counted by itself.
  private func heldBack() throws -> [(flow: String, count: Int)] {
    try all(
      """
      SELECT ifnull(link.flow, record.flow) AS flow, count(DISTINCT ifnull(link.id, -record.number))
      FROM event JOIN record ON record.side = event.side AND record.id = event.record
      LEFT JOIN link ON link.id = CASE event.side
        WHEN 0 THEN (SELECT id FROM link WHERE invoiced = event.record AND state < 2)
        ELSE (SELECT id FROM link WHERE pms = event.record AND state < 2) END
      WHERE event.state >= 5 AND event.state = ?
        AND NOT EXISTS (SELECT 1 FROM hold WHERE hold.link = link.id AND hold.kind = 'deletion')
      GROUP BY 1
      """, [.int(EventState.held.code)]
    ) { row in (row.text(0) ?? "", row.number(1)) }
  }
}
