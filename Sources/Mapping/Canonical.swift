import JSON

/// What both sides' values are compared as, after converters.
///
/// Text compares by canonical equivalence (Unicode NFC), which is what Swift's `String ==` does.
public indirect enum Canonical: Sendable, Hashable {
  /// Absent, null or "" (unless the pair says `empty: keep`).
  case nothing
  case text(String)
  case integer(Int64)
  case decimal(ExactDecimal)
  case boolean(Bool)
  /// Days since 1970-01-01.
  case date(days: Int)
  /// Seconds since 1970-01-01T00:00:00Z, exact.
  case instant(ExactDecimal)
  case list([Canonical])
  /// Members by key (NFC); only in rows of type `N/A`.
  case object([String: Canonical])
}

/// A value that doesn't fit its row: the record is parked whole (rule 16).
public struct Misfit: Error, Hashable, Sendable, CustomStringConvertible {
  /// The side whose value it is.
  public var side: Side
  public var property: JSONPath
  /// The value, shortened for people.
  public var value: String
  /// What is wrong with it, as a clause: "is no integer".
  public var reason: String
  /// What to do about it.
  public var nextStep: String

  public init(side: Side, property: JSONPath, value: String, reason: String, nextStep: String) {
    self.side = side
    self.property = property
    self.value = value
    self.reason = reason
    self.nextStep = nextStep
  }

  public var description: String { "\(side.rawValue) property '\(property)' = \(value) \(reason); \(nextStep)" }
}
