import Mapping

/// Collects every problem of a file while it is read, so that all are reported and not just the first.
public final class ProblemList {
  public private(set) var diagnostics: [Diagnostic] = []
  /// The flow that is being read; new problems are filed under it.
  public var flow: String?
  /// The row that is being read, from 0.
  public var row: Int?

  public init() {}

  public var hasErrors: Bool { diagnostics.hasErrors }

  public func error(at position: SourcePosition?, _ message: String, advice: String = "") {
    diagnostics.append(Diagnostic(.error, at: position, flow: flow, row: row, message, advice: advice))
  }

  public func warning(at position: SourcePosition?, _ message: String, advice: String = "") {
    diagnostics.append(Diagnostic(.warning, at: position, flow: flow, row: row, message, advice: advice))
  }
}
