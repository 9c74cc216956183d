/// One of the two systems.
public enum Side: String, Sendable, Hashable, CaseIterable, Codable {
  case invoiced
  case pms

  public var other: Side { self == .invoiced ? .pms : .invoiced }

  /// By the case: what comes with a raw value hashes its text, and records are looked up by their side all the time.
  public func hash(into hasher: inout Hasher) {
    switch self {
    case .invoiced: hasher.combine(0 as UInt8)
    case .pms: hasher.combine(1 as UInt8)
    }
  }

  /// The system's name for people.
  public var title: String { self == .invoiced ? "Invoiced" : "the PMS" }
}

/// The data type of a property on the PMS: the third column of the property table.
public enum PropertyType: String, Sendable, Hashable, CaseIterable {
  case string, integer, decimal, boolean, date, datetime
  /// As it is: any JSON value.
  case any = "N/A"
}

/// Which way a property flows.
public enum Direction: String, Sendable, Hashable, CaseIterable {
  case both
  case toPMS = "to_pms"
  case toInvoiced = "to_invoiced"

  /// Whether edits on `side` are carried to the other side.
  public func carries(from side: Side) -> Bool {
    switch self {
    case .both: true
    case .toPMS: side == .invoiced
    case .toInvoiced: side == .pms
    }
  }
}

/// Who wins when a link is formed and both sides have a value (rule 13).
public enum LinkPolicy: String, Sendable, Hashable, CaseIterable { case invoiced, pms, newest }

/// Who wins when both sides changed a property apart (rule 8).
public enum ConflictPolicy: String, Sendable, Hashable, CaseIterable { case newest, invoiced, pms, manual }

/// What a delete on one side does to the other (rule 14).
public enum DeletePolicy: String, Sendable, Hashable, CaseIterable { case propagate, archive, unlink, ignore }

/// On which side records may be created.
public enum CreatePolicy: String, Sendable, Hashable, CaseIterable {
  case both, pms, invoiced, none

  public func allows(on side: Side) -> Bool {
    switch self {
    case .both: true
    case .none: false
    case .pms: side == .pms
    case .invoiced: side == .invoiced
    }
  }
}

/// How far a flow acts; each step includes the ones before it.
public enum LiveStep: String, Sendable, Hashable, CaseIterable, Comparable {
  case observe, links, updates, creates, all

  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// What becomes of a link whose record no flow fits any more.
public enum LeavePolicy: String, Sendable, Hashable, CaseIterable { case unlink, delete, keep }

/// Where something stands in a file, from 1; nil where it came from no file.
public struct SourcePosition: Sendable, Hashable, CustomStringConvertible {
  public var file: String
  public var line: Int
  public var column: Int

  public init(file: String, line: Int, column: Int) {
    self.file = file
    self.line = line
    self.column = column
  }

  public var description: String { "\(file):\(line):\(column)" }
}
