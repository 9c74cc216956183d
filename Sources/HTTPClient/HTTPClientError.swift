/// Why a request has no answer. No text of it holds a credential, a path or a query.
public enum HTTPClientError: Error, Equatable, CustomStringConvertible {
  /// The request did not reach the server: it wasn't found, refused the connection, or failed TLS. Safe to repeat.
  case notSent(host: String, cause: String)
  /// The request was sent, at least in part, and no whole answer came: the server may have done what it was asked.
  case unanswered(host: String, cause: String)
  /// The answer has more bytes than the limit. The server has done what it was asked.
  case responseTooLarge(host: String, limit: Int)
  /// The task was cancelled. If the request was on its way, the server may have done what it was asked.
  case cancelled
  case invalidURL(reason: String)
  /// A method or header that can't be written in HTTP.
  case invalidRequest(host: String, reason: String)
  /// A client could not be made.
  case cannotStart(reason: String)

  public var description: String {
    switch self {
    case .notSent(let host, let cause): "the request did not reach \(host): \(cause)"
    case .unanswered(let host, let cause): "\(host) gave no whole answer, and may have done what it was asked: \(cause)"
    case .responseTooLarge(let host, let limit): "the answer of \(host) is larger than \(limit) bytes"
    case .cancelled: "the request was cancelled"
    case .invalidURL(let reason): "the URL can't be used: \(reason)"
    case .invalidRequest(let host, let reason): "the request to \(host) can't be sent: \(reason)"
    case .cannotStart(let reason): "the HTTP client can't start: \(reason)"
    }
  }
}
