import EventLoop
import HTTP
import HTTPServer
import SeededRandom
import Testing

extension ServerTests {
  @Suite("connections and their ends", .timeLimit(.minutes(2)))
  struct LifecycleTests {
    @Test(
      "addresses are read and printed",
      arguments: [
        ("0.0.0.0:8080", "0.0.0.0", 8080), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65535),
      ])
    func addresses(text: String, host: String, port: Int) throws {
      let address = try #require(ListenAddress(text))
      #expect(address == ListenAddress(host: host, port: port))
      #expect(address.description == text)
    }

    @Test(
      "what is no address is refused", arguments: ["", ":80", "host", "host:", "host:65536", "::1:80", "a:b", "[]:1"])
    func notAddresses(text: String) { #expect(ListenAddress(text) == nil) }

    @Test("an address in use, or of another machine, is a clear error")
    func addressErrors() throws {
      let harness = try Harness()
      let taken = "127.0.0.1:\(harness.server.port)"
      #expect(throws: HTTPServerError.addressInUse(taken)) {
        try Harness(configure: { $0.address.port = harness.server.port })
      }
      #expect("\(HTTPServerError.addressInUse(taken))".hasPrefix("\(taken) is already in use"))
      for host in ["192.0.2.1", "no such host"] {
        #expect {
          _ = try Harness(host: host)
        } throws: { error in
          if case .cannotListen(let address, _) = error as? HTTPServerError { address == "\(host):0" } else { false }
        }
      }
    }

    @Test("IPv6 works, and an IPv4 caller keeps its own address", arguments: [("::1", "::1"), ("::", "127.0.0.1")])
    func families(host: String, caller: String) async throws {
      let harness = try Harness(host: host)
      let socket = try RawSocket(port: harness.server.port, host: caller)
      socket.send(get("/hold"))
      let (request, responder) = try #require(await harness.held.take(1).first)
      #expect(request.remoteAddress == caller)
      responder.respond(HTTPResponse(status: 200))
      #expect(try socket.response().status == 200)
    }

    @Test("several servers, each on its loop, share an address")
    func sharedPort() throws {
      let first = try Harness(configure: { $0.sharesPort = true }, handler: { $1.respond(HTTPResponse(status: 201)) })
      let second = try Harness(
        configure: {
          $0.sharesPort = true
          $0.address.port = first.server.port
        }, handler: { $1.respond(HTTPResponse(status: 202)) })
      #expect(first.server.port == second.server.port)
      var seen = Set<Int>()
      // The kernel spreads connections by a hash; a thousand on one side is not chance.
      for _ in 0..<1000 where seen.count < 2 { seen.insert(try first.answer(get("/")).status) }
      #expect(seen == [201, 202])
    }

    @Test("at the limit the connection that is idle longest makes room")
    func maxConnections() async throws {
      let harness = try Harness(configure: { $0.maxConnections = 3 })
      func use(_ socket: RawSocket) throws {
        socket.send(get("/x"))
        #expect(try socket.response().status == 200)
      }
      let first = try harness.connect()
      try use(first)
      let second = try harness.connect()
      try use(second)
      let third = try harness.connect()
      third.send(get("/hold"))
      let (_, responder) = try #require(await harness.held.take(1).first)
      try use(first)
      let fourth = try harness.connect()
      try use(fourth)
      #expect(second.isClosedByServer())
      try use(first)
      responder.respond(HTTPResponse(status: 200))
      #expect(try third.response().status == 200)
    }

    @Test("where none is idle, a half-sent request makes room, but never one that the handler has")
    func maxConnectionsBusy() async throws {
      let harness = try Harness(configure: { $0.maxConnections = 2 })
      let working = try harness.connect()
      working.send(get("/hold"))
      let (_, responder) = try #require(await harness.held.take(1).first)
      let halfway = try harness.connect()
      halfway.send("GET /hold")
      let next = try harness.connect()
      next.send(get("/hold"))
      let (_, other) = try #require(await harness.held.take(1).first)
      #expect(halfway.isClosedByServer())
      #expect(try harness.connect().isClosedByServer())
      for (socket, responder) in [(working, responder), (next, other)] {
        responder.respond(HTTPResponse(status: 200))
        #expect(try socket.response().status == 200)
      }
    }

    @Test("an idle connection is closed in time, one that is used is not")
    func idleTimeout() async throws {
      let harness = try Harness(configure: { $0.idleTimeout = .milliseconds(500) })
      let unused = try harness.connect()
      let used = try harness.connect()
      for _ in 0..<12 {
        try await harness.loop.sleep(for: .milliseconds(60))
        used.send(get("/x"))
        #expect(try used.response().status == 200)
      }
      #expect(unused.isClosedByServer())
      let start = ContinuousClock.now
      #expect(used.isClosedByServer())
      #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test("a client that does not read its answer is cut off")
    func stalledReader() async throws {
      let harness = try Harness(
        configure: { $0.idleTimeout = .milliseconds(200) },
        handler: { _, responder in
          responder.respond(HTTPResponse(status: 200, body: [UInt8](repeating: 65, count: 50_000_000)))
        })
      let socket = try harness.connect()
      socket.send(get("/x"))
      try await harness.loop.sleep(for: .milliseconds(600))
      #expect(throws: RawSocket.Failed.self) { try socket.response() }
    }

    @Test("draining finishes what has begun, closes the rest, and returns when it is done")
    func drain() async throws {
      let harness = try Harness()
      let idle = try harness.connect()
      idle.send(get("/x"))
      #expect(try idle.response().status == 200)
      let working = try harness.connect()
      working.send(get("/hold") + get("/after"))
      let (_, responder) = try #require(await harness.held.take(1).first)
      let halfway = try harness.connect()
      halfway.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
      // An answer on another connection: the server has come past the half request.
      #expect(try harness.answer(get("/x")).status == 200)

      // On the server's loop: this test's own thread waits for sockets.
      let drained = Task(executorPreference: harness.loop) { await harness.server.drain(within: .seconds(30)) }
      #expect(idle.isClosedByServer())
      #expect(throws: RawSocket.Failed.self) { try harness.connect() }
      halfway.send("cd")
      let late = try halfway.response()
      #expect(late.body == "POST /x abcd")
      #expect(late["Connection"] == "close")
      responder.respond(HTTPResponse(status: 200))
      #expect(try working.response().status == 200)
      #expect(working.isClosedByServer())
      await drained.value
    }

    @Test("draining ends at its limit")
    func drainLimit() async throws {
      let harness = try Harness()
      let working = try harness.connect()
      working.send(get("/hold"))
      let held = await harness.held.take(1)
      let start = ContinuousClock.now
      await harness.server.drain(within: .milliseconds(100))
      #expect(ContinuousClock.now - start < .seconds(5))
      #expect(working.isClosedByServer())
      held.first?.1.respond(HTTPResponse(status: 200))
      await harness.server.drain(within: .seconds(30))
    }

    @Test("a server that is released gives its port back and ends its connections")
    func released() throws {
      var harness: Harness? = try Harness()
      let port = try #require(harness?.server.port)
      let socket = try RawSocket(port: port)
      socket.send(get("/x"))
      #expect(try socket.response().status == 200)
      harness = nil
      #expect(socket.isClosedByServer())
      #expect(throws: RawSocket.Failed.self) { try RawSocket(port: port) }
      _ = try Harness(configure: { $0.address.port = port })
    }

    @Test("new limits hold for requests from then on")
    func newLimits() async throws {
      let harness = try Harness()
      let socket = try harness.connect()
      socket.send(post("/x", "abc"))
      #expect(try socket.response().status == 200)
      var configuration = HTTPServerConfiguration(address: ListenAddress(host: "127.0.0.1", port: 0))
      configuration.maxBody = 2
      try harness.server.reload(configuration)
      socket.send(post("/x", "abc"))
      expectProblem(try socket.response(), 413)
    }

    @Test("no input ends the server", arguments: 0..<8 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
      let harness = try Harness(configure: { $0.maxBody = 100 })
      var random = SeededGenerator(seed: seed)
      let good = [
        get("/a"), post("/b", "body"), chunked("/c", ["abc", "d"]), "HEAD / HTTP/1.0\r\n\r\n",
        post("/d", "x", "Expect: 100-continue"), "OPTIONS * HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
      ]
      for _ in 0..<60 {
        var bytes = (0..<Int.random(in: 0...4, using: &random)).flatMap { _ in
          Array((good.randomElement(using: &random) ?? "").utf8)
        }
        for _ in 0..<Int.random(in: 0...8, using: &random) {
          let place = Int.random(in: 0...bytes.count, using: &random)
          switch Int.random(in: 0..<4, using: &random) {
          case 0: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
          case 1: if place < bytes.count { bytes.remove(at: place) }
          case 2: if place < bytes.count { bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random) }
          default: bytes.insert(contentsOf: "\r\n".utf8, at: place)
          }
        }
        let socket = try harness.connect()
        while !bytes.isEmpty {
          let count = Int.random(in: 1...bytes.count, using: &random)
          socket.send(Array(bytes.prefix(count)))
          bytes.removeFirst(count)
        }
        if Bool.random(using: &random) { socket.closeSending() }
      }
      #expect(try harness.answer(get("/still")).body == "GET /still ")
    }
  }
}
