import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Synchronization

/// Speaks HTTP with one side: adds the credentials, and turns whatever isn't a 2xx into an error.
final class SideClient: Sendable {
  let side: Side
  let root: APIRoot
  let now: @Sendable () -> Timestamp
  private let transport: any HTTPTransport
  private let authenticator: Authenticator
  private let timeout: Duration
  private let clock = Mutex(ClockOffset())
  private let plain = PlainText(hiding: [])

  init(
    side: Side, url: String, authenticator: Authenticator, timeout: Duration, transport: any HTTPTransport,
    now: @escaping @Sendable () -> Timestamp
  ) {
    self.side = side
    root = APIRoot(url)
    self.authenticator = authenticator
    self.timeout = timeout
    self.transport = transport
    self.now = now
  }

  var clockOffset: Duration? { clock.withLock { $0.estimate } }

  /// Takes over what another client has learnt of the side's clock.
  func keepTime(of former: SideClient) {
    let known = former.clock.withLock { $0 }
    clock.withLock { $0 = known }
  }

  /// - Parameter target: Path and query, as `root.target` makes them.
  func send(
    _ method: String, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = []
  ) async throws(ConnectorError) -> HTTPResponse {
    let pass = try await authenticator.current()
    let response = try await exchange(method, target, headers, body, pass)
    if response.status == 401, authenticator.canRefresh {
      // The token may have been revoked before its time. A 401 did nothing, so the request can be repeated.
      let another = try await authenticator.current(insteadOf: pass)
      return try success(try await exchange(method, target, headers, body, another), another)
    }
    return try success(response, pass)
  }

  /// The answer's body as JSON.
  func json(_ response: HTTPResponse) throws(ConnectorError) -> JSONValue {
    if response.body.isEmpty {
      throw .unreadable(side, "it is empty (status \(response.status)) where JSON was expected")
    }
    do throws(JSONError) {
      return try JSONValue(parsing: response.body)
    } catch {
      let type = plain(response.headers["Content-Type"] ?? "an unknown type")
      throw .unreadable(side, "it is no JSON but \(type) (status \(response.status)): \(error)")
    }
  }

  /// For an answer that need not say anything: a page for people is no word of the API's, whatever its status.
  func refusePage(_ response: HTTPResponse) throws(ConnectorError) {
    if response.headers["Content-Type"]?.lowercased().contains("html") ?? false {
      throw .unreadable(side, "it is a page (status \(response.status)) and no word of the API's")
    }
  }

  func get(_ target: String) async throws(ConnectorError) -> (response: HTTPResponse, body: JSONValue) {
    let response = try await send("GET", target)
    return (response, try json(response))
  }

  /// Where the link to a listing's next page leads.
  func target(ofNext link: String, from current: String) throws(ConnectorError) -> String {
    do throws(ForeignOrigin) {
      return try root.target(of: link, from: current)
    } catch {
      throw .unreadable(
        side, "the next page is at \(plain(error.text)), and no credential leaves \(root.origin)")
    }
  }

  private func exchange(
    _ method: String, _ target: String, _ headers: HTTPHeaders, _ body: [UInt8], _ pass: Authenticator.Pass
  ) async throws(ConnectorError) -> HTTPResponse {
    var request = HTTPRequest(method: method, target: root.url(of: target), headers: headers, body: body)
    request.headers["Accept"] = "application/json"
    if let credential = pass.credential { request.headers[credential.header] = credential.value.revealedText }
    let sent = now()
    let response: HTTPResponse
    do throws(HTTPClientError) {
      response = try await transport.send(request, timeout: timeout)
    } catch {
      throw ConnectorError(error, side)
    }
    // An answer out of a cache tells an old time.
    if response.headers["Age"] == nil, let date = response.headers["Date"] {
      let received = now()
      clock.withLock { $0.note(date, sent: sent, received: received) }
    }
    return response
  }

  private func success(_ response: HTTPResponse, _ pass: Authenticator.Pass) throws(ConnectorError) -> HTTPResponse {
    if 200..<300 ~= response.status { return response }
    let refusal = Refusal(response, showing: PlainText(hiding: pass.secrets), now: now())
    throw .refused(
      side, status: response.status, message: refusal.message, property: refusal.property,
      retryAfter: refusal.retryAfter)
  }
}

extension ConnectorError {
  init(_ error: HTTPClientError, _ side: Side) {
    switch error {
    case .notSent(_, let cause): self = .notSent(side, cause)
    case .unanswered(_, let cause): self = .unanswered(side, cause)
    case .responseTooLarge(_, let limit): self = .tooLarge(side, limit: limit)
    case .cancelled: self = .cancelled
    case .invalidURL, .invalidRequest, .cannotStart: self = .notSent(side, "\(error)")
    }
  }
}
