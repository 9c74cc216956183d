/// One problem of a configuration, a mapping or a document: where it is, what is wrong, and what to write instead.
public struct Diagnostic: Sendable, Hashable, CustomStringConvertible {
  public enum Severity: String, Sendable, Hashable, CaseIterable {
    /// The file can't be used as it stands.
    case error
    /// The file can be used; someone should look.
    case warning
  }

  public var severity: Severity
  public var position: SourcePosition?
  /// The name of the flow that it is about.
  public var flow: String?
  /// The row of that flow's property table, from 0.
  public var row: Int?
  /// What is wrong, as a sentence without a full stop.
  public var message: String
  /// What to write or do instead; empty where the message says it all.
  public var advice: String

  public init(
    _ severity: Severity, at position: SourcePosition? = nil, flow: String? = nil, row: Int? = nil, _ message: String,
    advice: String = ""
  ) {
    self.severity = severity
    self.position = position
    self.flow = flow
    self.row = row
    self.message = message
    self.advice = advice
  }

  /// `error: mapping.yaml:14:21: MESSAGE`, and a second line `  next: ADVICE` where there is one.
  public var description: String {
    let place = position.map { "\($0): " } ?? ""
    return "\(severity.rawValue): \(place)\(message)" + (advice.isEmpty ? "" : "\n  next: \(advice)")
  }
}

extension Sequence where Element == Diagnostic {
  public var hasErrors: Bool { contains { $0.severity == .error } }
}
