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

@Suite("rule 12: creates under way")
struct CreateClaimTests {
  private static func loseCreate(_ bench: EngineBench, _ held: @escaping @Sendable (HTTPRequest) -> Void = { _ in }) {
    let once = Times(1)
    bench.transport.add { side, request async throws(HTTPClientError) in
      guard side == .pms, request.method == "POST", once.take() else { return nil }
      held(request)
      throw .unanswered(host: "pms.test", cause: "it timed out")
    }
  }

  @Test("an event of the source before `confirm` doesn't send an unanswered create again, which arrives late")
  func arrivesLate() async throws {
    try await EngineBench.run { bench in
      let request = Held()
      Self.loseCreate(bench) { sent in request.value.withLock { $0 = sent } }
      let made = try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      let id = try #require(made["id"]?.identifier)
      try await bench.pass()
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(10))
      let late = try #require(request.value.withLock { $0 })
      _ = try bench.transport.carryOut(late, .pms)
      try await bench.pass(.seconds(200))
      #expect(bench.pms.customers.count == 1)
      #expect(bench.invoiced.customers.count == 1)
      #expect(bench.pms.customers.first?["address"]?["city"] == "Oslo")
      #expect(try await bench.links().count == 1)
    }
  }

  @Test(
    "a record of the other side with a claimed match key waits until the create is settled, new or known before",
    arguments: [true, false])
  func claimed(isKnown: Bool) async throws {
    try await EngineBench.run { bench in
      var known: String?
      if isKnown {
        let long = JSONValue.string(String(repeating: "x", count: 300))
        known = try bench.edit(
          .pms, "POST", "/customers", ["name": long, "customer_number": "B-1", "kind": "company"])["id"]?.identifier
        try await bench.pass(.seconds(5))
      }
      Self.loseCreate(bench)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(1))
      if let known {
        try bench.change(.pms, known, ["name": "One", "customer_number": "A-1"])
      } else {
        try bench.edit(.pms, "POST", "/customers", ["name": "One", "customer_number": "A-1", "kind": "company"])
      }
      try await bench.pass(.seconds(30))
      #expect(try await bench.links().isEmpty)
      try await bench.pass(.seconds(120))
      #expect(try await bench.links().count == 1)
      #expect(bench.pms.customers.count == 1)
      #expect(bench.invoiced.customers.count == 1)
    }
  }

  @Test("any other record waits for the creates that were unanswered when it was first seen, and for no later one")
  func others() async throws {
    try await EngineBench.run { bench in
      let long = JSONValue.string(String(repeating: "x", count: 300))
      let before = try bench.edit(
        .pms, "POST", "/customers", ["name": long, "customer_number": "B-1", "kind": "company"])
      try await bench.pass(.seconds(5))
      #expect(try await bench.holds().map(\.cause) == [.misfit])
      Self.loseCreate(bench)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(1))
      try bench.change(.pms, try #require(before["id"]?.identifier), ["name": "Before"])
      try bench.edit(.pms, "POST", "/customers", ["name": "After", "customer_number": "B-2", "kind": "company"])
      try await bench.pass(.seconds(20))
      let names = { bench.invoiced.customers.compactMap { $0["name"]?.string }.sorted() }
      #expect(names() == ["Before", "One"], "it might be the one that was created")
      try await bench.pass(.seconds(90))
      #expect(names() == ["After", "Before", "One"])
      #expect(bench.pms.customers.count == 3)
    }
  }

  @Test("while the side is down that a create is under way on, what waits for it waits for the side")
  func outage() async throws {
    try await EngineBench.run { bench in
      let pairs = [
        try await bench.linked(["name": "Old", "number": "C-1", "type": "company"]),
        try await bench.linked(["name": "Older", "number": "C-2", "type": "company"]),
      ]
      Self.loseCreate(bench)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(1))
      let made = try bench.edit(
        .pms, "POST", "/customers", ["name": "Two", "customer_number": "B-1", "kind": "company"])
      try await bench.pass(.seconds(1))
      var query = ListQuery(limit: 1)
      query.side = .pms
      query.record = made["id"]?.identifier
      #expect(try await bench.store.events(query).items.first?.reason?.hasPrefix("waits for the create") == true)
      bench.pms.setOutage(.unavailable)
      for pair in pairs { try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"]) }
      try await bench.pass(.seconds(300))
      #expect(bench.context.gate(.pms).isBreakerOpen)
      #expect(try await bench.store.events(query).items.first?.reason?.contains("the PMS is down") == true)
      bench.pms.setOutage(nil)
      try await bench.pass(.seconds(120))
      #expect(try await bench.links().count == 4)
      #expect(bench.pms.customers.count == 4 && bench.invoiced.customers.count == 4)
    }
  }

  @Test("two records with the same match key at once: one is created, the other is parked")
  func sameKey() async throws {
    let mapping = EngineBench.mapping("match: [{ invoiced: name, pms: name }]")
    try await EngineBench.run(mapping) { bench in
      bench.transport.add { [transport = bench.transport] side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST" else { return nil }
        // Time for the other one to come as far.
        for _ in 0..<500 { await Task.yield() }
        return try transport.carryOut(request, side)
      }
      for number in ["A-1", "A-2"] {
        try bench.edit(
          .invoiced, "POST", "/customers", ["name": "Same", "number": .string(number), "type": "company"])
      }
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 1)
      #expect(try await bench.holds().map(\.cause) == [.ambiguous])
    }
  }

  @Test(
    "the same create is sent again with its own key where nothing was answered, else with a fresh one",
    arguments: [nil, 503, 200])
  func keys(answer: Int?) async throws {
    try await EngineBench.run { bench in
      let keys = Mutex<[String?]>([])
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST" else { return nil }
        let isFirst = keys.withLock { keys in
          keys.append(request.headers["Idempotency-Key"])
          return keys.count == 1
        }
        guard isFirst else { return nil }
        guard let answer else { throw .unanswered(host: "pms.test", cause: "it timed out") }
        return HTTPResponse(status: answer, headers: ["Content-Type": "text/html"], body: Array("<p>Later</p>".utf8))
      }
      try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      let sent = keys.withLock { $0 }
      #expect(sent.count == 2 && Set(sent).count == (answer == nil ? 1 : 2))
      #expect(bench.pms.customers.count == 1)
      #expect(try await bench.links().count == 1)
    }
  }

  private final class Held: Sendable {
    let value = Mutex<HTTPRequest?>(nil)
  }
}
