import JSON
import Mapping

/// The pair of raw values of one row that were last known to mean the same; nil where nothing was there.
public struct AgreedPair: Sendable, Hashable {
  public var invoiced: JSONValue?
  public var pms: JSONValue?
  /// The row's fingerprint when this was agreed: paths, type and converters (rule 23).
  public var fingerprint: String
  /// True for a link made while the flow wasn't live enough to write: both values are a base to compare with, not
  /// agreed (rule 23).
  public var isBaseOnly: Bool

  public init(invoiced: JSONValue?, pms: JSONValue?, fingerprint: String, isBaseOnly: Bool = false) {
    self.invoiced = invoiced
    self.pms = pms
    self.fingerprint = fingerprint
    self.isBaseOnly = isBaseOnly
  }

  public subscript(side: Side) -> JSONValue? {
    get { side == .invoiced ? invoiced : pms }
    set { if side == .invoiced { invoiced = newValue } else { pms = newValue } }
  }
}

/// When, as far as can be known, a side's present value of a row was edited (rule 8, `newest`).
public struct Edit: Sendable, Hashable {
  /// By the side's clock, corrected by its offset; the time of receipt where it has no versions.
  public var at: Timestamp
  /// The raw value that was edited in.
  public var value: JSONValue?

  public init(at: Timestamp, value: JSONValue?) {
    self.at = at
    self.value = value
  }
}

/// One Invoiced record joined with one PMS record in a flow.
public struct Link: Sendable, Hashable {
  public enum State: String, Sendable, Hashable {
    case active
    /// One record is gone and the policy is `ignore`: it sleeps until the record is seen again.
    case asleep
    /// Ended by a delete, a policy or a person.
    case ended
  }

  /// The store's number; 0 before the store has given one.
  public var id: Int64
  public var flow: String
  public var invoiced: RecordID
  public var pms: RecordID
  public var state: State
  /// By the rows' keys (`PropertyPair.key`).
  public var agreed: [String: AgreedPair]
  /// By the rows' keys: edits seen and not agreed yet.
  public var invoicedEdits: [String: Edit]
  public var pmsEdits: [String: Edit]
  /// What our last pushes wrote, the newest last: a few of each row.
  public var writes: [OwnWrite] = []
  /// Edits that they fell on and that are not decided yet.
  public var overwritten: [Overwritten] = []
  /// By the rows' keys: when pushes were made that repeat or answer ours (rule 20).
  public var loops: [String: [Timestamp]] = [:]
  /// Updates of ours that may still arrive.
  public var late: [LateWrite] = []
  /// The reference to the other side last seen on each record.
  public var invoicedReference: RecordID?
  public var pmsReference: RecordID?
  public var createdAt: Timestamp
  public var endedAt: Timestamp?
  /// Why it ended or sleeps.
  public var reason: String?

  public init(flow: String, invoiced: RecordID, pms: RecordID, createdAt: Timestamp) {
    id = 0
    self.flow = flow
    self.invoiced = invoiced
    self.pms = pms
    self.createdAt = createdAt
    state = .active
    agreed = [:]
    invoicedEdits = [:]
    pmsEdits = [:]
  }

  public func id(on side: Side) -> RecordID { side == .invoiced ? invoiced : pms }
  public func key(on side: Side) -> RecordKey { RecordKey(side, id(on: side)) }

  public func edits(on side: Side) -> [String: Edit] { side == .invoiced ? invoicedEdits : pmsEdits }
  public mutating func setEdit(_ edit: Edit?, of row: String, on side: Side) {
    if side == .invoiced { invoicedEdits[row] = edit } else { pmsEdits[row] = edit }
  }
}
