import EventLoop
import HTTP
import HTTPServer
import Synchronization
import Testing

@Suite("HTTPServer", .serialized, OnOwnThread()) enum ServerTests {}

/// Runs each test on a thread of its own: they block on sockets, and the pool has few threads for all tests there are.
struct OnOwnThread: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    try await withTaskExecutorPreference(loop) { try await function() }
  }
}

/// A server on a free port that says what it was asked, with its loop.
final class Harness: Sendable {
  let loop: EventLoop
  let server: HTTPServer
  let held = Held()

  init(
    host: String = "127.0.0.1", preflight: @escaping HTTPServer.Preflight = { _, _, _ in nil },
    configure: (inout HTTPServerConfiguration) -> Void = { _ in }, handler: HTTPServer.Handler? = nil
  ) throws {
    var configuration = HTTPServerConfiguration(address: ListenAddress(host: host, port: 0))
    configure(&configuration)
    loop = try EventLoop()
    let held = held
    server = try HTTPServer(
      configuration: configuration, loop: loop, preflight: preflight,
      handler: handler ?? { request, responder in
        if request.path == "/hold" { return held.add(request, responder) }
        if request.path == "/drop" { return responder.drop() }
        if request.path == "/forget" { return }
        let text = "\(request.method) \(request.target) \(String(decoding: request.body, as: UTF8.self))"
        responder.respond(HTTPResponse(status: 200, headers: ["X-Seen": "yes"], body: Array(text.utf8)))
      })
  }

  deinit {
    server.close()
    loop.stop()
  }

  func connect() throws -> RawSocket { try RawSocket(port: server.port) }

  /// What one connection gets for these bytes.
  func answer(_ text: String, toHead: Bool = false) throws -> RawResponse {
    let socket = try connect()
    socket.send(text)
    return try socket.response(toHead: toHead)
  }
}

/// Requests that wait to be answered by the test.
final class Held: Sendable {
  private let items = Mutex<[(HTTPRequest, HTTPResponder)]>([])
  private let (arrivals, arrival) = AsyncStream<Void>.makeStream()

  func add(_ request: HTTPRequest, _ responder: HTTPResponder) {
    items.withLock { $0.append((request, responder)) }
    arrival.yield()
  }

  /// Waits until that many are here, and takes them.
  func take(_ count: Int) async -> [(HTTPRequest, HTTPResponder)] {
    var iterator = arrivals.makeAsyncIterator()
    for _ in 0..<count { await iterator.next() }
    return items.withLock { items in
      defer { items = [] }
      return items
    }
  }
}

func get(_ target: String, _ fields: String...) -> String {
  "GET \(target) HTTP/1.1\r\nHost: here\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
}

func post(_ target: String, _ body: String, _ fields: String...) -> String {
  "POST \(target) HTTP/1.1\r\nHost: here\r\nContent-Length: \(body.utf8.count)\r\n"
    + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
}

func chunked(_ target: String, _ chunks: [String], method: String = "POST") -> String {
  "\(method) \(target) HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
    + chunks.map { String($0.utf8.count, radix: 16) + "\r\n" + $0 + "\r\n" }.joined() + "0\r\n\r\n"
}

/// That a response is RFC 9457's, and of that status.
func expectProblem(
  _ response: RawResponse, _ status: Int, _ comment: Comment? = nil, _ location: SourceLocation = #_sourceLocation
) {
  #expect(response.status == status, comment, sourceLocation: location)
  #expect(response["Content-Type"] == "application/problem+json", comment, sourceLocation: location)
  #expect(
    response.body.hasPrefix(#"{"type":"about:blank","title":""#) && response.body.contains(#""status":\#(status),"#),
    comment, sourceLocation: location)
}
