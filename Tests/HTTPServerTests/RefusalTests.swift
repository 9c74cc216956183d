import EventLoop
import HTTP
import HTTPServer
import Synchronization
import Testing

extension ServerTests {
  @Suite("what the transport refuses", .timeLimit(.minutes(2)))
  struct RefusalTests {
    private static let head = "POST /x HTTP/1.1\r\nHost: a\r\n"

    @Test(
      "malformed HTTP is 400, and the connection ends",
      arguments: [
        "nonsense\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "GET / http/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", "\n", "\u{16}\u{3}\u{1}\r\n",
        "GET x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /é HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        head + "no colon\r\n\r\n", head + ": empty\r\n\r\n", head + "A : b\r\n\r\n", head + "A: b\r\n folded\r\n\r\n",
        head + "A: \u{0}\r\n\r\n", head + "A: b\rc\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\nHost: a\r\n\r\n",
        head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", head + "Content-Length: 1, 1\r\n\r\na",
        head + "Content-Length: -1\r\n\r\n", head + "Content-Length: +1\r\n\r\na",
        head + "Content-Length: 0x1\r\n\r\na",
        head + "Content-Length: \r\n\r\n", head + "Content-Length: 1 1\r\n\r\na",
        head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", head + "Transfer-Encoding: gzip\r\n\r\n",
        head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        head + "Transfer-Encoding: chunked\r\n\r\nx\r\n", head + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        head + "Transfer-Encoding: chunked\r\n\r\n1\nab", head + "Transfer-Encoding: chunked\r\n\r\n\r\n",
        head + "Transfer-Encoding: chunked\r\n\r\n-1\r\n", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\n",
      ])
    func malformed(text: String) throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send(text)
      expectProblem(try socket.response(), 400)
      #expect(socket.isClosedByServer())
    }

    @Test("the same Content-Length twice is one")
    func sameLengths() throws {
      let response = try Harness().answer(Self.head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab")
      #expect(response.body == "POST /x ab")
    }

    @Test("a malformed request behind good ones is answered after them")
    func malformedBehind() throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send(get("/1") + post("/2", "b") + "nonsense\r\n\r\n" + get("/3"))
      #expect(try socket.response().body == "GET /1 ")
      #expect(try socket.response().body == "POST /2 b")
      expectProblem(try socket.response(), 400)
      #expect(socket.isClosedByServer())
    }

    @Test("a body is refused as soon as it is over the limit, however it is sent", arguments: [false, true])
    func tooLarge(sendsAll: Bool) throws {
      let harness = try Harness(configure: { $0.maxBody = 1000 })
      let exact = String(repeating: "a", count: 1000)
      #expect(try harness.answer(post("/x", exact)).body == "POST /x \(exact)")
      #expect(try harness.answer(chunked("/x", [exact])).body == "POST /x \(exact)")
      let rest = sendsAll ? String(repeating: "b", count: 4_000_000) : ""
      for start in [
        Self.head + "Content-Length: 4000000\r\n\r\n", Self.head + "Content-Length: 99999999999999999999999\r\n\r\n",
        Self.head + "Transfer-Encoding: chunked\r\n\r\n3e8\r\n\(exact)\r\n1\r\n",
        Self.head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        Self.head + "Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n",
        "BREW /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n",
      ] {
        let socket = try harness.connect()
        socket.send(start + rest)
        expectProblem(try socket.response(), 413, "\(start)")
        #expect(socket.isClosedByServer())
      }
    }

    @Test("the greatest length that there is waits for its body like any other where the limit lets it")
    func greatestLength() throws {
      let harness = try Harness(configure: { $0.maxBody = .max })
      let socket = try harness.connect()
      socket.send(Self.head + "Content-Length: 9223372036854775790\r\n\r\nabc")
      #expect(try harness.answer(get("/next")).body == "GET /next ")
      #expect(!socket.isClosedByServer())
    }

    @Test("what the application says by the head alone comes before 413")
    func preflight() throws {
      let asked = Mutex<[String]>([])
      let harness = try Harness(
        preflight: { method, path, address in
          asked.withLock { $0.append("\(method) \(path) \(address)") }
          if path != "/known" { return .problem(404, detail: "Not here.") }
          return method == "POST" ? nil : .problem(405, detail: "Not so.", headers: ["Allow": "POST"])
        }, configure: { $0.maxBody = 10 })
      let rest = " HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"
      expectProblem(try harness.answer("POST /unknown?q" + rest), 404)
      let response = try harness.answer("PUT /known" + rest)
      expectProblem(response, 405)
      #expect(response["Allow"] == "POST")
      expectProblem(try harness.answer("POST /known" + rest), 413)
      expectProblem(try harness.answer(chunked("/unknown", ["0123456789a"])), 404)
      expectProblem(
        try harness.answer("POST /other HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), 404)
      #expect(
        asked.withLock { $0 } == [
          "POST /unknown 127.0.0.1", "PUT /known 127.0.0.1", "POST /known 127.0.0.1", "POST /unknown 127.0.0.1",
          "POST /other 127.0.0.1",
        ])
    }

    @Test("100 Continue is sent where a body is awaited, and no other expectation is met")
    func expectations() throws {
      let harness = try Harness()
      let socket = try harness.connect()
      for framing in ["Content-Length: 2", "Transfer-Encoding: chunked"] {
        socket.send(Self.head + "Expect: 100-Continue\r\n\(framing)\r\n\r\n")
        #expect(try socket.response().status == 100)
        socket.send(framing.hasPrefix("C") ? "ab" : "2\r\nab\r\n0\r\n\r\n")
        #expect(try socket.response().body == "POST /x ab")
        socket.send(Self.head + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab")
        #expect(try socket.response().body == "POST /x ab")
      }
      socket.send("POST /x HTTP/1.0\r\nExpect: 100-continue\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n")
      socket.send("ab")
      #expect(try socket.response().body == "POST /x ab")
      socket.send(Self.head + "Expect: 100-continue, more\r\nContent-Length: 2\r\n\r\n")
      expectProblem(try socket.response(), 417)
      #expect(socket.isClosedByServer())
    }

    @Test("headers up to 16 KiB pass, more are 431, a request line beyond it is 414")
    func headerSizes() throws {
      let harness = try Harness()
      func padded(to count: Int) -> String {
        let start = "GET /x HTTP/1.1\r\nHost: a\r\nPad: "
        return start + String(repeating: "p", count: count - start.utf8.count - 4) + "\r\n\r\n"
      }
      #expect(try harness.answer(padded(to: 16 << 10)).status == 200)
      expectProblem(try harness.answer(padded(to: 16 << 10 + 1)), 431)
      expectProblem(try harness.answer(padded(to: 1 << 20)), 431)
      expectProblem(try harness.answer("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 5000)), 431)
      expectProblem(try harness.answer("GET /" + String(repeating: "p", count: 20_000)), 414)
      let trailer = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
      expectProblem(try harness.answer(trailer + String(repeating: "A: b\r\n", count: 5000)), 431)
    }

    @Test("a request that is slow from its first byte to its last is 408, though a byte comes ever again")
    func slow() async throws {
      let harness = try Harness(configure: { $0.readTimeout = .milliseconds(300) })
      let long = String(repeating: "b", count: 200)
      for text in [get("/x", "A: \(long)"), post("/x", long)] {
        let slow = try harness.connect()
        let start = ContinuousClock.now
        let bytes = Array(text.utf8)
        slow.send(Array(bytes[..<(bytes.count - 150)]))
        for byte in bytes[(bytes.count - 150)...].dropLast() {
          guard ContinuousClock.now - start < .milliseconds(600) else { break }
          slow.send([byte])
          try await harness.loop.sleep(for: .milliseconds(20))
        }
        let other = try harness.answer(get("/other"))
        #expect(other.status == 200)
        expectProblem(try slow.response(), 408)
        #expect(slow.isClosedByServer())
      }
      for start in ["P", Self.head + "Transfer-Encoding: chunked\r\n\r\n", Self.head + "Content-Length: 1\r\n\r\n"] {
        let silent = try harness.connect()
        silent.send(start)
        expectProblem(try silent.response(), 408, "\(start)")
      }
    }

    @Test("waiting is no part of a request: neither before its first byte nor while the handler works")
    func patience() async throws {
      let harness = try Harness(configure: { $0.readTimeout = .milliseconds(100) })
      let socket = try harness.connect()
      for _ in 0..<2 {
        try await harness.loop.sleep(for: .milliseconds(250))
        socket.send(get("/hold"))
        let (_, responder) = try #require(await harness.held.take(1).first)
        try await harness.loop.sleep(for: .milliseconds(250))
        responder.respond(HTTPResponse(status: 200))
        #expect(try socket.response().status == 200)
      }
    }
  }
}
