import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("an answer over the limit is cut off and parked")
struct AnswerLimitTests {
  private static func answersTooMuch(_ method: String, carriesOut: Bool = false, _ bench: EngineBench) {
    bench.transport.add { [transport = bench.transport] side, request async throws(HTTPClientError) in
      guard side == .pms, request.method == method else { return nil }
      if carriesOut { _ = try transport.carryOut(request, side) }
      throw .responseTooLarge(host: "pms.test", limit: 16 << 20)
    }
  }

  @Test("to a fetch: parked at once, and goes on when it is answered well")
  func fetch() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      Self.answersTooMuch("GET", bench)
      try await bench.look(.pms, partner)
      let hold = try #require(await bench.holds().first)
      #expect(hold.reason.contains("larger than 16777216 bytes"))
      let asked = bench.pms.stats.requests("GET")
      try await bench.pass(.seconds(3600))
      #expect(bench.pms.stats.requests("GET") == asked, "it isn't asked again and again")
      #expect(bench.context.gate(.pms).pause == nil)
      bench.transport.removeHooks()
      try await bench.admin("POST", "parked/\(hold.id)/retry")
      try await bench.pass()
      #expect(try await bench.holds().isEmpty)
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
    }
  }

  @Test("to an update: parked at once, and what the side took is agreed when it is looked at")
  func update() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      Self.answersTooMuch("PATCH", carriesOut: true, bench)
      bench.pms.loseNextWebhooks(5)
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass()
      let hold = try #require(await bench.holds().first)
      let sent = bench.pms.stats.requests("PATCH")
      try await bench.pass(.seconds(3600))
      #expect(bench.pms.stats.requests("PATCH") == sent)
      bench.transport.removeHooks()
      try await bench.admin("POST", "parked/\(hold.id)/retry")
      try await bench.pass(.seconds(10))
      #expect(bench.pms.stats.requests("PATCH") == sent, "it had been taken")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("to a create: parked at once, holds up no other record, and a retry links what was created")
  func create() async throws {
    try await EngineBench.run { bench in
      Self.answersTooMuch("POST", carriesOut: true, bench)
      bench.pms.loseNextWebhooks(1)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      try await bench.pass()
      let hold = try #require(await bench.holds().first)
      #expect(hold.cause == .unansweredCreate)
      bench.transport.removeHooks()
      try bench.edit(.pms, "POST", "/customers", ["name": "Two", "customer_number": "A-2", "kind": "company"])
      try await bench.pass(.seconds(5))
      #expect(bench.invoiced.customers.count == 2)
      try await bench.admin("POST", "parked/\(hold.id)/retry")
      try await bench.pass(.seconds(5))
      #expect(bench.pms.customers.count == 2)
      #expect(bench.invoiced.customers.count == 2)
      #expect(try await bench.links().count == 2)
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("a create of which nothing can be found out waits for a person alone, and is sent again at a retry only")
  func unknown() async throws {
    let mapping = EngineBench.mapping("match: []\nreference: { invoiced: metadata.pms_id }")
    try await EngineBench.run(mapping) { bench in
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST" else { return nil }
        throw .unanswered(host: "pms.test", cause: "reset")
      }
      let made = try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "type": "company"])
      let id = try #require(made["id"]?.identifier)
      try await bench.pass(.seconds(120))
      let hold = try #require(await bench.holds().first)
      #expect(hold.cause == .unansweredCreate)
      bench.transport.removeHooks()
      try bench.edit(.pms, "POST", "/customers", ["name": "Two", "kind": "company"])
      try await bench.pass(.seconds(10))
      #expect(bench.invoiced.customers.count == 2, "no other record waits for it")
      try bench.change(.invoiced, id, ["name": "Uno"])
      try await bench.pass(.seconds(300))
      #expect(bench.pms.customers.count == 1, "no event sends it again")
      #expect(try await bench.holds().map(\.id) == [hold.id])
      try await bench.admin("POST", "parked/\(hold.id)/retry")
      try await bench.pass(.seconds(10))
      #expect(bench.pms.customers.count == 2)
      #expect(try await bench.holds().isEmpty)
    }
  }
}
