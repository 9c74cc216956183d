import JSON
import Mapping

/// One decision about a record, in a sentence, with the values that it was about (rule 25).
public struct HistoryEntry: Sendable, Hashable {
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case linked, unlinked, pushed, agreed, parked, conflict, resolved, deleted, merged, observed, discarded
  }

  public var kind: Kind
  public var flow: String?
  public var invoicedID: RecordID?
  public var pmsID: RecordID?
  /// The side that was written to or that it is about.
  public var side: Side?
  /// The property's path on `side`.
  public var property: String?
  public var old: JSONValue?
  public var new: JSONValue?
  /// The other side's raw value that a push carries.
  public var source: JSONValue?
  /// What was agreed of the row before; nil where nothing was.
  public var agreed: AgreedPair?
  /// The rule of rules.md that decided.
  public var rule: Int
  public var sentence: String
  public var at: Timestamp
  /// The stored event that caused it.
  public var event: Int64?

  public init(
    kind: Kind, flow: String?, invoicedID: RecordID?, pmsID: RecordID?, side: Side? = nil, property: String? = nil,
    old: JSONValue? = nil, new: JSONValue? = nil, rule: Int, sentence: String, at: Timestamp, event: Int64? = nil
  ) {
    self.kind = kind
    self.flow = flow
    self.invoicedID = invoicedID
    self.pmsID = pmsID
    self.side = side
    self.property = property
    self.old = old
    self.new = new
    self.rule = rule
    self.sentence = sentence
    self.at = at
    self.event = event
  }
}
