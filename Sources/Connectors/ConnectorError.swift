import Mapping

/// Why a call to a side brought nothing.
public enum ConnectorError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It surely never reached the side (refused, no such host, TLS).
  case notSent(Side, String)
  /// It may have been done: a timeout, a reset, a cut-off answer.
  case unanswered(Side, String)
  /// The side refused it; `message` is its own text, shortened and without secrets. `retryAfter` in seconds.
  case refused(Side, status: Int, message: String, property: String?, retryAfter: Int?)
  /// A 2xx that makes no sense (no JSON, no id).
  case unreadable(Side, String)
  /// We didn't send it, because the side is known to refuse it: `reason` says what is wrong with `property`, or with
  /// the record as a whole. No word of the side's about how it is.
  case unsendable(Side, property: String?, reason: String)
  /// We didn't send it, because the record was changed since it was read.
  case overtaken(Side)
  /// The answer has more bytes than the limit, and would have again; the side has done what it was asked.
  case tooLarge(Side, limit: Int)
  /// The call was cancelled; a write may have been done.
  case cancelled

  /// What the side answered; an overtaken write counts as the 412 that `If-Match` would have brought.
  public var status: Int? {
    switch self {
    case .refused(_, let status, _, _, _): status
    case .overtaken: 412
    case .notSent, .unanswered, .unreadable, .tooLarge, .unsendable, .cancelled: nil
    }
  }

  public var description: String {
    switch self {
    case .notSent(let side, let reason): "\(side.title) could not be reached: \(reason)"
    case .unanswered(let side, let reason): "\(side.title) did not answer: \(reason)"
    case .refused(.invoiced, 401, _, _, _):
      // Its own words hold a part of the key.
      "Invoiced answered 401: it does not take our key; check invoiced.api_key"
    case .refused(let side, let status, let message, _, _):
      "\(side.title) answered \(status)\(message.isEmpty ? "" : ": \(message)")"
    case .unreadable(let side, let reason): "\(side.title)'s answer can't be read: \(reason)"
    case .unsendable(let side, _, let reason): "nothing was sent to \(side.title): \(reason)"
    case .overtaken(let side): "nothing was sent to \(side.title): the record was changed since it was read"
    case .tooLarge(let side, let limit): "\(side.title)'s answer was cut off: it is larger than \(limit) bytes"
    case .cancelled: "the call was cancelled"
    }
  }
}

extension ConnectorError {
  /// Whether a refusal with this status is trouble that passes by itself, or with patience (rule 19).
  public static func passes(_ status: Int) -> Bool { status >= 500 || [408, 425, 429].contains(status) }
}
