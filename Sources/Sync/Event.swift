import JSON
import Mapping

/// What an event says happened to its record.
public enum EventKind: String, Sendable, Hashable, CaseIterable {
  case created, updated, deleted, merged
  /// Seen by a listing, asked for by a person, or due again: look at the record.
  case seen
  /// A type that no flow uses.
  case other
}

/// Where work came from.
public enum EventOrigin: String, Sendable, Hashable, CaseIterable {
  case webhook, callback, backfill, reconcile, replay, person
}

/// The states of an event (contract section 7).
public enum EventState: String, Sendable, Hashable, CaseIterable {
  case waiting, running, retrying, done, ignored, parked, held, conflict

  /// Whether work on it is still to come by itself.
  public var isPending: Bool { self == .waiting || self == .running || self == .retrying }
}

/// An event as it is to be stored.
public struct NewEvent: Sendable {
  public var side: Side
  /// Compared as bytes, per side (rule 2).
  public var eventID: String
  public var type: String
  public var kind: EventKind
  public var origin: EventOrigin
  public var record: RecordID?
  public var body: [UInt8]
  public var receivedAt: Timestamp
  /// `waiting`, `ignored`, or `parked` for a body that can't be read.
  public var state: EventState
  public var reason: String?

  public init(
    side: Side, eventID: String, type: String, kind: EventKind, origin: EventOrigin, record: RecordID?, body: [UInt8],
    receivedAt: Timestamp, state: EventState = .waiting, reason: String? = nil
  ) {
    self.side = side
    self.eventID = eventID
    self.type = type
    self.kind = kind
    self.origin = origin
    self.record = record
    self.body = body
    self.receivedAt = receivedAt
    self.state = state
    self.reason = reason
  }
}

/// An event as the inbox keeps it.
public struct StoredEvent: Sendable {
  public var id: Int64
  public var event: NewEvent
  public var state: EventState
  public var attempts: Int
  /// When work on it is due; nil when none is.
  public var dueAt: Timestamp?
  public var reason: String?
  public var finishedAt: Timestamp?

  public init(
    id: Int64, event: NewEvent, state: EventState, attempts: Int, dueAt: Timestamp?, reason: String?,
    finishedAt: Timestamp?
  ) {
    self.id = id
    self.event = event
    self.state = state
    self.attempts = attempts
    self.dueAt = dueAt
    self.reason = reason
    self.finishedAt = finishedAt
  }

  public var key: RecordKey? { event.record.map { RecordKey(event.side, $0) } }
}
