import Connectors
import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Synchronization

/// A side that answers from a script, and remembers what it was asked.
final class ScriptedTransport: HTTPTransport {
  typealias Answer = Result<HTTPResponse, HTTPClientError>

  private let state: Mutex<(asked: [HTTPRequest], timeouts: [Duration?])> = Mutex(([], []))
  private let answer: @Sendable (Int, HTTPRequest) async -> Answer

  /// - Parameter answer: Takes the request and its number, from 0.
  init(_ answer: @escaping @Sendable (Int, HTTPRequest) async -> Answer) { self.answer = answer }

  /// Answers in turn; past the end, as a server that is out of answers.
  convenience init(_ answers: [Answer]) {
    self.init { index, _ in
      index < answers.count ? answers[index] : .success(HTTPResponse(status: 599, body: Array("{}".utf8)))
    }
  }

  convenience init(_ answers: HTTPResponse...) { self.init(answers.map { .success($0) }) }

  func send(_ request: HTTPRequest, timeout: Duration?) async throws(HTTPClientError) -> HTTPResponse {
    let index = state.withLock { state in
      state.asked.append(request)
      state.timeouts.append(timeout)
      return state.asked.count - 1
    }
    return try await answer(index, request).get()
  }

  var asked: [HTTPRequest] { state.withLock { $0.asked } }
  var timeouts: [Duration?] { state.withLock { $0.timeouts } }

  /// `METHOD URL` of each request.
  var lines: [String] { asked.map { "\($0.method) \($0.target)" } }

  var bodies: [JSONValue] { asked.map { (try? JSONValue(parsing: $0.body)) ?? .null } }
}

extension HTTPResponse {
  static func json(_ text: String, status: Int = 200, _ headers: HTTPHeaders = [:]) -> HTTPResponse {
    var headers = headers
    headers["Content-Type"] = "application/json"
    return HTTPResponse(status: status, headers: headers, body: Array(text.utf8))
  }

  static let html = HTTPResponse(
    status: 200, headers: ["Content-Type": "text/html"], body: Array("<html><body>Sign in</body></html>".utf8))
}

/// 2026-03-01T12:00:00Z.
let noon = Timestamp(milliseconds: 1_772_366_400_000)

extension InvoicedConnector {
  static func make(_ transport: any HTTPTransport) -> InvoicedConnector {
    InvoicedConnector(
      url: "https://api.invoiced.test", apiKey: Secret("abcKEYxyz"), timeout: .seconds(7), transport: transport,
      now: { noon })
  }
}

extension PMSConnector {
  static func make(
    _ transport: any HTTPTransport, _ authentication: PMSAuthentication = .none, _ entity: PMSEntity = PMSEntity()
  ) -> PMSConnector {
    PMSConnector(
      PMSEndpoint(url: "https://pms.test/api/v1", authentication: authentication, entity: entity),
      transport: transport, now: { noon })
  }
}

func observed(_ side: Side, _ id: String, _ record: JSONValue, etag: String? = nil) -> Observation {
  Observation(
    key: RecordKey(side, RecordID(id)), record: record, version: nil, etag: etag, source: .fetch, seenAt: noon)
}

func path(_ text: String) -> JSONPath { JSONPath(text) ?? JSONPath([]) }

func set(_ path: String, _ value: JSONValue) -> Assignment { Assignment(JSONPath(path) ?? JSONPath([]), value) }

/// What a call threw; nil when it threw nothing.
func failure<Value>(_ call: () async throws(ConnectorError) -> Value) async -> ConnectorError? {
  do throws(ConnectorError) {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}

/// Walks a listing to its end.
func everything(_ connector: any Connector, since: Timestamp? = nil) async throws(ConnectorError) -> [String] {
  var ids: [String] = []
  var cursor: ListCursor?
  repeat {
    let page = try await connector.list(updatedSince: since, cursor: cursor)
    ids += page.items.map(\.key.id.text)
    cursor = page.next
  } while cursor != nil
  return ids
}
