import JSON
import Service
import Testing

/// Section 2 of the contract over a real socket, each answer held against `openapi.yaml`.
@Suite("The public listener", .timeLimit(.minutes(2))) struct PublicListenerTests {
  static let event = #"{"id":7,"type":"customer.updated","data":{"object":{"id":1,"type":"person"}}}"#
  static let change = #"{"type":"customer.updated","data":{"id":"C-1"}}"#

  @Test("what it doesn't know is 404, by the exact path")
  func notFound() async throws {
    try await RunningService.run { service async throws in
      let paths = [
        "/", "/webhooks", "/webhooks/invoiced/", "/webhooks/Invoiced", "/webhooks%2Finvoiced", "//webhooks/invoiced",
        "/callbacks/pms/x", "/healthz/", "/readyz/x", "/metrics", "/admin/v1/status", "/favicon.ico",
      ]
      for path in paths {
        for method in ["GET", "POST", "BREW"] {
          let answer = try await service.call(method, path, [], method == "POST" ? [] : nil)
          #expect(answer.status == 404, "\(method) \(path)")
          #expect(try Self.problem(answer).status == 404, "\(path)")
        }
      }
    }
  }

  @Test("a method that a path doesn't know is 405, with Allow")
  func methods() async throws {
    try await RunningService.run { service async throws in
      let all = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW", "post", "get",
      ]
      for (path, known) in [
        ("/webhooks/invoiced", ["POST"]), ("/callbacks/pms", ["POST"]), ("/healthz", ["GET", "HEAD"]),
        ("/readyz", ["GET", "HEAD"]),
      ] {
        for method in all where !known.contains(method) {
          let answer = try await service.call(method, path)
          #expect(answer.status == 405, "\(method) \(path)")
          #expect(answer["Allow"] == known.joined(separator: ", "), "\(method) \(path)")
        }
      }
    }
  }

  @Test("a caller outside allow_from is 403, after the method and before everything else")
  func callers() async throws {
    try await RunningService.run("max_body: 1KiB", allowFrom: "[192.0.2.0/24]") { service async throws in
      let large = [UInt8](repeating: 0x20, count: 2048)
      for path in ["/webhooks/invoiced", "/callbacks/pms"] {
        #expect(try await service.call("GET", path).status == 405)
        #expect(try await service.call("POST", path, [], []).status == 403)
        #expect(try await service.call("POST", path, [], large).status == 403)
      }
      #expect(try await service.webhook(Self.event).status == 403)
      #expect(try await service.call("GET", "/healthz").status == 200)
    }
    try await RunningService.run(allowFrom: "[127.0.0.0/8]") { service async throws in
      #expect(try await service.webhook(Self.event).status == 200)
      #expect(try await service.callback(Self.change).status == 200)
    }
  }

  @Test("a body over max_body is 413, before its signature is looked at; one of just max_body is taken")
  func sizes() async throws {
    try await RunningService.run("max_body: 1KiB") { service async throws in
      for path in ["/webhooks/invoiced", "/callbacks/pms"] {
        let large = [UInt8](repeating: 0x20, count: 1025)
        #expect(try await service.call("POST", path, [], large).status == 413)
        #expect(try await service.call("POST", path, [], [], declaring: 1 << 40).status == 413)
        let chunked = "Transfer-Encoding: chunked\r\n\r\n401\r\n\(String(repeating: " ", count: 1025))\r\n0\r\n\r\n"
        let request = "POST \(path) HTTP/1.1\r\nHost: localhost\r\n\(chunked)"
        #expect(try await service.raw(Array(request.utf8), "POST", path).status == 413)
      }
      let padding = String(repeating: " ", count: 1024 - Self.event.utf8.count)
      #expect(try await service.webhook(Self.event + padding).status == 200)
    }
  }

  @Test("a chunked body is taken as one with a length")
  func chunked() async throws {
    try await RunningService.run { service async throws in
      let body = Array(Self.event.utf8)
      var request = "POST /webhooks/invoiced HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      for (name, value) in RunningService.invoiced(body) { request += "\(name): \(value)\r\n" }
      request += "Transfer-Encoding: chunked\r\n\r\n"
      request += "\(String(body.count, radix: 16))\r\n\(Self.event)\r\n0\r\n\r\n"
      let answer = try await service.raw(Array(request.utf8), "POST", "/webhooks/invoiced")
      #expect(answer.body == #"{"status":"accepted","event":"7"}"#)
    }
  }

  @Test("a type of content that isn't JSON is 415, after the signature and before the body is read")
  func contentTypes() async throws {
    try await RunningService.run { service async throws in
      let refused: [String?] = [
        nil, "text/plain", "application/jsonx", "application/json-patch+json", "application/problem+json",
        "application/x-www-form-urlencoded",
      ]
      for type in refused {
        #expect(try await service.webhook(Array("{".utf8), contentType: type).status == 415, "\(type ?? "none")")
        #expect(try await service.callback(Array("{".utf8), contentType: type).status == 415, "\(type ?? "none")")
      }
      let unsigned = try await service.call("POST", "/webhooks/invoiced", RunningService.type("text/plain"), [])
      #expect(unsigned.status == 401)
      for type in ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=iso-8859-1"] {
        #expect(try await service.webhook(Array(Self.event.utf8), contentType: type).status == 200, "\(type)")
      }
    }
  }

  @Test("what isn't HTTP is 400, what is too long 414 or 431, what is too slow 408")
  func malformed() async throws {
    try await RunningService.run("read_timeout: 300ms") { service async throws in
      let head = "POST /webhooks/invoiced HTTP/1.1\r\nHost: localhost\r\n"
      let long = String(repeating: "x", count: 20_000)
      for (request, status) in [
        (head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
        (head + "no field\r\n\r\n", 400),
        (head + "Content-Length: -1\r\n\r\n", 400),
        (head + "X-Long: \(long)\r\n\r\n", 431),
        ("POST /webhooks/invoiced?\(long) HTTP/1.1\r\n\r\n", 414),
        (head + "Content-Length: 100\r\n\r\n{", 408),
        (head, 408),
      ] {
        let answer = try await service.raw(Array(request.utf8), "POST", "/webhooks/invoiced")
        #expect(answer.status == status, "\(request.prefix(120))")
        #expect(try Self.problem(answer).status == Int64(status))
      }
    }
  }

  @Test("a certificate that isn't there is a wrong configuration, and is named with what is wrong")
  func certificate() async throws {
    let error = try await #require(throws: ServiceError.self) {
      try await RunningService.run("tls: { certificate: /nowhere/tls.pem, key: /nowhere/tls.key }") { _ in }
    }
    guard case .misconfigured(let reason) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(reason.contains("/nowhere/tls.pem") && reason.contains("No such file"))
  }

  @Test("its health touches nothing else, and its readiness names both sides")
  func health() async throws {
    try await RunningService.run { service async throws in
      let health = try await service.call("GET", "/healthz")
      #expect(health.status == 200 && health.body == #"{"status":"ok"}"#)
      let ready = try await service.call("GET", "/readyz")
      let body = try JSONValue(parsing: Array(ready.body.utf8))
      #expect(ready.status == 200 && body["status"] == "ready")
      #expect(body["sides"]?["invoiced"]?["status"] != nil && body["sides"]?["pms"]?["status"] != nil)
      for (path, answer) in [("/healthz", health), ("/readyz", ready)] {
        let head = try await service.call("HEAD", path)
        #expect(head.status == 200 && head.body.isEmpty)
        #expect(head["Content-Length"] == answer["Content-Length"] && head["Content-Type"] == "application/json")
        #expect(try await service.call("GET", path + "?a=1").status == 200)
      }
    }
  }

  @Test("while the store can't commit it is 503 with Retry-After, and takes events again as soon as it can")
  func unavailable() async throws {
    try await RunningService.run { service async throws in
      #expect(try await service.webhook(Self.event).status == 200)
      let held = try HeldStore(path: service.store)
      for answer in [
        try await service.webhook(#"{"id":8,"type":"customer.created","data":{"object":{"id":2}}}"#),
        try await service.webhook("{"), try await service.callback(Self.change, id: "evt_02"),
      ] {
        #expect(answer.status == 503)
        #expect(answer["Retry-After"].flatMap { Int($0) } != nil)
        #expect(try Self.problem(answer).status == 503)
      }
      let unready = try await service.call("GET", "/readyz")
      let body = try JSONValue(parsing: Array(unready.body.utf8))
      #expect(unready.status == 503 && body["failing"] == ["store"] && unready["Retry-After"] != nil)
      #expect(try await service.call("GET", "/healthz").status == 200)
      #expect(try await service.callback("{}").status == 400)
      try held.letGo()
      #expect(
        try await service.webhook(#"{"id":8,"type":"customer.created","data":{"object":{"id":2}}}"#).body
          == #"{"status":"accepted","event":"8"}"#)
      #expect(
        try await service.callback(Self.change, id: "evt_02").body == #"{"status":"accepted","event":"evt_02"}"#)
      #expect(try await service.call("GET", "/readyz").status == 200)
    }
  }

  /// An error's body, which RFC 9457 gives these members.
  static func problem(_ answer: Answer) throws -> (status: Int64?, detail: String) {
    let body = try JSONValue(parsing: Array(answer.body.utf8))
    #expect(answer["Content-Type"] == "application/problem+json")
    #expect(body["type"] == "about:blank")
    #expect(body["title"]?.string?.isEmpty == false)
    return (body["status"]?.int64, try #require(body["detail"]?.string))
  }
}
