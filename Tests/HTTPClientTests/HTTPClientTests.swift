import EventLoop
import HTTP
import Testing

@testable import HTTPClient

@Suite("The HTTP client", .timeLimit(.minutes(1))) struct HTTPClientTests {
  struct Method: Sendable, CustomTestStringConvertible {
    let name: String
    var body = ""
    let length: String?
    var testDescription: String { "\(name) \(body)" }
  }

  @Test(
    "sends every method with its body and its length",
    arguments: [
      Method(name: "GET", length: nil), Method(name: "HEAD", length: nil), Method(name: "DELETE", length: nil),
      Method(name: "POST", body: "{\"a\":1}", length: "7"), Method(name: "POST", length: "0"),
      Method(name: "PUT", body: "x\0y", length: "3"), Method(name: "PUT", length: "0"),
      Method(name: "PATCH", body: "{}", length: "2"), Method(name: "DELETE", body: "{}", length: "2"),
      Method(name: "GET", body: "{}", length: "2"), Method(name: "PURGE", length: nil),
    ])
  func methods(method: Method) async throws {
    let handler = { @Sendable (request: RawServer.Received) -> RawServer.Reaction in
      request.head.hasPrefix("HEAD")
        ? .reply("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n") : .reply(reply("answer", status: "201 Created"))
    }
    try await Harness.run(handler: handler) { harness in
      let headers: HTTPHeaders = [
        "X-A": "1", "x-a": "2", "Empty": "", "Content-Length": "77", "Expect": "100-continue",
      ]
      let response = try await harness.send(
        method.name, "/a/../b?c=d%20e", headers: headers, body: Array(method.body.utf8))
      #expect(response.status == (method.name == "HEAD" ? 200 : 201))
      #expect(response.body == (method.name == "HEAD" ? [] : Array("answer".utf8)))
      let request = try #require(harness.server.requests.first)
      #expect(request.requestLine == "\(method.name) /a/../b?c=d%20e HTTP/1.1")
      #expect(request.body == Array(method.body.utf8))
      #expect(request.header("Content-Length") == method.length)
      #expect(request.header("Expect") == nil)
      #expect(request.header("Content-Type") == nil)
      #expect(request.header("Empty") == "")
      #expect(request.header("User-Agent") == "customer-sync")
      #expect(request.head.contains("X-A: 1\r\n") && request.head.contains("x-a: 2"))
    }
  }

  @Test("a large body goes out whole, without waiting for a 100")
  func largeBody() async throws {
    let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try await Harness.run(always: .reply(reply())) { harness in
      let headers: HTTPHeaders = ["Content-Type": "application/json"]
      let answer = try await harness.send("POST", headers: headers, body: body)
      #expect(answer.status == 200)
      #expect(harness.server.requests.first?.body == body)
      #expect(harness.server.requests.first?.header("Content-Type") == "application/json")
    }
  }

  @Test("keeps an answer's headers, in their order, with repeats, and none of a 1xx or a trailer")
  func responseHeaders() async throws {
    let text =
      "HTTP/1.1 103 Early Hints\r\nLink: </early>\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nLink:  <x>; rel=\"next\" \r\n"
      + "Set-Cookie: b=2\r\nFolded: one\r\n two\r\nTransfer-Encoding: chunked\r\n\r\n"
      + "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n"
    try await Harness.run(always: .reply(text)) { harness in
      let response = try await harness.send()
      #expect(response.body == Array("abcde".utf8))
      #expect(
        response.headers.fields.map { "\($0.name)=\($0.value)" } == [
          "Set-Cookie=a=1", "Link=<x>; rel=\"next\"", "Set-Cookie=b=2", "Folded=one two", "Transfer-Encoding=chunked",
        ])
    }
  }

  @Test("any status is an answer, and no redirect is followed", arguments: [204, 301, 302, 307, 401, 404, 417, 503])
  func statuses(status: Int) async throws {
    let text = reply(status: "\(status) X", headers: ["Location: /elsewhere", "WWW-Authenticate: Basic realm=\"x\""])
    try await Harness.run(always: .reply(text)) { harness in
      let response = try await harness.send("POST", body: [1])
      #expect(response.status == status)
      #expect(response.headers["Location"] == "/elsewhere")
      #expect(harness.server.requests.count == 1)
    }
  }

  @Test("an answer may be as large as the limit, and no larger", arguments: [true, false])
  func limit(isChunked: Bool) async throws {
    let configuration = HTTPClientConfiguration(timeout: .seconds(20), maxResponse: 100_000)
    let handler = { @Sendable (request: RawServer.Received) -> RawServer.Reaction in
      let body = String(repeating: "x", count: request.requestLine.contains("more") ? 100_001 : 100_000)
      return .reply(
        isChunked
          ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
          : reply(body))
    }
    try await Harness.run(configuration, handler: handler) { harness in
      let largest = try await harness.send()
      #expect(largest.body.count == 100_000)
      let error = await harness.failure("GET", "/more")
      #expect(error == .responseTooLarge(host: "127.0.0.1:\(harness.server.port)", limit: 100_000))
      let after = try await harness.send()
      #expect(after.body.count == 100_000)
    }
  }

  @Test("headers without end are cut off")
  func endlessHeaders() async throws {
    let line = "X: \(String(repeating: "y", count: 1000))\r\n"
    let text = "HTTP/1.1 200 OK\r\n" + String(repeating: line, count: 300) + "\r\n"
    try await Harness.run(always: .replyThenClose(text)) { harness in
      let error = await harness.failure()
      #expect(error.map { if case .responseTooLarge = $0 { true } else { false } } == true)
    }
  }

  @Test("200 requests at once share a few connections, and each gets its own answer")
  func parallel() async throws {
    let configuration = HTTPClientConfiguration(timeout: .seconds(20), maxConnectionsPerHost: 8)
    let handler = { @Sendable (request: RawServer.Received) -> RawServer.Reaction in .reply(reply(request.requestLine))
    }
    try await Harness.run(configuration, handler: handler) { harness in
      let (client, server) = (harness.client, harness.server)
      for _ in 0..<2 {
        let right = try await withThrowingTaskGroup(of: Bool.self) { group in
          for number in 0..<200 {
            group.addTask {
              let request = HTTPRequest(
                method: "POST", target: server.url("/\(number)"), body: [UInt8](repeating: 1, count: 500))
              let response = try await client.send(request)
              return response.body == Array("POST /\(number) HTTP/1.1".utf8)
            }
          }
          return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(right == 200)
      }
      #expect(server.connectionCount <= 8)
    }
  }

  @Test("runs for a caller on the loop itself")
  func onLoop() async throws {
    try await Harness.run(always: .reply(reply("ok"))) { harness in
      let (client, url, loop) = (harness.client, harness.server.url(), harness.loop)
      let task = Task(executorPreference: loop) {
        let response = try await client.send(HTTPRequest(method: "GET", target: url))
        return (response.status, loop.isCurrentThread)
      }
      let (status, isOnLoop) = try await task.value
      #expect(status == 200)
      #expect(isOnLoop)
    }
  }

  @Test(
    "what is no http or https URL is refused",
    arguments: [
      "", "/path", "example.com", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://[::1",
      "http://127.0.0.1:99999/", "http://a b/", "http://127.0.0.1/\r\nX: y", "http://127.0.0.1/\0",
      "gopher://127.0.0.1/",
    ])
  func badURLs(url: String) throws {
    let error = #expect(throws: HTTPClientError.self) { try Target(url) }
    #expect(error.map { if case .invalidURL = $0 { true } else { false } } == true)
  }

  @Test("knows which hosts are this machine")
  func loopback() throws {
    for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.9.9.9:1", "[::1]:2", "a.localhost", "u:p@127.0.0.1"] {
      #expect(try Target("http://\(host)/").isLoopback, "\(host)")
    }
    for host in ["127.0.0.1.example.com", "example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1@example.com"] {
      #expect(try !Target("https://\(host)/").isLoopback, "\(host)")
    }
    #expect(try Target("https://user:hunter2@Example.com/p?token=hunter2").host == "Example.com:443")
  }

  @Test("a header or a method that would break the message is refused")
  func injection() async throws {
    try await Harness.run(always: .reply(reply())) { harness in
      let requests = [
        ("GET", HTTPHeaders([("X", "a\r\nY: b")])), ("GET", HTTPHeaders([("X", "a\0b")])),
        ("GET", HTTPHeaders([("X: a", "b")])), ("GET", HTTPHeaders([("", "b")])), ("GET", HTTPHeaders([("é", "b")])),
        ("GET / HTTP/1.1\r\nX: y\r\n\r\nGET", HTTPHeaders()), ("", HTTPHeaders()),
      ]
      for (method, headers) in requests {
        let error = await #expect(throws: HTTPClientError.self) { try await harness.send(method, headers: headers) }
        #expect(error.map { if case .invalidRequest = $0 { true } else { false } } == true)
      }
      #expect(harness.server.requests.isEmpty)
    }
  }
}
