import EventLoop
import HTTP
import HTTPServer
import Testing

extension ServerTests {
  @Suite("requests", .timeLimit(.minutes(2)))
  struct RequestTests {
    @Test("a request arrives as it was sent, and its answer goes back")
    func roundTrip() async throws {
      let harness = try Harness()
      let socket = try harness.connect()
      let fields = ["webhook-signature: v1,a", "X: 1", "x:  2 ", "Content-Type: application/json"]
      let start = "POST /hold?a=%20b&c HTTP/1.1\r\nHost: here\r\n"
      socket.send(start + fields.joined(separator: "\r\n") + "\r\nContent-Length: 5\r\n\r\nh\0llo")
      let (request, responder) = try #require(await harness.held.take(1).first)
      #expect(request.method == "POST")
      #expect(request.target == "/hold?a=%20b&c")
      #expect(request.body == Array("h\0llo".utf8))
      #expect(
        request.headers.fields.map { "\($0.name)=\($0.value)" } == [
          "Host=here", "webhook-signature=v1,a", "X=1", "x=2", "Content-Type=application/json", "Content-Length=5",
        ])
      #expect(request.remoteAddress == "127.0.0.1")
      responder.respond(HTTPResponse(status: 201, headers: ["A": "1", "a": "2"], body: Array("done".utf8)))
      responder.respond(HTTPResponse(status: 500))
      let response = try socket.response()
      #expect(response.status == 201)
      #expect(response.body == "done")
      #expect(response.fields.filter { $0.name.lowercased() == "a" }.map(\.value) == ["1", "2"])
      #expect(response["Content-Type"] == nil)
      let dates = response.fields.filter { $0.name.lowercased() == "date" }.map(\.value)
      #expect(dates.count == 1 && dates[0].hasSuffix(" GMT") && dates[0].utf8.count == 29)
      socket.send(get("/next"))
      #expect(try socket.response().body == "GET /next ")
    }

    @Test(
      "any method reaches the handler, with its body",
      arguments: ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", "PROPFIND", "M-SEARCH"])
    func methods(method: String) throws {
      let harness = try Harness()
      let socket = try harness.connect()
      for body in ["", "abc"] {
        socket.send("\(method) /x HTTP/1.1\r\nHost: here\r\nContent-Length: \(body.count)\r\n\r\n\(body)")
        #expect(try socket.response().body == "\(method) /x \(body)")
        socket.send(chunked("/x", ["ab", "c"], method: method))
        #expect(try socket.response().body == "\(method) /x abc")
      }
      socket.send("\(method) /x HTTP/1.1\r\nHost: here\r\nConnection: keep-alive\r\n\r\n")
      #expect(try socket.response().body == "\(method) /x ")
    }

    @Test("HEAD gets the headers of GET and no body")
    func head() throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send("HEAD /x HTTP/1.1\r\nHost: here\r\n\r\n" + get("/y"))
      let response = try socket.response(toHead: true)
      #expect(response["Content-Length"] == "8")
      #expect(response["X-Seen"] == "yes")
      #expect(try socket.response().body == "GET /y ")
    }

    @Test(
      "targets of every form",
      arguments: [
        ("GET /", "/"), ("GET //a//b", "//a//b"), ("GET http://here/a?b=c", "/a?b=c"), ("GET https://here", "/"),
        ("GET http://here?q", "/?q"), ("OPTIONS *", "*"), ("CONNECT here:443", "here:443"),
        ("GET /a:b;c=[d]|\"^", "/a:b;c=[d]|\"^"),
        ("GET /%00%zz", "/%00%zz"), ("GET //[::::", "//[::::"),
      ])
    func targets(line: String, target: String) throws {
      let response = try Harness().answer("\(line) HTTP/1.1\r\nHost: here\r\n\r\n")
      #expect(response.body == "\(line.prefix { $0 != " " }) \(target) ")
    }

    @Test("requests sent in one go are answered in their order")
    func pipelining() async throws {
      let harness = try Harness()
      let socket = try harness.connect()
      let requests = (0..<10).map { [chunked("/\($0)", ["x"]), post("/\($0)", "y"), get("/\($0)")][$0 % 3] }
      socket.send(requests.joined())
      for number in 0..<10 {
        let expected = ["POST /\(number) x", "POST /\(number) y", "GET /\(number) "][number % 3]
        #expect(try socket.response().body == expected)
      }
    }

    @Test("one connection's requests wait for each other, others' do not")
    func ordering() async throws {
      let harness = try Harness()
      let slow = try harness.connect()
      slow.send(get("/hold") + (0..<9).map { get("/\($0)") }.joined())
      let (_, responder) = try #require(await harness.held.take(1).first)
      #expect(try harness.answer(get("/other")).body == "GET /other ")
      responder.respond(HTTPResponse(status: 200, body: Array("first".utf8)))
      #expect(try slow.response().body == "first")
      for number in 0..<9 { #expect(try slow.response().body == "GET /\(number) ") }
    }

    @Test("answers to many connections, given in any order, reach their own")
    func respondAll() async throws {
      let harness = try Harness()
      let sockets = try (0..<10).map { _ in try harness.connect() }
      for (index, socket) in sockets.enumerated() { socket.send(get("/hold?\(index)")) }
      let held = await harness.held.take(10)
      for (request, responder) in held.reversed() {
        responder.respond(HTTPResponse(status: 200, body: Array((request.query ?? "").utf8)))
      }
      for (index, socket) in sockets.enumerated() { #expect(try socket.response().body == "\(index)") }
    }

    @Test(
      "bytes may come one at a time", arguments: [post("/x", "abc"), chunked("/x", ["a", "bc"]), "\r\n" + get("/x")])
    func oneByteAtATime(text: String) throws {
      let harness = try Harness()
      let socket = try harness.connect()
      for byte in text.utf8 { socket.send([byte]) }
      #expect(try socket.response().status == 200)
    }

    @Test("chunks may have extensions and trailers, and are counted without their framing")
    func chunkExtensions() throws {
      let harness = try Harness(configure: { $0.maxBody = 8 })
      let socket = try harness.connect()
      let start = "POST /x HTTP/1.1\r\nHost: here\r\ntransfer-encoding: Chunked\r\n\r\n"
      socket.send(start + "4;a=b\r\nabcd\r\n004 ; c\r\nefgh\r\n000\r\nTrailer: x\r\nOther: y\r\n\r\n" + get("/next"))
      #expect(try socket.response().body == "POST /x abcdefgh")
      #expect(try socket.response().body == "GET /next ")
    }

    @Test(
      "a connection is kept or closed as was asked",
      arguments: [
        ("HTTP/1.1\r\nHost: a", false), ("HTTP/1.1\r\nHost: a\r\nConnection: close", true),
        ("HTTP/1.1\r\nHost: a\r\nConnection: x, Close", true), ("HTTP/1.0", true),
        ("HTTP/1.0\r\nConnection: Keep-Alive", false),
      ])
    func keepAlive(version: String, closes: Bool) throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send("GET /x \(version)\r\n\r\n")
      let response = try socket.response()
      #expect(response.body == "GET /x ")
      #expect((response["Connection"]?.lowercased() == "close") == closes)
      if closes {
        #expect(socket.isClosedByServer())
      } else {
        socket.send("GET /y \(version)\r\n\r\n")
        #expect(try socket.response().body == "GET /y ")
      }
    }

    @Test("a client that has closed its half still gets its answers")
    func halfClosed() async throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send(get("/hold") + get("/x"))
      socket.closeSending()
      await harness.held.take(1).first?.1.respond(HTTPResponse(status: 204))
      #expect(try socket.response().status == 204)
      #expect(try socket.response().body == "GET /x ")
      #expect(socket.isClosedByServer())
    }

    @Test("what a client sends while a request of its is handled is answered in turn, also where it ends with that")
    func sendsWhileHandled() async throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send(get("/hold"))
      let (_, responder) = try #require(await harness.held.take(1).first)
      let large = String(repeating: "a", count: 200_000)
      socket.send(get("/x") + post("/y", large) + get("/z"))
      socket.closeSending()
      // The loop has been through all that by now.
      #expect(try harness.answer(get("/other")).body == "GET /other ")
      responder.respond(HTTPResponse(status: 204))
      #expect(try socket.response().status == 204)
      for body in ["GET /x ", "POST /y " + large, "GET /z "] { #expect(try socket.response().body == body) }
      #expect(socket.isClosedByServer())
    }

    @Test("a client that hangs up while the handler works harms nobody", arguments: [false, true])
    func hangUp(resets: Bool) async throws {
      let harness = try Harness()
      for _ in 0..<20 {
        var socket: RawSocket? = try harness.connect()
        socket?.send(get("/hold"))
        let (_, responder) = try #require(await harness.held.take(1).first)
        if resets { responder.drop() }
        socket = nil
        responder.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 65, count: 100_000)))
      }
      #expect(try harness.answer(get("/x")).status == 200)
    }

    @Test("a dropped connection is reset; a forgotten request is 500")
    func dropped() throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send(get("/drop"))
      #expect(socket.isReset())
      expectProblem(try harness.answer(get("/forget")), 500)
    }

    @Test("an async handler serves too")
    func asyncHandler() async throws {
      let loop = try EventLoop()
      defer { loop.stop() }
      let server = try HTTPServer(
        configuration: HTTPServerConfiguration(address: ListenAddress(host: "127.0.0.1", port: 0)), loop: loop,
        asyncHandler: { request in
          try? await loop.sleep(for: .milliseconds(1))
          return HTTPResponse(status: 202, body: request.body)
        })
      let socket = try RawSocket(port: server.port)
      socket.send(post("/", "later"))
      let response = try socket.response()
      #expect(response.status == 202)
      #expect(response.body == "later")
      server.close()
    }

    @Test("large answers arrive whole, header injections do not")
    func largeAnswer() throws {
      let harness = try Harness(handler: { _, responder in
        responder.respond(
          HTTPResponse(
            status: 200, headers: ["Bad": "a\r\nInjected: yes", "Content-Length": "3", "Good": "yes"],
            body: [UInt8](repeating: 66, count: 5_000_000)))
      })
      let response = try harness.answer(get("/"))
      #expect(response.body.utf8.count == 5_000_000)
      #expect(response["Injected"] == nil)
      #expect(response["Good"] == "yes")
    }
  }
}
