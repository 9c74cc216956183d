import JSON
import Mapping
import Sync

/// Where everything durable lives. Every method that writes returns only after its change is durable (rule 1);
/// many changes share one commit.
public protocol Store: Sendable {
  // MARK: The inbox

  /// Stores an event once; `completion` runs after the event is durable, on a thread of the store's or where the store
  /// was told to deliver it, and must not block.
  func append(_ event: NewEvent, completion: @escaping @Sendable (Result<Receipt, StoreError>) -> Void)

  /// The records that have pending events due by `time`, oldest first, with the time of the next one due after it.
  func due(by time: Timestamp, limit: Int) async throws(StoreError) -> DueWork

  func event(_ id: Int64) async throws(StoreError) -> StoredEvent?
  /// Newest first. `flow` is that of the event's record.
  func events(_ query: ListQuery) async throws(StoreError) -> Listing<StoredEvent>

  // MARK: Work

  /// Everything known about a record's unit: its link's two records, or the record alone.
  func unit(of key: RecordKey) async throws(StoreError) -> UnitState

  /// Makes all of `changes` durable, or none.
  func commit(_ changes: Changes) async throws(StoreError) -> Committed

  /// Creates under way that hold any of these claims, or whose source is one of these records.
  func creates(claiming claims: [Push.Claim], sources: [RecordKey]) async throws(StoreError) -> [Push]
  /// Creates on `side` that were written down and have no answer yet, whether one may still come or not.
  func unansweredCreates(on side: Side) async throws(StoreError) -> [Push]
  /// Every push that was written down and never settled: what a crash left behind.
  func unsettledPushes() async throws(StoreError) -> [Push]

  // MARK: What people ask

  /// Oldest first, ended ones too; `side` says on which side `record` is, `since` and `until` are of its creation.
  func links(_ query: ListQuery) async throws(StoreError) -> Listing<Link>
  func link(_ id: Int64) async throws(StoreError) -> Link?
  /// How many links of a flow are active.
  func activeLinks(in flow: String) async throws(StoreError) -> Int
  /// Oldest first; the open ones unless `state` asks for others. `type` is the cause, `eventID` that of the event which
  /// led to it.
  func holds(_ kind: Hold.Kind, _ query: ListQuery) async throws(StoreError) -> Listing<Hold>
  func hold(_ id: Int64) async throws(StoreError) -> Hold?
  /// Newest first. `type` is the kind, `eventID` of the event that caused it.
  func history(_ query: ListQuery) async throws(StoreError) -> Listing<HistoryEntry>
  func record(_ key: RecordKey) async throws(StoreError) -> RecordState?
  /// Records of a side by id, for walking them with bounded memory.
  func records(on side: Side, after id: RecordID?, limit: Int) async throws(StoreError) -> [RecordState]
  func counts() async throws(StoreError) -> StoreCounts

  // MARK: Walks over all records

  /// The numbers that the store gave these records when they were first stored; they rise.
  func numbers(of ids: [RecordID], on side: Side) async throws(StoreError) -> [RecordID: Int64]
  /// The highest number given so far; 0 without records.
  func newestNumber() async throws(StoreError) -> Int64
  /// Records of a side that are known as alive, by id, of which `isSeen` doesn't know the number.
  func alive(
    on side: Side, after id: RecordID?, upTo newest: Int64, unless isSeen: @escaping @Sendable (Int64) -> Bool,
    limit: Int
  ) async throws(StoreError) -> [RecordKey]
  /// How many pending events were received until then; all of them for nil.
  func pendingEvents(receivedBy time: Timestamp?) async throws(StoreError) -> Int

  // MARK: Small things that are kept by name

  /// Bookmarks, pauses and the like.
  func value(_ name: String) async throws(StoreError) -> String?
  func setValue(_ value: String?, for name: String) async throws(StoreError)

  /// Removes events finished before `events`, those received before it that wait for a person without an open hold, and
  /// history before `history`.
  func prune(events: Timestamp, history: Timestamp) async throws(StoreError)
  /// Erases a customer's records, link, events, holds and history so that no byte of them is in the store's files
  /// (rule 24).
  func forget(_ keys: [RecordKey]) async throws(StoreError)
  /// Whether the record was erased: it is kept apart, and nothing about it is stored again.
  func isForgotten(_ key: RecordKey) async throws(StoreError) -> Bool

  /// A trivial durable write; throws when the store can't commit. For readiness.
  func probe() async throws(StoreError)
  func close() async
}

extension Store {
  /// Stores an event once; returns after it is durable.
  public func append(_ event: NewEvent) async throws(StoreError) -> Receipt {
    let result: Result<Receipt, StoreError> = await withCheckedContinuation { continuation in
      append(event) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }
}

/// What became of an event that was to be stored.
public enum Receipt: Sendable, Hashable {
  case accepted(id: Int64)
  /// The store's number of the event that came first.
  case duplicate(id: Int64)
  /// Of a forgotten record: to be answered as if it were accepted; nothing of it is stored (rule 24).
  case forgotten
}

public struct DueWork: Sendable {
  public var keys: [RecordKey]
  /// When the next pending event is due that isn't due yet.
  public var next: Timestamp?

  public init(keys: [RecordKey], next: Timestamp?) {
    self.keys = keys
    self.next = next
  }
}

/// What one worker has in hand.
public struct UnitState: Sendable {
  /// How many events a unit brings along; the rest comes when these are done.
  public static let mostEvents = 500

  public var link: Link?
  /// The record asked for and, where it is linked, the other one.
  public var records: [RecordKey: RecordState]
  /// Pending events of these records, in the order they were stored; at most `mostEvents`, the oldest.
  public var events: [StoredEvent]
  /// Pushes from or to these records that are not settled.
  public var pushes: [Push]
  /// Holds of any state, filed under the link or these records.
  public var holds: [Hold]

  public init(
    link: Link? = nil, records: [RecordKey: RecordState] = [:], events: [StoredEvent] = [], pushes: [Push] = [],
    holds: [Hold] = []
  ) {
    self.link = link
    self.records = records
    self.events = events
    self.pushes = pushes
    self.holds = holds
  }
}

/// What one transaction changes. The parts are applied in the order of the properties below.
public struct Changes: Sendable {
  /// Inserted or replaced.
  public var records: [RecordState] = []
  /// Inserted when its id is 0 (at most one such), else replaced. A record that has another link which hasn't ended
  /// makes the commit fail with `claimed`.
  public var links: [Link] = []
  /// Inserted with their claims when the id is 0, else replaced. A new create's claim that another create holds, or a
  /// source that another create has, makes the commit fail with `claimed`.
  public var pushes: [Push] = []
  public var settledPushes: [Int64] = []
  /// Inserted when the id is 0; one that is filed already (same record, kind, cause and row) is replaced: it keeps its
  /// id and `at`, and counts one attempt more.
  public var holds: [Hold] = []
  public var closedHolds: [Int64] = []
  public var events: [EventOutcome] = []
  /// Records whose work is done: their earlier events that were parked, held or in conflict are done too, where no open
  /// hold is left. The same goes by itself for the records of holds that are closed or discarded.
  public var finished: [RecordKey] = []
  /// Work that follows from this: stored as events of the inbox, waiting.
  public var followUps: [NewEvent] = []
  public var history: [HistoryEntry] = []

  public init() {}

  public var isEmpty: Bool {
    records.isEmpty && links.isEmpty && pushes.isEmpty && settledPushes.isEmpty && holds.isEmpty
      && closedHolds.isEmpty && events.isEmpty && finished.isEmpty && followUps.isEmpty && history.isEmpty
  }
}

/// What became of an event that was worked on.
public struct EventOutcome: Sendable, Hashable {
  public var id: Int64
  public var state: EventState
  public var attempts: Int
  public var dueAt: Timestamp?
  public var reason: String?
  public var at: Timestamp

  public init(
    id: Int64, state: EventState, attempts: Int, dueAt: Timestamp? = nil, reason: String? = nil, at: Timestamp
  ) {
    self.id = id
    self.state = state
    self.attempts = attempts
    self.dueAt = dueAt
    self.reason = reason
    self.at = at
  }
}

/// The numbers that a commit gave out.
public struct Committed: Sendable, Hashable {
  public var link: Int64?
  /// In the order of the new pushes in `Changes.pushes`.
  public var pushes: [Int64]
  public var holds: [Int64]

  public init(link: Int64? = nil, pushes: [Int64] = [], holds: [Int64] = []) {
    self.link = link
    self.pushes = pushes
    self.holds = holds
  }
}

/// A page of a list, and how it is filtered (contract section 7).
public struct ListQuery: Sendable {
  public var after: Int64?
  public var limit: Int
  public var side: Side?
  public var flow: String?
  public var type: String?
  public var state: String?
  /// A record's id on either side.
  public var record: String?
  /// A sender's event id.
  public var eventID: String?
  public var since: Timestamp?
  public var until: Timestamp?

  public init(after: Int64? = nil, limit: Int = 100) {
    self.after = after
    self.limit = limit
  }
}

public struct Listing<Item: Sendable>: Sendable {
  public var items: [Item]
  /// Where the next page begins; nil after the last.
  public var next: Int64?

  public init(items: [Item], next: Int64?) {
    self.items = items
    self.next = next
  }
}

public struct StoreCounts: Sendable {
  /// Of all states but `done` and `ignored`, whose events are too many to count.
  public var events: [EventState: Int] = [:]
  /// Of the pending event that was received first.
  public var oldestPending: Timestamp?
  public var activeLinks: [String: Int] = [:]
  /// Per flow: links, and records without one, with work that the flow's `live` step holds back.
  public var heldBack: [String: Int] = [:]
  public var openHolds: [Hold.Kind: Int] = [:]

  public init() {}
}
