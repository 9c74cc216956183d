import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 20: what a person leaves as it is")
struct DiscardTests {
  /// Refuses a city that it doesn't know.
  private static func refuses(_ bench: EngineBench) {
    bench.transport.add { side, request async throws(HTTPClientError) in
      guard side == .pms, request.method == "PATCH",
        request.json?["address"]?["city"]?.string.map({ $0.hasPrefix("Bad") }) ?? false
      else { return nil }
      return .answer(422, ["detail": "no such city"])
    }
  }

  @Test(
    "discard leaves that pair of values as it is until one of them changes, on either side", arguments: [true, false])
  func discard(isSourceChanged: Bool) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      Self.refuses(bench)
      try bench.change(.invoiced, id, ["city": "Bad"])
      try await bench.pass(.seconds(10))
      let hold = try #require(await bench.holds().first)
      #expect(hold.cause == .rejected)
      try await bench.admin("POST", "parked/\(hold.id)/discard")
      #expect(try await bench.holds().isEmpty)
      let sent = bench.pms.stats.requests("PATCH")
      for _ in 0..<3 {
        try await bench.look(.invoiced, id)
        try await bench.look(.pms, partner)
        try await bench.pass(.seconds(600))
      }
      try await bench.restart()
      try await bench.look(.invoiced, id)
      #expect(bench.pms.stats.requests("PATCH") == sent, "neither an event nor a restart sends it again")
      #expect(try await bench.holds().isEmpty)
      if isSourceChanged {
        try bench.change(.invoiced, id, ["city": "Oslo"])
        try await bench.pass(.seconds(10))
        #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      } else {
        try await bench.pass(.seconds(10))
        try bench.change(.pms, partner, ["address": ["city": "Bergen"]])
        try await bench.pass(.seconds(10))
        #expect(try bench.record(.invoiced, id)["city"] == "Bergen")
      }
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("a retry tries what was discarded again")
  func retry() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      Self.refuses(bench)
      try bench.change(.invoiced, id, ["city": "Bad"])
      try await bench.pass(.seconds(10))
      let hold = try #require(await bench.holds().first)
      try await bench.admin("POST", "parked/\(hold.id)/discard")
      bench.transport.removeHooks()
      try await bench.look(.invoiced, id)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == nil)
      try await bench.admin("POST", "parked/\(hold.id)/retry")
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bad")
    }
  }

  @Test("a discarded misfit stays discarded, and goes by itself when the value fits")
  func misfit() async throws {
    let rows = EngineBench.rows + "\n- { invoiced: metadata.floors, pms: floors, type: integer }"
    try await EngineBench.run(EngineBench.mapping(rows: rows)) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["metadata": ["floors": "two", "pms_id": .string(partner)], "city": "Oslo"])
      try await bench.pass(.seconds(10))
      let hold = try #require(await bench.holds().first)
      #expect(hold.cause == .misfit)
      try await bench.admin("POST", "parked/\(hold.id)/discard")
      try await bench.look(.invoiced, id)
      #expect(try await bench.holds().isEmpty)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == nil, "rule 16: whole or not at all")
      try bench.change(.invoiced, id, ["metadata": ["floors": "2", "pms_id": .string(partner)]])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["floors"] == 2)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
    }
  }
}
