import Mapping
import Sync

extension EventState {
  /// As the table has it: what is pending lies below 3, what waits for a person from 5.
  var code: Int {
    switch self {
    case .waiting: 0
    case .running: 1
    case .retrying: 2
    case .done: 3
    case .ignored: 4
    case .parked: 5
    case .held: 6
    case .conflict: 7
    }
  }

  init?(code: Int) {
    guard let state = Self.allCases.first(where: { $0.code == code }) else { return nil }
    self = state
  }

  /// Whether nothing is left to do, for anyone.
  var isFinished: Bool { self == .done || self == .ignored }
}

extension StoredEvent {
  static let columns = """
    id, side, event_id, type, kind, origin, record, body, received_at, state, attempts, due_at, reason, finished_at
    """

  init(_ row: Row) throws {
    let id = try row.needed(row.int(0), "an event without a number")
    let place = "event \(id)"
    let state = try row.needed(EventState(code: row.number(9)), place)
    let event = NewEvent(
      side: try row.needed(row.side(1), place), eventID: try row.needed(row.exact(2), place),
      type: try row.needed(row.exact(3), place), kind: try row.choice(4, place), origin: try row.choice(5, place),
      record: row.id(6), body: row.bytes(7) ?? [], receivedAt: try row.needed(row.time(8), place),
      state: state, reason: row.text(12))
    self.init(
      id: id, event: event, state: state, attempts: row.number(10), dueAt: row.time(11), reason: row.text(12),
      finishedAt: row.time(13))
  }
}

extension NewEvent {
  func insert(id: Int64, _ db: SQLConnection) throws {
    try db.run(
      Self.insertion,
      [
        .int(id), .side(side), .exact(eventID), .exact(type), .text(kind.rawValue), .text(origin.rawValue),
        .id(record), .bytes(body), .time(receivedAt), .int(state.code), .time(state.isPending ? receivedAt : nil),
        .text(reason), .time(state.isFinished ? receivedAt : nil),
      ])
  }

  private static let insertion =
    "INSERT INTO event(\(StoredEvent.columns)) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)"
}

extension EventOutcome {
  func update(_ db: SQLConnection) throws {
    try db.run(
      "UPDATE event SET state = ?, attempts = ?, due_at = ?, reason = ?, finished_at = ? WHERE id = ?",
      [
        .int(state.code), .int(attempts), .time(state.isPending ? dueAt ?? at : nil), .text(reason),
        .time(state.isFinished ? at : nil), .int(id),
      ])
  }
}
