import EventLoop
import HTTP
import HTTPServer
import Testing

extension ServerTests {
  @Suite("TLS", .timeLimit(.minutes(2)))
  struct TLSTests {
    private let certificates: Certificates

    init() throws {
      certificates = try Certificates()
      try certificates.make("one")
    }

    private func files(_ name: String, clientCA: String? = nil) -> TLSConfiguration {
      TLSConfiguration(
        certificate: certificates.path("\(name).pem"), key: certificates.path("\(name).key"),
        clientCA: clientCA.map { certificates.path("\($0).pem") })
    }

    private func secured(_ harness: Harness, as name: String? = nil) throws -> RawSocket {
      let socket = try harness.connect()
      try socket.startTLS(
        certificate: name.map { certificates.path("\($0).pem") }, key: name.map { certificates.path("\($0).key") })
      return socket
    }

    @Test("requests of every kind work as they do without")
    func requests() async throws {
      let harness = try Harness(configure: {
        $0.tls = files("one")
        $0.maxBody = 3_000_000
      })
      let socket = try secured(harness)
      socket.send((0..<10).map { get("/\($0)") }.joined())
      for number in 0..<10 { #expect(try socket.response().body == "GET /\(number) ") }
      let kilobyte = String(repeating: "k", count: 1000)
      socket.send((0..<300).map { post("/\($0)", kilobyte) }.joined())
      for number in 0..<300 { #expect(try socket.response().body == "POST /\(number) \(kilobyte)") }
      let body = String(repeating: "b", count: 3_000_000)
      socket.send(post("/x", body))
      #expect(try socket.response().body == "POST /x \(body)")
      socket.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
      #expect(try socket.response().status == 100)
      socket.send("ab")
      #expect(try socket.response().body == "POST /x ab")
      socket.send(get("/hold"))
      await harness.held.take(1).first?.1.respond(HTTPResponse(status: 204))
      #expect(try socket.response().status == 204)
      socket.send("nonsense\r\n\r\n")
      expectProblem(try socket.response(), 400)
      #expect(socket.isClosedByServer())
      let large = try secured(harness)
      large.send(post("/x", body + "b"))
      expectProblem(try large.response(), 413)
    }

    @Test("a caller without TLS, or one that leaves in the handshake, harms nobody")
    func plainCaller() throws {
      let harness = try Harness(configure: { $0.tls = files("one") })
      let plain = try harness.connect()
      plain.send(get("/x"))
      #expect(throws: RawSocket.Failed.self) { try plain.response() }
      do {
        let leaver = try harness.connect()
        leaver.send([22, 3, 1])
      }
      let socket = try secured(harness)
      socket.send(get("/x"))
      #expect(try socket.response().status == 200)
    }

    @Test("less than TLS 1.2 is refused")
    func oldProtocol() throws {
      let harness = try Harness(configure: { $0.tls = files("one") })
      #expect(throws: RawSocket.Failed.self) { try harness.connect().startTLS(highest: 0x0302) }
      try harness.connect().startTLS(highest: 0x0303)
    }

    @Test("with client_ca, a caller must show a certificate that it signed")
    func clientCertificates() throws {
      try certificates.make("authority")
      try certificates.make("friend", signedBy: "authority")
      try certificates.make("stranger")
      let harness = try Harness(configure: { $0.tls = files("one", clientCA: "authority") })
      for name in [nil, "stranger"] {
        #expect(throws: RawSocket.Failed.self, "\(name ?? "none")") {
          // In TLS 1.3 the refusal comes after the client's half of the handshake.
          let socket = try secured(harness, as: name)
          socket.send(get("/x"))
          _ = try socket.response()
        }
      }
      for _ in 0..<2 {
        let socket = try secured(harness, as: "friend")
        socket.send(get("/x"))
        #expect(try socket.response().status == 200)
      }
    }

    @Test("a reload serves the new certificate to new connections, and keeps the old one where the new is broken")
    func reload() throws {
      try certificates.make("two")
      let harness = try Harness(configure: { $0.tls = files("one") })
      let old = try secured(harness)
      #expect(old.serverName == "one")

      try certificates.run("cp \(certificates.path("two.pem")) \(certificates.path("one.pem"))")
      let key = certificates.path("one.key")
      #expect(throws: HTTPServerError.self) { try harness.server.reloadTLS() }
      #expect(try secured(harness).serverName == "one")

      try certificates.run("cp \(certificates.path("two.key")) \(key)")
      try harness.server.reloadTLS()
      #expect(try secured(harness).serverName == "two")
      old.send(get("/x"))
      #expect(try old.response().status == 200)
    }

    @Test("nobody is asked for an encrypted key's pass phrase: such a key can't be used")
    func encryptedKey() throws {
      let certificates = try Certificates()
      try certificates.make("a")
      let (plain, encrypted) = (certificates.path("a.key"), certificates.path("encrypted.key"))
      try certificates.run("openssl pkcs8 -topk8 -in \(plain) -out \(encrypted) -passout pass:secret")
      let files = TLSConfiguration(certificate: certificates.path("a.pem"), key: encrypted)
      #expect {
        try files.check()
      } throws: { error in
        "\(error)".hasPrefix("\(encrypted) can't be used for TLS: it is encrypted")
      }
    }

    @Test("files that can't be used are named", arguments: ["missing", "key"])
    func brokenFiles(kind: String) throws {
      var broken = files("one")
      if kind == "missing" { broken.certificate = "/nowhere.pem" } else { broken.key = broken.certificate }
      let named = kind == "missing" ? broken.certificate : broken.key
      #expect {
        _ = try Harness(configure: { $0.tls = broken })
      } throws: { error in
        guard case .tls(named, _) = error as? HTTPServerError else { return false }
        return "\(error)".hasPrefix("\(named) can't be used for TLS: ")
      }
    }
  }
}
