import JSON
import Mapping
import Sync

/// One of the two systems, as the engine sees it.
public protocol Connector: Sendable {
  var side: Side { get }
  var abilities: ConnectorAbilities { get }
  /// Where a record keeps its own id.
  var idPath: JSONPath { get }

  /// How far the side's clock is ahead of ours, by the `Date` of its answers; nil before the first.
  var clockOffset: Duration? { get }

  /// The record now; `gone` for a 404 or 410.
  func fetch(_ id: RecordID) async throws(ConnectorError) -> Fetched

  /// Records that the side says have `value` at `path`. Searches lie: the caller compares again.
  func find(_ path: JSONPath, _ value: JSONValue) async throws(ConnectorError) -> [Observation]

  /// One page of all records, or of those changed since `updatedSince`, from `cursor` on.
  func list(updatedSince: Timestamp?, cursor: ListCursor?) async throws(ConnectorError) -> ListPage

  /// Creates a record; the key is fresh for each logical write.
  func create(_ record: JSONValue, idempotencyKey: String) async throws(ConnectorError) -> Written

  /// Writes just these properties, against the observation that they were planned from.
  func update(_ changes: [Assignment], of base: Observation, idempotencyKey: String) async throws(ConnectorError)
    -> Written

  func delete(_ id: RecordID, etag: String?) async throws(ConnectorError)

  /// The observation that a record's JSON makes (its id and version are read from it); nil without an id.
  func observation(of record: JSONValue, source: Observation.Source, at: Timestamp) -> Observation?

  /// What the side's documented limits would refuse in a record that is to be written (rule 19), before it is sent.
  func misfits(in changes: [Assignment]) -> [Misfit]

  /// Whether the side answers, with our credentials.
  func probe() async throws(ConnectorError)

  /// The events of customers since a moment, oldest first, where the side can list them; nil where it can't.
  /// - Parameters:
  ///   - id: Only those about this record. After a merge the absorbed one's answer under the survivor's id.
  ///   - type: Only those of this type, such as `customer.merged`.
  func events(since: Timestamp, relatedTo id: RecordID?, type: String?) async throws(ConnectorError) -> [JSONValue]?

  /// One page of the events of customers since a moment, oldest first, from `cursor` on; nil where the side can't list
  /// them.
  func eventPage(since: Timestamp, cursor: ListCursor?) async throws(ConnectorError) -> EventPage?
}

extension Connector {
  public func events(since: Timestamp, relatedTo id: RecordID?) async throws(ConnectorError) -> [JSONValue]? {
    try await events(since: since, relatedTo: id, type: nil)
  }

  public func eventPage(since: Timestamp, cursor: ListCursor?) async throws(ConnectorError) -> EventPage? {
    try await events(since: since, relatedTo: nil).map { EventPage(events: $0, next: nil) }
  }
}

public struct EventPage: Sendable {
  /// As a webhook would bring them.
  public var events: [JSONValue]
  public var next: ListCursor?

  public init(events: [JSONValue], next: ListCursor?) {
    self.events = events
    self.next = next
  }
}

public struct ConnectorAbilities: Sendable, Hashable {
  /// Records carry `updated_at`.
  public var hasVersions: Bool
  public var hasETags: Bool
  /// Listings can be narrowed to what changed since a moment.
  public var listsUpdatedSince: Bool
  /// Records can be looked up by a property's value.
  public var finds: Bool

  public init(hasVersions: Bool, hasETags: Bool, listsUpdatedSince: Bool, finds: Bool) {
    self.hasVersions = hasVersions
    self.hasETags = hasETags
    self.listsUpdatedSince = listsUpdatedSince
    self.finds = finds
  }
}

public enum Fetched: Sendable, Hashable {
  case found(Observation)
  case gone(status: Int)
}

/// What a write's answer showed.
public struct Written: Sendable, Hashable {
  /// The new record's or the written record's id; nil when a create's answer didn't name it.
  public var id: RecordID?
  /// The record as answered; nil for an answer without it.
  public var observation: Observation?
  /// The record as it was read right before the write, where the side needs read-lay-in-write.
  public var before: Observation?

  public init(id: RecordID?, observation: Observation?, before: Observation? = nil) {
    self.id = id
    self.observation = observation
    self.before = before
  }
}

/// Where a listing goes on; its content is the connector's own.
public struct ListCursor: Sendable, Hashable, Codable {
  public var text: String
  public init(text: String) { self.text = text }
}

public struct ListPage: Sendable {
  public var items: [Observation]
  public var next: ListCursor?
  /// How many there are in all, where the side says.
  public var total: Int?

  public init(items: [Observation], next: ListCursor?, total: Int? = nil) {
    self.items = items
    self.next = next
    self.total = total
  }
}
