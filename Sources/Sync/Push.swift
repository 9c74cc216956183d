import JSON
import Mapping

/// One create, update or delete on one side, written down before it is sent (rule 12).
public struct Push: Sendable, Hashable {
  public enum Action: String, Sendable, Hashable, CaseIterable {
    case create, update
    /// Of the survivor of a delete; with properties it is archived by these.
    case delete
    /// The write-back of the other side's id.
    case reference
  }

  /// One property of a push: what stood there, what was sent, and the source's raw value that it stands for.
  public struct Property: Sendable, Hashable {
    /// The row's key; nil for a constant, a reference or a match key that is no row.
    public var row: String?
    public var path: JSONPath
    public var former: JSONValue?
    public var sent: JSONValue
    public var source: JSONValue?

    public init(row: String?, path: JSONPath, former: JSONValue?, sent: JSONValue, source: JSONValue?) {
      self.row = row
      self.path = path
      self.former = former
      self.sent = sent
      self.source = source
    }
  }

  /// What a create claims while it is under way: a match key's value in its flow.
  public struct Claim: Sendable, Hashable {
    public var flow: String
    /// The key's path on Invoiced, which names the key.
    public var key: String
    /// The canonical value's text.
    public var value: String

    public init(flow: String, key: String, value: String) {
      self.flow = flow
      self.key = key
      self.value = value
    }
  }

  public enum State: String, Sendable, Hashable {
    /// Written down, perhaps sent, no answer yet.
    case sent
    /// Known to be unanswered: to be looked up (create) or settled by the next observation (update).
    case unanswered
    /// An update's answer showed a former value still standing: a second look after `confirm` decides whether that is a
    /// refusal.
    case doubted
  }

  /// The store's number; 0 before the store has given one.
  public var id: Int64
  public var action: Action
  public var flow: String
  /// The record whose change is pushed.
  public var source: RecordKey
  /// Nil for a create.
  public var target: RecordID?
  public var link: Int64?
  public var properties: [Property]
  public var claims: [Claim]
  /// A fresh one for each logical write; of an unanswered create, the one to try again with.
  public var idempotencyKey: String
  public var state: State
  public var sentAt: Timestamp
  /// The target's version as it was read before; nil where it has none.
  public var read: Version?
  /// Invoiced's metadata as it was read before, where some of it is written: it is replaced whole.
  public var metadata: JSONValue?
  /// The stored event that caused it, where one did.
  public var event: Int64?

  public init(
    action: Action, flow: String, source: RecordKey, target: RecordID?, link: Int64?, properties: [Property],
    claims: [Claim] = [], idempotencyKey: String, sentAt: Timestamp, event: Int64?
  ) {
    id = 0
    self.action = action
    self.flow = flow
    self.source = source
    self.target = target
    self.link = link
    self.properties = properties
    self.claims = claims
    self.idempotencyKey = idempotencyKey
    state = .sent
    self.sentAt = sentAt
    self.event = event
  }

  /// Whether it does a delete by archiving.
  public var isArchive: Bool { action == .delete && !properties.isEmpty }

  /// The side that is written to.
  public var side: Side { source.side.other }
}

extension Push {
  /// A record with these properties' sent values at their paths.
  public static func record(of properties: [Property]) -> JSONValue {
    var record = JSONValue.object(JSONObject())
    for property in properties { record.set(property.sent, at: property.path) }
    return record
  }
}

extension [Push] {
  /// The create of a record's partner that is under way.
  public func create(for source: RecordKey) -> Push? { first { $0.action == .create && $0.source == source } }
}

extension Flow {
  /// What a create for this record claims by a match key; nil for a key without a value (rule 12).
  public func claim(_ key: MatchKey, of record: JSONValue, on side: Side) -> Push.Claim? {
    matchText(key, of: record, on: side).map {
      Push.Claim(flow: name, key: key.invoiced.description, value: $0)
    }
  }
}
