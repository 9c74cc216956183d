import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 20: an ambiguous match is planned afresh when what it was ambiguous by changes")
struct AmbiguousTests {
  /// Two records of the PMS with the number of a customer that comes up on Invoiced.
  private func scene(_ body: (EngineBench, String, [String]) async throws -> Void) async throws {
    try await EngineBench.run(EngineBench.mapping("create: pms")) { bench in
      let ids = try (1...2).map { number in
        let made = try bench.edit(
          .pms, "POST", "/customers",
          ["name": .string("P\(number)"), "customer_number": "A-1", "kind": "company"])
        return try #require(made["id"]?.identifier)
      }
      try await bench.pass(.seconds(10))
      let made = try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(10))
      let hold = try #require(await bench.holds().first { $0.record?.side == .invoiced })
      #expect(hold.cause == .ambiguous)
      for id in ids { #expect(hold.reason.contains("pms:\(id)")) }
      let attempts = hold.attempts
      _ = try await bench.walk()
      #expect(try await bench.holds().first { $0.id == hold.id }?.attempts == attempts, "nothing changed")
      try await body(bench, try #require(made["id"]?.identifier), ids)
      try await bench.pass(.seconds(120))
      _ = try await bench.walk()
      try await bench.pass(.seconds(30))
      let links = try await bench.links()
      #expect(links.map(\.pms.text) == [ids[0]] && links.map(\.state) == [.active])
      #expect(try await bench.waiting().isEmpty)
      #expect(bench.pms.stats.requests("POST") == 0 && bench.invoiced.stats.requests("POST") == 0)
    }
  }

  @Test("a record that a search answers twice is one candidate")
  func twice() async throws {
    try await EngineBench.run { bench in
      let there = try bench.edit(
        .pms, "POST", "/customers?silent=1", ["name": "P1", "customer_number": "A-1", "kind": "company"])
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "GET", request.target.contains("customer_number=") else { return nil }
        let answer = try bench.transport.carryOut(request, side)
        guard let items = (try? JSONValue(parsing: answer.body))?["data"]?.array else { return answer }
        return .answer(200, ["data": .array(items + items)])
      }
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      #expect(try await bench.holds().isEmpty)
      #expect(try await bench.links().map(\.pms.text) == [there["id"]?.identifier])
    }
  }

  @Test("one of the candidates is deleted")
  func deleted() async throws {
    try await scene { bench, _, ids in try bench.edit(.pms, "DELETE", "/customers/\(ids[1])") }
  }

  @Test("one of the candidates has another number now")
  func changed() async throws {
    try await scene { bench, _, ids in try bench.change(.pms, ids[1], ["customer_number": "B-2"]) }
  }
}
