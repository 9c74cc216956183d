import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 13: first link")
struct FirstLinkEngineTests {
  private static let policies: [(policy: String, isPMSLater: Bool, winner: Side)] = [
    ("invoiced", true, .invoiced), ("invoiced", false, .invoiced), ("pms", true, .pms), ("pms", false, .pms),
    ("newest", true, .pms), ("newest", false, .invoiced),
  ]

  @Test("on_link decides where both have a value, the other side fills the gaps", arguments: policies)
  func onLink(policy: String, isPMSLater: Bool, winner: Side) async throws {
    let rows =
      EngineBench.rows + "\n- { invoiced: phone, pms: phone, type: string, direction: to_pms }"
      + "\n- { invoiced: email, pms: email, type: string, direction: to_invoiced }"
    try await EngineBench.run(EngineBench.mapping("on_link: \(policy)", rows: rows)) { bench in
      for side in isPMSLater ? [Side.invoiced, .pms] : [.pms, .invoiced] {
        let record: JSONValue =
          side == .invoiced
          ? [
            "name": "Theirs", "number": "A-1", "type": "company", "city": "Oslo", "phone": "1",
            "email": "invoiced@example.com",
          ]
          : [
            "name": "Ours", "customer_number": "A-1", "kind": "company", "notes": "n", "phone": "2",
            "email": "pms@example.com",
          ]
        try bench.edit(side, "POST", "/customers?silent=1", record)
        try await bench.pass(.seconds(30))
      }
      let id = try #require(bench.invoiced.customers.first?["id"]?.identifier)
      try await bench.look(.invoiced, id)
      try await bench.pass(.seconds(10))
      let invoiced = try bench.record(.invoiced, id)
      let pms = try #require(bench.pms.customers.first)
      #expect(invoiced["name"] == (winner == .invoiced ? "Theirs" : "Ours"))
      #expect(pms["name"] == invoiced["name"])
      #expect(pms["address"]?["city"] == "Oslo")
      #expect(invoiced["notes"] == "n")
      #expect(pms["phone"] == "1", "a one-way row's source wins")
      #expect(invoiced["email"] == "pms@example.com")
      #expect(try await bench.links().count == 1)
      let lost = try await bench.history().contains { $0.old == (winner == .invoiced ? "Ours" : "Theirs") }
      #expect(lost, "the value that lost is kept in the history")
    }
  }
}
