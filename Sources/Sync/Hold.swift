import JSON
import Mapping

/// Work that waits for a change or a person, visible, with the reason and the next step (rule 20).
public struct Hold: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case parked
    /// One property changed on both sides, and the policy leaves it to a person; or a delete against an edit.
    case conflict
    /// A delete that the mass-delete guard holds.
    case deletion
  }

  /// Why; one entry per record and cause (and property, where one is named).
  public enum Cause: String, Sendable, Hashable, CaseIterable {
    case misfit, refused, ambiguous, conflict
    case deletedAgainstEdit = "deleted_against_edit"
    case massDelete = "mass_delete"
    case rejected, gaveUp = "gave_up"
    case backInTime = "back_in_time"
    case referenceLost = "reference_lost"
    case unansweredCreate = "unanswered_create"
    case deleteRefused = "delete_refused"
    case loop
    case unreadable
  }

  public enum State: String, Sendable, Hashable {
    case open
    /// A person left this pair of values as it is, until one of them changes.
    case discarded
    /// A person let the delete go that it is about: it stays filed until that is done.
    case approved
  }

  /// The store's number; 0 before the store has given one.
  public var id: Int64
  public var kind: Kind
  public var cause: Cause
  public var state: State
  public var flow: String?
  public var link: Int64?
  /// The record that it is filed under; nil for an event that could not be read.
  public var record: RecordKey?
  public var invoicedID: RecordID?
  public var pmsID: RecordID?
  /// The row's key and its path on the filed record's side, where one property is held.
  public var row: String?
  public var property: String?
  /// The raw values that it was planned from.
  public var invoiced: JSONValue?
  public var pms: JSONValue?
  /// Whatever else it was planned from, as text: while this and the values stay the same, nothing plans it again.
  public var basis: String
  /// What happened, to which record, in a sentence.
  public var reason: String
  public var nextStep: String
  public var attempts: Int
  public var at: Timestamp
  /// The stored event that led to it.
  public var event: Int64?

  public init(
    kind: Kind, cause: Cause, flow: String?, record: RecordKey?, basis: String, reason: String, nextStep: String,
    at: Timestamp
  ) {
    id = 0
    self.kind = kind
    self.cause = cause
    state = .open
    self.flow = flow
    self.record = record
    self.basis = basis
    self.reason = reason
    self.nextStep = nextStep
    self.at = at
    attempts = 1
  }
}

extension Hold {
  /// An event that could not be read: filed under no record, and no retry will read it.
  /// - Parameter number: The store's number of the event.
  public init(unreadable event: NewEvent, stored number: Int64) {
    self.init(
      kind: .parked, cause: .unreadable, flow: nil, record: nil, basis: event.eventID,
      reason: "event \(number) of \(event.side.title) can't be read: \(event.reason ?? "it is no event")",
      nextStep: "see what was sent (events show \(number)), and discard the entry when its sender is put right; what "
        + "changed meanwhile is found by reconcile",
      at: event.receivedAt)
    self.event = number
  }
}

extension Hold.Cause {
  /// The rule of rules.md by which work waits for it (rule 25).
  public var rule: Int {
    switch self {
    case .backInTime, .referenceLost: 5
    case .conflict: 8
    case .refused: 9
    case .ambiguous: 11
    case .unansweredCreate: 12
    case .deletedAgainstEdit, .massDelete, .deleteRefused: 14
    case .misfit: 16
    case .rejected, .gaveUp: 19
    case .loop, .unreadable: 20
    }
  }
}
