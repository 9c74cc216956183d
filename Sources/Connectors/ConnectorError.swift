import Mapping

/// Why a call to a side brought nothing.
public enum ConnectorError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It surely never reached the side (refused, no such host, TLS).
  case notSent(Side, String)
  /// It may have been done: a timeout, a reset, a cut-off answer.
  case unanswered(Side, String)
  /// The side refused it; `message` is its own text, shortened and without secrets. `retryAfter` in seconds.
  case refused(Side, status: Int, message: String, property: String?, retryAfter: Int?)
  /// A 2xx that makes no sense (no JSON, no id, over the limit).
  case unreadable(Side, String)
  /// The call was cancelled; a write may have been done.
  case cancelled

  public var status: Int? { if case .refused(_, let status, _, _, _) = self { status } else { nil } }

  public var description: String {
    switch self {
    case .notSent(let side, let reason): "\(side.title) could not be reached: \(reason)"
    case .unanswered(let side, let reason): "\(side.title) did not answer: \(reason)"
    case .refused(let side, let status, let message, _, _):
      "\(side.title) answered \(status)\(message.isEmpty ? "" : ": \(message)")"
    case .unreadable(let side, let reason): "\(side.title)'s answer can't be read: \(reason)"
    case .cancelled: "the call was cancelled"
    }
  }
}
