import JSON
import Mapping

/// What to do now for one link.
public struct Plan: Sendable, Hashable {
  /// One property to be written to a side.
  public struct Change: Sendable, Hashable {
    /// Nil for a reference, a constant, or a value that is put back.
    public var row: PropertyPair?
    public var path: JSONPath
    public var value: JSONValue
    /// What stands there now.
    public var former: JSONValue?
    /// The source's raw value.
    public var source: JSONValue?
    /// The value that loses to this one, where both sides had been edited.
    public var lost: JSONValue?
    public var rule: Int
    /// Which value came from where and why, in a sentence.
    public var sentence: String
  }

  /// What is to be written to each side, in the order of the rows.
  public var toInvoiced: [Change] = []
  public var toPMS: [Change] = []
  /// Reference write-backs by side.
  public var references: [Side: Change] = [:]
  /// Rows whose values mean the same now and were not agreed as they stand.
  public var agreed: [String: AgreedPair] = [:]
  /// Rows that exist no more.
  public var dropped: [String] = []
  /// Rows held up by a conflict, with the reason; and what parks the whole record.
  public var conflicts: [Conflict] = []
  public var misfit: Misfit?
  /// Rows that wait for a hold that is filed already.
  public var held: [String] = []
  /// Rows that were pushed to and fro too often (rule 20).
  public var loops: [Loop] = []
  /// Edits that our writes fell on and about which nothing is left to do (rule 18).
  public var settledOverwrites: [Overwritten] = []
  /// What the flow's `live` step doesn't let us write.
  public var heldBack = 0

  public struct Conflict: Sendable, Hashable {
    public var row: PropertyPair
    public var invoiced: JSONValue?
    public var pms: JSONValue?
    public var basis: String
    public var sentence: String
  }

  public struct Loop: Sendable, Hashable {
    public var row: PropertyPair
    public var to: Side
    public var value: JSONValue
  }

  public func changes(to side: Side) -> [Change] { side == .invoiced ? toInvoiced : toPMS }

  /// Nothing is to be written.
  public var isQuiet: Bool { toInvoiced.isEmpty && toPMS.isEmpty && references.isEmpty }

  mutating func add(_ change: Change, to side: Side) {
    if side == .invoiced { toInvoiced.append(change) } else { toPMS.append(change) }
  }
}

/// What a link is planned from.
public struct PlanInput: Sendable {
  public var flow: Flow
  public var link: Link
  public var invoiced: JSONValue
  public var pms: JSONValue
  /// The `id` of each record as JSON, for the references.
  public var invoicedID: JSONValue
  public var pmsID: JSONValue
  public var holds: [Hold]
  /// What a side is to be sent because the other one's record came to fit the flow (rule 23).
  public var constants: [Assignment] = []
  public var constantsSide = Side.pms
  public var loopGuard: LoopGuard?

  public init(
    flow: Flow, link: Link, invoiced: JSONValue, pms: JSONValue, invoicedID: JSONValue, pmsID: JSONValue,
    holds: [Hold] = []
  ) {
    self.flow = flow
    self.link = link
    self.invoiced = invoiced
    self.pms = pms
    self.invoicedID = invoicedID
    self.pmsID = pmsID
    self.holds = holds
  }

  public func record(on side: Side) -> JSONValue { side == .invoiced ? invoiced : pms }
}
