import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Synchronization
import Testing

@testable import Service

@Suite("rule 19: failures")
struct FailureTests {
  private func pairs(_ bench: EngineBench, _ count: Int) async throws -> [(invoiced: String, pms: String)] {
    var pairs: [(invoiced: String, pms: String)] = []
    for number in 1...count {
      pairs.append(
        try await bench.linked(["name": "Acme", "number": .string("A-\(number)"), "type": "company"]))
    }
    return pairs
  }

  @Test("a record that gets 5xx five times while others succeed is parked, and no event sends the same again")
  func fiveServerErrors() async throws {
    try await EngineBench.run { bench in
      let pairs = try await pairs(bench, 2)
      let (bad, good) = (pairs[0], pairs[1])
      bench.transport.add { side, request async throws(HTTPClientError) in
        request.method == "PATCH" && request.target.hasSuffix(bad.pms) ? .answer(500) : nil
      }
      try bench.change(.invoiced, bad.invoiced, ["city": "Oslo"])
      for step in 0..<40 {
        try bench.change(.invoiced, good.invoiced, ["city": .string("Oslo \(step)")])
        try await bench.pass(.seconds(20))
      }
      #expect(try bench.record(.pms, good.pms)["address"]?["city"] == "Oslo 39")
      let holds = try await bench.holds()
      #expect(holds.map { $0.pmsID?.text } == [bad.pms])
      let before = bench.pms.stats.requests("PATCH")
      try await bench.look(.invoiced, bad.invoiced)
      #expect(bench.pms.stats.requests("PATCH") == before)
      bench.transport.removeHooks()
      try bench.change(.invoiced, bad.invoiced, ["city": "Bergen"])
      try await bench.pass(.seconds(20))
      #expect(try bench.record(.pms, bad.pms)["address"]?["city"] == "Bergen")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("5xx in an outage don't count against a record, though another was answered after its first one")
  func serverErrorsInOutage() async throws {
    try await EngineBench.run(settings: "retry: { first: 10s, most: 10s }") { bench in
      let pairs = try await pairs(bench, 2)
      let calls = Mutex(0)
      let isOut = Mutex(false)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms else { return nil }
        let isBad = request.method == "PATCH" && request.target.hasSuffix(pairs[0].pms)
        guard isBad || isOut.withLock({ $0 }) else { return nil }
        calls.withLock { $0 += 1 }
        return .answer(503)
      }
      try bench.change(.invoiced, pairs[0].invoiced, ["city": "Oslo"])
      try await bench.pass(.milliseconds(100))
      try bench.change(.invoiced, pairs[1].invoiced, ["city": "Oslo"])
      try await bench.pass(.milliseconds(100))
      isOut.withLock { $0 = true }
      try bench.change(.invoiced, pairs[1].invoiced, ["city": "Bergen"])
      try await bench.pass(.seconds(120))
      #expect(calls.withLock { $0 } > 16)
      #expect(try await bench.holds().isEmpty)
      bench.transport.removeHooks()
      try await bench.pass(.seconds(20))
      #expect(try bench.record(.pms, pairs[0].pms)["address"]?["city"] == "Oslo")
      #expect(try bench.record(.pms, pairs[1].pms)["address"]?["city"] == "Bergen")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("a record that alone gets five 5xx is parked, though nothing else happens meanwhile")
  func fiveServerErrorsAlone() async throws {
    try await EngineBench.run(settings: "retry: { first: 10s, most: 10s }") { bench in
      let pairs = try await pairs(bench, 2)
      bench.transport.add { side, request async throws(HTTPClientError) in
        request.method == "PATCH" && request.target.hasSuffix(pairs[0].pms) ? .answer(500) : nil
      }
      try bench.change(.invoiced, pairs[0].invoiced, ["city": "Oslo"])
      try await bench.pass(.milliseconds(100))
      try bench.change(.invoiced, pairs[1].invoiced, ["city": "Oslo"])
      try await bench.pass(.seconds(120))
      #expect(try await bench.holds().map { $0.pmsID?.text } == [pairs[0].pms])
    }
  }

  @Test("what a side refuses is parked with the property that it names, or that was sent alone, and with its values")
  func refusedProperty() async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      let answers = Mutex<[JSONValue]>([
        ["message": "too long"], ["message": "no such place", "field": "address.city"],
      ])
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH" else { return nil }
        return answers.withLock { $0.isEmpty ? nil : .answer(422, $0.removeFirst()) }
      }
      for change in [["notes": "A note"], ["notes": "Another", "city": "Oslo"]] as [JSONValue] {
        try bench.change(.invoiced, pair.invoiced, change)
        try await bench.pass(.seconds(20))
      }
      // The first went by itself when its value changed.
      let hold = try #require(try await bench.holds().first)
      #expect(hold.property == "city" && hold.invoiced == "Oslo" && hold.pms == nil)
      #expect(hold.reason.contains("'notes' = \"Another\"") && hold.reason.contains("'address.city' = \"Oslo\""))
      let parked = try await bench.history().filter { $0.kind == .parked }
      #expect(Set(parked.map(\.property)) == ["notes", "city"])
    }
  }

  @Test("what one record can't get through for 48 hours of its side being up is parked")
  func givesUp() async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" ? .answer(429) : nil
      }
      try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
      try await bench.pass(.seconds(47 * 3600))
      #expect(try await bench.holds().isEmpty)
      try await bench.pass(.seconds(2 * 3600))
      #expect(try await bench.holds().map(\.cause) == [.gaveUp])
    }
  }

  // The create was left as it was, and whatever waited for it did so for ever.
  @Test("a create that can't be looked up is parked and holds up no other record", arguments: [false, true])
  func unansweredCreate(_ isDone: Bool) async throws {
    try await EngineBench.run { bench in
      let good = try await pairs(bench, 1)[0]
      let isSent = Mutex(false)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms else { return nil }
        if request.method == "POST" {
          isSent.withLock { $0 = true }
          if isDone { _ = try bench.transport.carryOut(request, side) }
          throw .unanswered(host: "pms.test", cause: "reset")
        }
        let isSearch = request.method == "GET" && request.target.contains("?")
        return isSearch && isSent.withLock({ $0 }) ? .answer(503) : nil
      }
      let made = try bench.edit(.invoiced, "POST", "/customers", ["name": "B", "number": "B-1", "type": "company"])
      for step in 0..<20 {
        try await bench.pass(.seconds(20))
        try bench.change(.invoiced, good.invoiced, ["city": .string("Oslo \(step)")])
      }
      bench.transport.removeHooks()
      try bench.change(.invoiced, try #require(made["id"]?.identifier), ["city": "Bergen"])
      try await bench.pass(.seconds(120))
      #expect(try await bench.store.pendingEvents(receivedBy: nil) == 0)
      #expect(try await bench.holds().map(\.cause) == (isDone ? [] : [.unansweredCreate]))
      #expect(try await bench.links().count == (isDone ? 2 : 1), "its echo is matched by the reference")
      #expect(bench.pms.stats.requests("POST") == (isDone ? 2 : 1), "only a person sends it again")
    }
  }

  // The second refusal closed whatever else was filed.
  @Test("what waits for a person waits on while the record itself can't be looked at", arguments: [false, true])
  func waitsOn(_ isBackInTime: Bool) async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: manual")) { bench in
      let pair = try await pairs(bench, 1)[0]
      let old = try bench.record(.invoiced, pair.invoiced)
      try bench.change(.invoiced, pair.invoiced, ["notes": "Ours"], silent: true)
      try bench.change(.pms, pair.pms, ["notes": "Theirs"])
      try await bench.look(.invoiced, pair.invoiced)
      try await bench.pass(.seconds(5))
      let conflict = try #require(try await bench.holds(.conflict).first)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .invoiced, request.method == "GET" else { return nil }
        guard isBackInTime else { return .answer(403) }
        guard var body = old.object else { return nil }
        body["updated_at"] = 1_772_000_000
        return .answer(200, .object(body))
      }
      for _ in 0..<2 {
        try await bench.look(.invoiced, pair.invoiced)
        try await bench.pass(.seconds(200))
      }
      #expect(try await bench.holds().map(\.cause) == [isBackInTime ? .backInTime : .rejected])
      #expect(try await bench.holds(.conflict).map(\.id) == [conflict.id])
    }
  }

  @Test("the clock stands while a person has paused the side, also over a restart")
  func clockStands() async throws {
    try await EngineBench.run(settings: "breaker: { probe: 10m }") { bench in
      let pair = try await pairs(bench, 1)[0]
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" ? .answer(429) : nil
      }
      try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
      try await bench.pass(.seconds(3600))
      try await bench.admin("POST", "sides/pms/pause")
      try await bench.pass(.seconds(47 * 3600))
      try await bench.restart()
      try await bench.admin("POST", "sides/pms/resume")
      try await bench.pass(.seconds(10 * 3600))
      #expect(try await bench.holds().isEmpty, "58 hours, of which it was up for 11")
    }
  }

  @Test("402 pauses the whole side, which is probed and goes on by itself")
  func paymentRequired() async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      bench.transport.add { side, _ async throws(HTTPClientError) in side == .invoiced ? .answer(402) : nil }
      try bench.change(.pms, pair.pms, ["notes": "x"])
      try await bench.pass(.seconds(300))
      #expect(bench.context.gate(.invoiced).pause?.reason.contains("402") == true)
      bench.transport.removeHooks()
      try await bench.pass(.seconds(300))
      #expect(try bench.record(.invoiced, pair.invoiced)["notes"] == "x")
    }
  }

  @Test("403 and any other 4xx or 3xx park the record", arguments: [302, 400, 403, 418, 422])
  func refusals(status: Int) async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" ? .answer(status) : nil
      }
      try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
      try await bench.pass(.seconds(60))
      #expect(try await bench.holds().map(\.cause) == [.rejected])
      #expect(bench.context.gate(.pms).pause == nil)
    }
  }

  @Test("the same refusal for five different records in a row pauses the side, and what it parked goes on")
  func refusalsInARow() async throws {
    try await EngineBench.run { bench in
      let pairs = try await pairs(bench, 5)
      bench.transport.add { side, request async throws(HTTPClientError) in side == .pms ? .answer(403) : nil }
      for pair in pairs {
        try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
        try await bench.pass()
      }
      try await bench.pass(.seconds(120))
      #expect(bench.context.gate(.pms).pause?.byPerson == false)
      #expect(try await bench.holds().isEmpty, "it was the side's trouble, not theirs")
      bench.transport.removeHooks()
      try await bench.pass(.seconds(200))
      for pair in pairs { #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo") }
    }
  }

  @Test("a side that answers 404 to everything it is asked pauses too, however many records find it out at once")
  func wrongAddress() async throws {
    try await EngineBench.run { bench in
      bench.transport.add { side, _ async throws(HTTPClientError) in side == .pms ? .answer(404) : nil }
      for number in 1...7 {
        try bench.edit(
          .invoiced, "POST", "/customers", ["name": "Acme", "number": .string("A-\(number)"), "type": "company"])
      }
      try await bench.pass(.seconds(120))
      #expect(bench.context.gate(.pms).pause?.byPerson == false)
      #expect(try await bench.holds().isEmpty, "it was the side's trouble, not theirs")
      bench.transport.removeHooks()
      try await bench.pass(.seconds(200))
      #expect(bench.context.gate(.pms).pause == nil)
      #expect(try await bench.links().count == 7)
      #expect(bench.pms.customers.count == 7 && bench.pms.stats.requests("POST") == 7)
    }
  }

  @Test("what we refuse to send ourselves is a misfit of the record, and never counts against the side")
  func unsendable() async throws {
    try await EngineBench.run { bench in
      let pairs = try await pairs(bench, 6)
      for pair in pairs {
        var metadata = try #require(bench.record(.invoiced, pair.invoiced)["metadata"]?.object)
        for number in metadata.count..<10 { metadata["k\(number)"] = "v" }
        try bench.change(.invoiced, pair.invoiced, ["metadata": .object(metadata)])
      }
      try await bench.pass(.seconds(10))
      let before = bench.invoiced.stats.requests("PATCH")
      for pair in pairs {
        try bench.change(.pms, pair.pms, ["segment": "north"])
        try await bench.pass()
      }
      #expect(bench.context.gate(.invoiced).closedReason == nil)
      #expect(bench.invoiced.stats.requests("PATCH") == before)
      let holds = try await bench.holds()
      #expect(holds.map(\.cause) == pairs.map { _ in .misfit })
      for hold in holds {
        #expect(hold.reason.hasPrefix("nothing was sent to Invoiced: metadata takes 10 keys, and this makes 11"))
      }
    }
  }

  @Test(
    "events are parked as long as their record is, whether a person or the cause lets it go", arguments: [true, false])
  func parkedEvents(discards: Bool) async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" ? .answer(422) : nil
      }
      for city in ["Oslo", "Bergen"] {
        try bench.change(.invoiced, pair.invoiced, ["city": .string(city)])
        try await bench.pass(.seconds(60))
      }
      #expect(try await bench.store.counts().events[.parked] == 2)
      if discards {
        try await bench.admin("POST", "parked/\(bench.holds()[0].id)/discard")
      } else {
        bench.transport.removeHooks()
        try bench.change(.invoiced, pair.invoiced, ["city": "Voss"])
        try await bench.pass(.seconds(60))
      }
      #expect(try await bench.store.counts().events[.parked] == nil)
    }
  }

  @Test("409 on create: matched again, parked if nothing is found", arguments: [true, false])
  func collision(isThere: Bool) async throws {
    try await EngineBench.run { bench in
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST", once.take() else { return nil }
        if isThere {
          _ = try? bench.edit(
            .pms, "POST", "/customers?silent=1", ["name": "Acme", "customer_number": "A-1", "kind": "company"])
        }
        return .answer(409)
      }
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      #expect(try await bench.links().count == (isThere ? 1 : 0))
      #expect(try await bench.holds().map(\.cause) == (isThere ? [] : [.rejected]))
      #expect(bench.pms.customers.count == (isThere ? 1 : 0))
    }
  }

  @Test("412 on update: fetched and planned again five times, then with backoff", arguments: [3, 8])
  func overtaken(times: Int) async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      let left = Times(times)
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" && left.take() ? .answer(412) : nil
      }
      try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
      try await bench.pass()
      let isDone = try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo"
      #expect(isDone == (times < 5))
      try await bench.pass(.seconds(60))
      #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo")
    }
  }

  @Test("whoever asks for a full reconcile doesn't wait for the next try of what failed")
  func broughtForward() async throws {
    try await EngineBench.run(settings: "retry: { first: 15m, most: 15m }") { bench in
      let pair = try await pairs(bench, 1)[0]
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" && once.take() ? .answer(500) : nil
      }
      try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
      try await bench.pass()
      #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == nil)
      _ = bench.engine.walks.start(.reconcile(full: true))
      try await bench.pass(.milliseconds(1))
      #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo")
    }
  }

  @Test("a create whose answer is missing holds up what waits for it no longer than ten seconds at a time")
  func awaitedCreate() async throws {
    try await EngineBench.run(settings: "retry: { first: 10m, most: 15m }") { bench in
      let (once, lookups) = (Times(1), Times(3))
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms else { return nil }
        if request.method == "POST", once.take() { throw .unanswered(host: "pms.test", cause: "reset") }
        guard bench.pms.stats.requests("GET") > 0, request.target.contains("?") else { return nil }
        return bench.clock.now.milliseconds >= 1_772_366_459_000 && lookups.take() ? .answer(503) : nil
      }
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(1))
      try bench.edit(.pms, "POST", "/customers", ["name": "Other", "customer_number": "B-1", "kind": "company"])
      try await bench.pass(.seconds(300))
      #expect(try await bench.links().count == 2)
      #expect(!lookups.take(), "the look-ups failed three times")
    }
  }

  @Test("Retry-After is honoured")
  func retryAfter() async throws {
    try await EngineBench.run { bench in
      let pair = try await pairs(bench, 1)[0]
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH", once.take() else { return nil }
        return HTTPResponse(status: 429, headers: ["Retry-After": "600"], body: [])
      }
      try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"])
      try await bench.pass(.seconds(590))
      #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == nil)
      let walk = bench.engine.walks.start(.reconcile(full: true))
      try await bench.pass(.seconds(2))
      #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == nil, "no walk forestalls it: \(walk.progress)")
      try await bench.pass(.seconds(20))
      #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo")
    }
  }

  @Test(
    "a create that finds, or is answered with, a record of another link is parked, not stolen",
    arguments: [true, false])
  func stolen(isAnswered: Bool) async throws {
    try await EngineBench.run { bench in
      let first = try await pairs(bench, 1)[0]
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST" else { return nil }
        if isAnswered { return .answer(201, ["id": .string(first.pms), "name": "Acme"]) }
        throw .unanswered(host: "pms.test", cause: "reset")
      }
      let made = try bench.edit(.invoiced, "POST", "/customers", ["name": "Two", "number": "A-2", "type": "company"])
      try await bench.pass(.seconds(5))
      // The linked record comes to have the second one's match key.
      try bench.edit(.pms, "PATCH", "/customers/\(first.pms)?silent=1", ["customer_number": "A-2"])
      try await bench.pass(.seconds(400))
      #expect(try await bench.links().map(\.invoiced.text) == [first.invoiced])
      let holds = try await bench.holds()
      #expect(holds.map { $0.invoicedID?.text } == [made["id"]?.identifier])
      #expect(holds.map(\.cause) == [.ambiguous])
      #expect(bench.invoiced.customers.count == 2)
    }
  }
}
