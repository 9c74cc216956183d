import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 16: whole or not at all")
struct WholeTests {
  @Test("a value that Invoiced's limits refuse parks the whole record unsent, named, and heals from either side")
  func limits() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      let long = String(repeating: "x", count: 300)
      let sent = bench.writes(.invoiced)
      try bench.change(.pms, partner, ["name": .string(long), "notes": "moved"])
      try await bench.pass(.seconds(10))
      let hold = try #require(await bench.holds().first)
      #expect(hold.cause == .misfit)
      for part in ["name", "companies"] { #expect(hold.reason.contains(part)) }
      #expect(!hold.nextStep.isEmpty)
      #expect(bench.writes(.invoiced) == sent)
      try bench.change(.pms, partner, ["name": "Short AS"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.invoiced, id)["name"] == "Short AS")
      #expect(try bench.record(.invoiced, id)["notes"] == "moved")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("a new record that doesn't fit is created nowhere until it does")
  func creation() async throws {
    let rows = EngineBench.rows + "\n- { invoiced: metadata.floors, pms: floors, type: integer }"
    try await EngineBench.run(EngineBench.mapping(rows: rows)) { bench in
      let made = try bench.edit(
        .invoiced, "POST", "/customers",
        ["name": "Acme", "number": "A-1", "type": "company", "metadata": ["floors": "two"]])
      let id = try #require(made["id"]?.identifier)
      try await bench.pass(.seconds(10))
      #expect(try await bench.holds().map(\.cause) == [.misfit])
      #expect(bench.pms.customers.isEmpty)
      try bench.change(.invoiced, id, ["metadata": ["floors": "2"]])
      try await bench.pass(.seconds(10))
      #expect(bench.pms.customers.first?["floors"] == 2)
      #expect(try await bench.holds().isEmpty)
    }
  }
}
