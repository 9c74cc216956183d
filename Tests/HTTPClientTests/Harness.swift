import EventLoop
import HTTP
import Testing

@testable import HTTPClient

/// A client on a loop of its own, and a server, for one test.
struct Harness {
  let loop: EventLoop
  let client: HTTPClient
  let server: RawServer

  static func run(
    _ configuration: HTTPClientConfiguration = HTTPClientConfiguration(timeout: .seconds(20)), tls: TLSServer? = nil,
    handler: @escaping @Sendable (RawServer.Received) -> RawServer.Reaction, _ test: (Harness) async throws -> Void
  ) async throws {
    let server = try RawServer(tls: tls, handler: handler)
    let loop = try EventLoop()
    let client = try HTTPClient(loop: loop, configuration: configuration)
    defer {
      client.shutdown()
      loop.stop()
      server.stop()
    }
    try await test(Harness(loop: loop, client: client, server: server))
  }

  /// With a server that reacts to every request alike.
  static func run(
    _ configuration: HTTPClientConfiguration = HTTPClientConfiguration(timeout: .seconds(20)), tls: TLSServer? = nil,
    always reaction: RawServer.Reaction, _ test: (Harness) async throws -> Void
  ) async throws {
    try await run(configuration, tls: tls, handler: { _ in reaction }, test)
  }

  func send(
    _ method: String = "GET", _ path: String = "/", headers: HTTPHeaders = [:], body: [UInt8] = [],
    timeout: Duration? = nil
  ) async throws -> HTTPResponse {
    try await client.send(
      HTTPRequest(method: method, target: server.url(path), headers: headers, body: body), timeout: timeout)
  }

  /// The error that a request ends with.
  func failure(
    _ method: String = "GET", _ path: String = "/", body: [UInt8] = [], timeout: Duration? = nil
  ) async -> HTTPClientError? {
    do throws(HTTPClientError) {
      let request = HTTPRequest(method: method, target: server.url(path), body: body)
      let response = try await client.send(request, timeout: timeout)
      Issue.record("answered \(response.status)")
      return nil
    } catch { return error }
  }
}

/// An answer with a length.
func reply(_ body: String = "", status: String = "200 OK", headers: [String] = []) -> String {
  (["HTTP/1.1 \(status)", "Content-Length: \(body.utf8.count)"] + headers + ["", body]).joined(separator: "\r\n")
}

extension HTTPClientError {
  var isNotSent: Bool { if case .notSent = self { true } else { false } }
  var isUnanswered: Bool { if case .unanswered = self { true } else { false } }
}
