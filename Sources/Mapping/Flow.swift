import JSON

/// What turns a value into the other side's form; a list of them is applied left to right on the way to the PMS.
public indirect enum Converter: Sendable, Hashable {
  public enum CountryForm: String, Sendable, Hashable, CaseIterable { case alpha2, alpha3, name }
  public enum UnixForm: String, Sendable, Hashable, CaseIterable { case date, datetime }

  /// `invoiced` is the left side of `values: { en: en-GB }`.
  public struct ValuePair: Sendable, Hashable {
    public var invoiced: JSONValue
    public var pms: JSONValue
    public init(invoiced: JSONValue, pms: JSONValue) {
      self.invoiced = invoiced
      self.pms = pms
    }
  }

  case not
  case values([ValuePair])
  case country(CountryForm)
  case pattern(prefix: String, suffix: String)
  case scale(Int)
  case unix(UnixForm)
  case trim
  case upper
  case lower
  case `default`(JSONValue)
  case split(separator: String, part: Int)
  case join(separator: String, with: [JSONPath])
  case keepEmpty
}

/// One row of the property table.
public struct PropertyPair: Sendable, Hashable {
  public var invoiced: JSONPath { didSet { renewNames() } }
  public var pms: JSONPath { didSet { renewNames() } }
  public var type: PropertyType { didSet { renewNames() } }
  public var direction: Direction
  public var converters: [Converter] { didSet { renewNames() } }
  /// Stands for the row in the store: its paths, a hyphen, its type and converters (rule 23). The same in every run.
  public private(set) var fingerprint = ""
  /// What names the row within its flow, whatever its type and converters: the two paths.
  public private(set) var key = ""
  public var position: SourcePosition?

  public init(
    invoiced: JSONPath, pms: JSONPath, type: PropertyType, direction: Direction = .both, converters: [Converter] = [],
    position: SourcePosition? = nil
  ) {
    self.invoiced = invoiced
    self.pms = pms
    self.type = type
    self.direction = direction
    self.converters = converters
    self.position = position
    renewNames()
  }

  private mutating func renewNames() {
    fingerprint = RowFingerprint.of(self)
    key = "\(invoiced)=\(pms)"
  }

  public func path(on side: Side) -> JSONPath { side == .invoiced ? invoiced : pms }
}

/// A row that a dataflow document lists with an empty cell: nothing is synchronised by it, and it stays in the document.
public struct UnmappedRow: Sendable, Hashable {
  /// The index in `properties` of the row that it stands before.
  public var before: Int
  public var invoiced: JSONPath?
  public var pms: JSONPath?
  public var type: PropertyType
  public var position: SourcePosition?

  public init(
    before: Int, invoiced: JSONPath? = nil, pms: JSONPath? = nil, type: PropertyType, position: SourcePosition? = nil
  ) {
    self.before = before
    self.invoiced = invoiced
    self.pms = pms
    self.type = type
    self.position = position
  }

  public func path(on side: Side) -> JSONPath? { side == .invoiced ? invoiced : pms }
}

/// One line of a `where`: all of a side's conditions must hold for a flow to own a record.
public struct Condition: Sendable, Hashable {
  public enum Test: Sendable, Hashable {
    case oneOf([JSONValue])
    case not(JSONValue)
    case exists(Bool)
  }
  public var path: JSONPath
  public var test: Test

  public init(path: JSONPath, test: Test) {
    self.path = path
    self.test = test
  }
}

/// A pair of properties that identify the same customer on both sides.
public struct MatchKey: Sendable, Hashable {
  public var invoiced: JSONPath
  public var pms: JSONPath

  public init(invoiced: JSONPath, pms: JSONPath) {
    self.invoiced = invoiced
    self.pms = pms
  }

  public func path(on side: Side) -> JSONPath { side == .invoiced ? invoiced : pms }
}

/// What a flow says of one side: which records are its own, and the constants of a record created there.
public struct FlowSide: Sendable, Hashable {
  /// `customer` on Invoiced, the entity's name on the PMS.
  public var object: String
  public var conditions: [Condition]
  public var set: [Assignment]

  public init(object: String, conditions: [Condition] = [], set: [Assignment] = []) {
    self.object = object
    self.conditions = conditions
    self.set = set
  }
}

/// A path and the value that is to stand there.
public struct Assignment: Sendable, Hashable {
  public var path: JSONPath
  public var value: JSONValue

  public init(_ path: JSONPath, _ value: JSONValue) {
    self.path = path
    self.value = value
  }
}

/// One section of the dataflow.
public struct Flow: Sendable, Hashable {
  public var name: String
  public var title: String?
  public var invoiced: FlowSide
  public var pms: FlowSide
  public var match: [MatchKey] = []
  /// Where each side stores the other's id; nil where it stores none.
  public var invoicedReference: JSONPath?
  public var pmsReference: JSONPath?
  public var create: CreatePolicy = .both
  public var onLink: LinkPolicy = .invoiced
  public var conflict: ConflictPolicy = .newest
  public var invoicedDeleted: DeletePolicy = .unlink
  public var pmsDeleted: DeletePolicy = .unlink
  /// What archives a record on a side; empty where the flow doesn't say how.
  public var archiveInvoiced: [Assignment] = []
  public var archivePMS: [Assignment] = []
  public var live: LiveStep = .all
  public var onLeave: LeavePolicy = .unlink
  public var properties: [PropertyPair] = []
  /// The document's rows that have no counterpart, by their place among `properties`.
  public var unmapped: [UnmappedRow] = []
  public var position: SourcePosition?

  public init(name: String, invoiced: FlowSide, pms: FlowSide) {
    self.name = name
    self.invoiced = invoiced
    self.pms = pms
  }

  public func side(_ side: Side) -> FlowSide { side == .invoiced ? invoiced : pms }
  public func reference(on side: Side) -> JSONPath? { side == .invoiced ? invoicedReference : pmsReference }
  public func archive(on side: Side) -> [Assignment] { side == .invoiced ? archiveInvoiced : archivePMS }
  /// What a delete seen on `side` does.
  public func deletePolicy(deletedOn side: Side) -> DeletePolicy { side == .invoiced ? invoicedDeleted : pmsDeleted }
}

/// The whole mapping, its flows in order: the first whose conditions fit owns a record.
public struct Mapping: Sendable, Hashable {
  public var flows: [Flow]

  public init(flows: [Flow]) { self.flows = flows }

  public func flow(named name: String) -> Flow? { flows.first { $0.name.isIdentical(to: name) } }

  /// Why there is no flow of that name, and which there are.
  public func noFlow(named name: String) -> String {
    "the mapping has no flow '\(name)'"
      + (flows.isEmpty ? "" : "; choose from \(alternatives(flows.map { "'\($0.name)'" }))")
  }
}
