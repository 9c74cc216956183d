import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

/// Invoiced has no version check: an edit can come between our read and our write (rule 18).
@Suite("rule 18: overwritten edits")
struct OverwrittenTests {
  /// Lets a person edit Invoiced's record right before our next PATCH of it is carried out.
  private func slipIn(_ bench: EngineBench, _ id: String, _ patch: JSONValue, isAnswered: Bool = true) {
    let once = Times(1)
    bench.transport.add { side, request async throws(HTTPClientError) in
      guard side == .invoiced, request.method == "PATCH", once.take() else { return nil }
      try? bench.change(.invoiced, id, patch)
      let answer = try bench.transport.carryOut(request, side)
      guard isAnswered else { throw .unanswered(host: "invoiced.test", cause: "it timed out") }
      return answer
    }
  }

  @Test("under `newest` the edit that our write fell on wins", arguments: [0, 5])
  func newest(seconds: Int) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try await bench.pass(.seconds(seconds))
      slipIn(bench, id, ["city": "Bergen"])
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.invoiced, id)["city"] == "Bergen")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      let kept = try await bench.history().filter { $0.kind == .observed && $0.rule == 18 }
      #expect(kept.map(\.old) == ["Bergen"])
      #expect(try await bench.links()[0].overwritten.isEmpty)
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try await bench.look(.invoiced, id)
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
    }
  }

  @Test("where the source's side wins, the edit is kept in the history alone")
  func sourceWins() async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: pms")) { bench in
      let (id, partner) = try await bench.linked()
      slipIn(bench, id, ["city": "Bergen"])
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      #expect(try await bench.history().contains { $0.rule == 18 && $0.old == "Bergen" })
    }
  }

  @Test("under `manual` a person decides, and either side can be taken", arguments: ["invoiced", "pms"])
  func manual(take: String) async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: manual")) { bench in
      let (id, partner) = try await bench.linked()
      slipIn(bench, id, ["city": "Bergen"])
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      try await bench.pass(.seconds(120))
      let hold = try #require(await bench.holds(.conflict).first)
      #expect([hold.invoiced, hold.pms] == ["Bergen", "Oslo"])
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      try await bench.admin("POST", "conflicts/\(hold.id)/resolve", ["take": .string(take)])
      try await bench.pass(.seconds(120))
      let city: JSONValue = take == "invoiced" ? "Bergen" : "Oslo"
      #expect(try bench.record(.invoiced, id)["city"] == city)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == city)
      #expect(try await bench.holds(.conflict).isEmpty)
    }
  }

  @Test("an edit since then stands, however late the event comes")
  func editedSince() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      slipIn(bench, id, ["city": "Bergen"])
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      _ = try await bench.deliver()
      while bench.writes(.invoiced) < 2 { await Task.yield() }
      let late = bench.withhold()
      try await bench.pass(.seconds(10))
      try bench.change(.invoiced, id, ["city": "Molde"])
      try await bench.pass(.seconds(10))
      for request in late { await bench.receive(request, from: .invoiced) }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.invoiced, id)["city"] == "Molde")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Molde")
    }
  }

  @Test("an unmapped metadata key that our write removed is put back", arguments: [true, false])
  func metadata(isAnswered: Bool) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      slipIn(bench, id, ["metadata": ["pms_id": .string(partner), "colour": "red"]], isAnswered: isAnswered)
      try bench.change(.pms, partner, ["segment": "gold"])
      try await bench.pass(.seconds(120))
      let metadata = try bench.record(.invoiced, id)["metadata"]
      #expect(metadata?["colour"] == "red")
      #expect(metadata?["segment"] == "gold")
      #expect(metadata?["pms_id"]?.identifier == partner)
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try await bench.look(.invoiced, id)
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
    }
  }

  @Test("a write that checked the version fell on no edit, though it went unanswered")
  func unansweredButGuarded() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      bench.loseAnswer(to: "PATCH", of: .pms)
      try bench.change(.invoiced, id, ["city": "Oslo"])
      _ = try await bench.deliver()
      while bench.writes(.pms) < 2 { await Task.yield() }
      bench.clock.advance(to: bench.clock.now.adding(.milliseconds(10)))
      try bench.change(.pms, partner, ["address": ["city": "Bergen"]])
      bench.clock.advance(to: bench.clock.now.adding(.milliseconds(10)))
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      let late = bench.withhold()
      #expect(late.count == 3)
      try await bench.pass(.seconds(120))
      for request in late { await bench.receive(request, from: .pms) }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
    }
  }

  @Test("it is remembered over a restart")
  func restart() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      slipIn(bench, id, ["city": "Bergen"])
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      _ = try await bench.deliver()
      while bench.writes(.invoiced) < 2 { await Task.yield() }
      let late = bench.withhold()
      try await bench.pass(.seconds(10))
      try await bench.restart()
      for request in late { await bench.receive(request, from: .invoiced) }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.invoiced, id)["city"] == "Bergen")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
    }
  }
}
