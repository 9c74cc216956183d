import Connectors
import JSON
import Mapping
import Store
import Sync

/// Why work on a unit stops before it is done.
enum Interruption: Error {
  /// Trouble that passes: again with backoff, and counted.
  case retry(reason: String, after: Int?, side: Side? = nil, isServerError: Bool = false)
  /// The side refuses a call that wrote nothing, and will again.
  case refusal(ConnectorError)
  /// To be looked at again at a certain time, which is no failure.
  case later(Timestamp, reason: String)
  /// The side lets no calls through.
  case blocked(Side, reason: String)
  /// Another worker has the other record; the scheduler brings this one back.
  case busy
  /// The record waits for a change or a person.
  case parked(EventState, reason: String)
  /// The store can't do its part.
  case store(StoreError)
}

/// One unit in a worker's hands: what was loaded, what was learnt since, and what is still to be made durable.
struct Work {
  let key: RecordKey
  let lease: Scheduler.Lease
  var link: Link?
  var records: [RecordKey: RecordState]
  var events: [StoredEvent]
  var pushes: [Push]
  var holds: [Hold]
  /// Not committed yet.
  var changes = Changes()
  /// Sides whose record was fetched, or answered a push, while this unit was in hand.
  var fresh: Set<Side> = []
  /// What the events in hand show of linked records, the oldest first.
  var shown: [Observation] = []
  /// Holds that this planning found to be still true.
  var confirmedHolds: Set<Int64> = []
  /// Deletes that are held no more; the guard is told when that is durable.
  var released: [Hold] = []
  /// How many writes this unit has made.
  var writes = 0
  /// How often the target was changed meanwhile, and how often it was not there.
  var overtaken = 0
  var missing = 0
  /// What was sent last, as the hold of a refusal is known by.
  var pushBasis: String?
  /// A create that went unanswered and was not found.
  var lookedUp: Push?
  /// A create that the side says is there already.
  var collision: ConnectorError?
  /// Events' bodies that were read, by the events' numbers.
  private var bodies: [Int64: JSONValue] = [:]
  /// How the events end when nothing else is said.
  var outcome: (state: EventState, reason: String?) = (.done, nil)

  init(key: RecordKey, lease: Scheduler.Lease, unit: UnitState) {
    self.key = key
    self.lease = lease
    link = unit.link
    records = unit.records
    events = unit.events
    pushes = unit.pushes
    holds = unit.holds
  }

  /// The record that the unit's trouble is noted at.
  var troubled: RecordKey { link?.key(on: .invoiced) ?? key }

  /// The records of the unit.
  var own: [RecordKey] { link.map { link in Side.allCases.map { link.key(on: $0) } } ?? [key] }

  var cause: Int64? { events.first?.id }

  func state(of key: RecordKey, now: Timestamp) -> RecordState {
    records[key] ?? RecordState(key: key, firstSeenAt: now)
  }

  /// Nil for a body that is empty or no JSON.
  mutating func body(of event: StoredEvent) -> JSONValue? {
    if let known = bodies[event.id] { return known }
    guard !event.event.body.isEmpty, let body = try? JSONValue(parsing: event.event.body) else { return nil }
    // Of a record with a flood of events not all are kept.
    if bodies.count < Self.mostBodies { bodies[event.id] = body }
    return body
  }

  private static let mostBodies = 16

  mutating func set(_ state: RecordState) {
    records[state.key] = state
    changes.records.removeAll { $0.key == state.key }
    changes.records.append(state)
  }

  /// Files a hold in place of the former one of its cause: of the same property, filed under either record, or else of the
  /// same record. The store files it in the same place, so that one is not to be closed.
  mutating func file(_ hold: Hold) {
    let former = holds.filter {
      $0.kind == hold.kind && $0.cause == hold.cause && $0.row == hold.row
        && (hold.row != nil || $0.record == hold.record)
    }
    holds.removeAll { former.contains($0) }
    changes.closedHolds += former.filter { $0.id != 0 && $0.record != hold.record }.map(\.id)
    holds.append(hold)
    changes.holds.append(hold)
  }

  mutating func set(_ link: Link) {
    self.link = link
    changes.links = [link]
  }

  mutating func note(
    _ kind: HistoryEntry.Kind, side: Side? = nil, property: String? = nil, old: JSONValue? = nil,
    new: JSONValue? = nil, from source: JSONValue? = nil, agreed: AgreedPair? = nil, rule: Int, _ sentence: String,
    at: Timestamp
  ) {
    var entry = HistoryEntry(
      kind: kind, flow: link?.flow ?? records[key]?.flow,
      invoicedID: link?.invoiced ?? (key.side == .invoiced ? key.id : nil),
      pmsID: link?.pms ?? (key.side == .pms ? key.id : nil), side: side, property: property, old: old, new: new,
      rule: rule, sentence: sentence, at: at, event: cause)
    entry.source = source
    entry.agreed = agreed
    changes.history.append(entry)
  }
}
