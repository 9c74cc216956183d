import EventLoop
import HTTP
import Synchronization
import Testing

@testable import HTTPClient

@Suite("The HTTP client's failures", .timeLimit(.minutes(1))) struct FailureTests {
  @Test("a refused connection and an unknown host: not sent")
  func notSent() async throws {
    let (loop, port) = (try EventLoop(), try RawServer.freePort())
    let client = try HTTPClient(loop: loop)
    defer {
      client.shutdown()
      loop.stop()
    }
    // A label may have 63 characters: nobody needs to be asked.
    for host in ["127.0.0.1:\(port)", "\(String(repeating: "a", count: 64)).invalid:80"] {
      let url = "http://user:hunter2@\(host)/secret-path?token=hunter2"
      let error = await #expect(throws: HTTPClientError.self) {
        try await client.send(HTTPRequest(method: "POST", target: url, body: [1]))
      }
      let failure = try #require(error)
      #expect(failure.isNotSent, "\(failure)")
      #expect(failure.description.contains("the request did not reach \(host): "))
      #expect(!failure.description.contains("hunter2") && !failure.description.contains("secret-path"))
    }
  }

  @Test("a server that hangs: unanswered after the timeout, and its connection is closed")
  func timeout() async throws {
    try await Harness.run(always: .hang) { harness in
      let start = ContinuousClock.now
      let error = try #require(await harness.failure("POST", body: [1], timeout: .milliseconds(150)))
      let elapsed = ContinuousClock.now - start
      #expect(error.isUnanswered, "\(error)")
      #expect(error.description.contains("127.0.0.1:\(harness.server.port)"))
      #expect(elapsed >= .milliseconds(150) && elapsed < .seconds(10))
      for await _ in harness.server.hangUps { break }
    }
  }

  @Test("an answer that trickles doesn't outlive the timeout")
  func trickle() async throws {
    try await Harness.run(always: .reply("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")) { harness in
      let error = try #require(await harness.failure(timeout: .milliseconds(150)))
      #expect(error.isUnanswered, "\(error)")
    }
  }

  @Test("TLS that never begins: not sent")
  func handshakeTimeout() async throws {
    try await Harness.run(always: .hang) { harness in
      let url = "https://127.0.0.1:\(harness.server.port)/"
      let error = await #expect(throws: HTTPClientError.self) {
        try await harness.client.send(HTTPRequest(method: "POST", target: url), timeout: .milliseconds(150))
      }
      #expect(error?.isNotSent == true)
    }
  }

  @Test("what waits for a connection times out as well: not sent")
  func waitingTimeout() async throws {
    let configuration = HTTPClientConfiguration(timeout: .seconds(20), maxConnectionsPerHost: 1)
    try await Harness.run(configuration, always: .hang) { harness in
      let (client, url) = (harness.client, harness.server.url())
      let first = Task { try await client.send(HTTPRequest(method: "GET", target: url)) }
      for await _ in harness.server.received { break }
      let error = try #require(await harness.failure(timeout: .milliseconds(150)))
      #expect(error.isNotSent, "\(error)")
      #expect(harness.server.requests.count == 1)
      first.cancel()
      _ = await first.result
    }
  }

  @Test(
    "a connection lost after the request: unanswered",
    arguments: [
      RawServer.Reaction.close, .reset, .replyThenClose("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
      .replyThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"), .replyThenClose("HTTP/1.1 2"),
      .replyThenClose("no HTTP at all\r\n\r\n"),
    ])
  func lost(reaction: RawServer.Reaction) async throws {
    try await Harness.run(always: reaction) { harness in
      let error = try #require(await harness.failure("POST", body: [1, 2, 3]))
      #expect(error.isUnanswered, "\(error)")
      #expect(harness.server.requests.count == 1)
    }
  }

  @Test("a POST is not sent again when its reused connection closes; a GET is", arguments: ["POST", "PATCH", "GET"])
  func noSilentRepeat(method: String) async throws {
    let count = Atomic<Int>(0)
    let handler = { @Sendable (_: RawServer.Received) -> RawServer.Reaction in
      count.add(1, ordering: .relaxed).newValue == 2 ? .close : .reply(reply("ok"))
    }
    try await Harness.run(handler: handler) { harness in
      _ = try await harness.send()
      if method == "GET" {
        let answer = try await harness.send()
        #expect(answer.body == Array("ok".utf8))
        #expect(harness.server.requests.map(\.connection) == [1, 1, 2])
      } else {
        let error = try #require(await harness.failure(method))
        #expect(error.isUnanswered, "\(error)")
        #expect(harness.server.requests.map(\.connection) == [1, 1])
      }
    }
  }

  @Test("a connection that closed while idle is noticed before it is used")
  func idleClose() async throws {
    try await Harness.run(always: .replyThenClose(reply("ok"))) { harness in
      for number in 1...3 {
        let answer = try await harness.send("POST", body: [1])
        #expect(answer.status == 200)
        #expect(harness.server.requests.count == number)
      }
    }
  }

  @Test("cancelling ends a request at once and closes its connection")
  func cancel() async throws {
    try await Harness.run(always: .hang) { harness in
      let (client, url) = (harness.client, harness.server.url())
      let task = Task { try await client.send(HTTPRequest(method: "POST", target: url)) }
      for await _ in harness.server.received { break }
      task.cancel()
      await #expect(throws: HTTPClientError.cancelled) { try await task.value }
      for await _ in harness.server.hangUps { break }
    }
  }

  @Test("a task that is cancelled already sends nothing")
  func cancelledBefore() async throws {
    try await Harness.run(always: .reply(reply())) { harness in
      let (client, url) = (harness.client, harness.server.url())
      let gate = AsyncStream<Void>.makeStream()
      let task = Task {
        for await _ in gate.stream {}
        return try await client.send(HTTPRequest(method: "POST", target: url))
      }
      task.cancel()
      gate.continuation.finish()
      await #expect(throws: HTTPClientError.cancelled) { try await task.value }
      #expect(harness.server.requests.isEmpty)
    }
  }

  @Test("shutting down ends what is in flight, and refuses what comes later")
  func shutdown() async throws {
    try await Harness.run(always: .hang) { harness in
      let (client, url) = (harness.client, harness.server.url())
      let task = Task { try await client.send(HTTPRequest(method: "POST", target: url)) }
      for await _ in harness.server.received { break }
      client.shutdown()
      client.shutdown()
      let error = await #expect(throws: HTTPClientError.self) { try await task.value }
      #expect(error?.isUnanswered == true)
      let later = try #require(await harness.failure())
      #expect(later.isNotSent)
      harness.loop.stop()
      let last = try #require(await harness.failure())
      #expect(last.isNotSent)
    }
  }
}
