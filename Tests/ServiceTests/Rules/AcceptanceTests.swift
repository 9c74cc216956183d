import Foundation
import HTTP
import JSON
import Mapping
import SeededRandom
import Service
import Signatures
import Store
import Sync
import Testing

@Suite("rule 1: durable before 2xx", .timeLimit(.minutes(2)))
struct DurableTests {
  @Test("what was answered 2xx is in the store's files of that very moment")
  func files() async throws {
    try await RunningService.run { service async throws in
      for number in 1...8 {
        let body = #"{"id":\#(number),"type":"customer.updated","data":{"object":{"id":\#(number)}}}"#
        #expect(try await service.webhook(body).status == 200)
        let callback = #"{"type":"customer.updated","data":{"id":"C-\#(number)"}}"#
        #expect(try await service.callback(callback, id: "evt_\(number)").status == 200)
        // As a kill would leave them: nothing is closed or flushed before.
        let place = NSTemporaryDirectory() + "/customer-sync-\(UUID())"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        for end in ["", "-wal"] where FileManager.default.fileExists(atPath: service.store + end) {
          try FileManager.default.copyItem(atPath: service.store + end, toPath: place + "/store.db" + end)
        }
        let store = try SQLiteStore(path: place + "/store.db")
        let events = try await store.events(ListQuery(limit: 100)).items
        await store.close()
        try FileManager.default.removeItem(atPath: place)
        #expect(events.count == 2 * number)
        #expect(events.contains { $0.event.eventID == "\(number)" && $0.event.side == .invoiced })
        #expect(events.contains { $0.event.eventID == "evt_\(number)" && $0.event.side == .pms })
      }
    }
  }

  @Test("what can't be made durable is answered no 2xx, and is there once when it was sent again")
  func held() async throws {
    try await RunningService.run { service async throws in
      let held = try HeldStore(path: service.store)
      let answer = try await service.webhook(PublicListenerTests.event)
      #expect(answer.status == 503 && answer["Retry-After"] != nil)
      try held.letGo()
      #expect(try await service.webhook(PublicListenerTests.event).body == #"{"status":"accepted","event":"7"}"#)
      #expect(try await service.admin("events")["items"]?.array?.count == 1)
    }
  }
}

@Suite("rule 2: once")
struct OnceTests {
  @Test("a repeated event is answered 200 and worked once, also out of order and after a restart")
  func repeated() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["city": "Oslo"])
      let first = bench.withhold()
      try await bench.pass(.seconds(5))
      try bench.change(.invoiced, id, ["city": "Bergen"])
      let second = bench.withhold()
      for request in second + first + first + second {
        #expect(await bench.receive(request, from: .invoiced) == 200)
        try await bench.pass(.seconds(1))
      }
      try await bench.restart()
      for request in first + second { #expect(await bench.receive(request, from: .invoiced) == 200) }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1, pms PATCH 1")
      let stored = try await bench.store.events(ListQuery(limit: 1000)).items.filter {
        $0.event.side == .invoiced && $0.event.type == "customer.updated"
      }
      #expect(Set(stored.map(\.event.eventID)).count == stored.count)
    }
  }
}

@Suite("rule 3: signed", .timeLimit(.minutes(2)))
struct SignedTests {
  @Test("over the bytes as received: no change of them is let through, however alike it reads")
  func bytes() async throws {
    try await RunningService.run { service async throws in
      let body = Array(#"{ "id":1, "type":"customer.updated", "data":{"object":{"id":1,"name":"\u00c5\/"}} }"#.utf8)
      let signature = RunningService.invoiced(body) + RunningService.type("application/json")
      let text = String(decoding: body, as: UTF8.self)
      let alike = [
        text.replacing(" ", with: ""), text + "\n", text.replacing(#"\/"#, with: "/"),
        text.replacing(#"\u00c5"#, with: "\u{c5}"), text.replacing(#"\u00c5"#, with: #"\u00C5"#),
      ].map { Array($0.utf8) }
      for other in alike {
        #expect(try await service.call("POST", "/webhooks/invoiced", signature, other).status == 401)
      }
      var generator = SeededGenerator(seed: 3)
      for _ in 0..<50 {
        var other = body
        let index = Int.random(in: 0..<other.count, using: &generator)
        other[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        #expect(try await service.call("POST", "/webhooks/invoiced", signature, other).status == 401, "byte \(index)")
      }
      #expect(try await service.admin("events")["items"]?.array?.isEmpty == true)
      #expect(try await service.call("POST", "/webhooks/invoiced", signature, body).status == 200)
    }
  }

  @Test("several secrets are valid at once")
  func secrets() async throws {
    try await RunningService.run { service async throws in
      for (number, secret, status) in [(1, "former-secret", 200), (2, "invoiced-secret", 200), (3, "other", 401)] {
        let body = Array(#"{"id":\#(number),"type":"customer.updated","data":{"object":{"id":1}}}"#.utf8)
        let headers = RunningService.invoiced(body, secret: Secret(secret)) + RunningService.type("application/json")
        #expect(try await service.call("POST", "/webhooks/invoiced", headers, body).status == status, "\(secret)")
      }
    }
  }

  @Test("before anything is parsed: what can't be read and isn't signed is 401, not 400 or parked")
  func unsigned() async throws {
    try await RunningService.run { service async throws in
      for body in IntakeTests.unreadable.map(\.body) {
        for path in ["/webhooks/invoiced", "/callbacks/pms"] {
          #expect(try await service.call("POST", path, RunningService.type("application/json"), body).status == 401)
        }
      }
      #expect(try await service.admin("events")["items"]?.array?.isEmpty == true)
    }
  }
}

@Suite("rule 4: never 410 or 3xx", .timeLimit(.minutes(2)))
struct NeverGoneTests {
  @Test("whatever is asked, also while the store can't commit", arguments: [false, true])
  func never(isHeld: Bool) async throws {
    try await RunningService.run { service async throws in
      let held = isHeld ? try HeldStore(path: service.store) : nil
      var generator = SeededGenerator(seed: 410)
      let paths = [
        "/webhooks/invoiced", "/webhooks/invoiced/", "/webhooks/invoiced?x=1", "//webhooks/invoiced", "/webhooks",
        "/callbacks/pms", "/callbacks/pms/", "/callbacks/../callbacks/pms", "/", "/healthz", "/readyz", "/%",
      ]
      let bodies = IntakeTests.unreadable.map(\.body) + [Array(PublicListenerTests.event.utf8)]
      for number in 0..<(isHeld ? 12 : 150) {
        let method =
          ["POST", "POST", "POST", "GET", "HEAD", "PUT", "DELETE", "OPTIONS"]
          .randomElement(using: &generator) ?? "POST"
        let path = isHeld ? "/webhooks/invoiced" : paths.randomElement(using: &generator) ?? "/"
        let body = bodies.randomElement(using: &generator) ?? []
        var headers = RunningService.type(Bool.random(using: &generator) ? "application/json" : "text/plain")
        if Bool.random(using: &generator) || isHeld { headers += RunningService.invoiced(body) }
        if method != "POST" { headers = [] }
        // Every answer is held against this rule, and openapi.yaml, where it comes in.
        let answer = try await service.call(method, path, headers, method == "POST" ? body : nil)
        #expect(answer.status != 410 && !(300..<400 ~= answer.status), "\(number): \(method) \(path)")
        if answer.status == 503 { #expect(answer["Retry-After"].flatMap { Int($0) } ?? 0 > 0) }
      }
      try held?.letGo()
    }
  }
}
