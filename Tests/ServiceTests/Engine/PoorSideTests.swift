import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

/// A PMS that replaces whole records, without versions or ETags, whose callbacks carry only ids.
@Suite("rule 18: a side that takes whole records only, and tells neither versions nor ETags")
struct PoorSideTests {
  private static let settings = """
      callback:
        signature: { secrets: ["whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="] }
        record: null
      entities:
        customer:
          etag: false
          updated_at: null
          update: { method: PUT, path: "/customers/{id}" }
          list: { updated_since: null }
    """

  private func run(_ mapping: String, _ body: (EngineBench) async throws -> Void) async throws {
    try await EngineBench.run(mapping, pmsSettings: Self.settings, body)
  }

  @Test("edits of both sides meet, and what no row maps stays")
  func edits() async throws {
    try await run(EngineBench.mapping()) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.pms, partner, ["colour": "blue", "notes": "from the PMS"])
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(120))
      for _ in 0..<2 {
        #expect(try bench.record(.invoiced, id)["notes"] == "from the PMS")
        #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
        #expect(try bench.record(.pms, partner)["colour"] == "blue")
        #expect(bench.pms.stats.requests("PUT") == 1 && bench.pms.stats.requests("PATCH") == 0)
        _ = try await bench.walk()
      }
      #expect(try await bench.waiting().isEmpty)
      #expect(try await bench.admin("GET", "audit")["agrees"] == true)
    }
  }

  @Test("an edit while our write is on its way isn't lost: it is read right before")
  func between() async throws {
    try await run(EngineBench.mapping()) { bench in
      let (id, partner) = try await bench.linked()
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "GET", request.target.hasSuffix("/\(partner)"), once.take() else {
          return nil
        }
        try? bench.change(.pms, partner, ["notes": "just now"], silent: true)
        return nil
      }
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(120))
      _ = try await bench.walk()
      #expect(try bench.record(.invoiced, id)["notes"] == "just now")
      #expect(try bench.record(.pms, partner)["notes"] == "just now")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
    }
  }

  @Test("conflicts, deletes and creates go as with any side")
  func others() async throws {
    try await run(EngineBench.mapping("conflict: pms\ndelete: { pms_deleted: propagate }")) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.pms, partner, ["notes": "mine"])
      try bench.change(.invoiced, id, ["notes": "yours"])
      try await bench.pass(.seconds(200))
      #expect(try bench.record(.invoiced, id)["notes"] == "mine")
      #expect(try bench.record(.pms, partner)["notes"] == "mine")
      try bench.edit(.pms, "POST", "/customers", ["name": "New", "customer_number": "N-1", "kind": "company"])
      try bench.edit(.pms, "DELETE", "/customers/\(partner)")
      try await bench.pass(.seconds(300))
      #expect(bench.invoiced.customers.map { $0["name"] } == ["New"])
      #expect(bench.pms.customers.map { $0["name"] } == ["New"])
      _ = try await bench.walk()
      #expect(bench.invoiced.stats.requests("DELETE") == 1 && bench.invoiced.stats.requests("POST") == 1)
      #expect(try await bench.waiting().isEmpty)
    }
  }
}

@Suite("rule 14: deletes of both sides at once")
struct BothDeletedTests {
  @Test(
    "the link ends, and nothing else happens", arguments: ["propagate", "archive", "unlink", "ignore"], [true, false])
  func both(policy: String, areHeard: Bool) async throws {
    let mapping = EngineBench.mapping(
      "delete: { invoiced_deleted: \(policy), pms_deleted: \(policy) }\n"
        + "archive: { invoiced: { active: false }, pms: { archived: true } }")
    try await EngineBench.run(mapping) { bench in
      let (id, partner) = try await bench.linked()
      // Others, so that the sides answer for some record.
      _ = try await bench.linked(["name": "Other", "number": "A-2", "type": "company"])
      let before = bench.tally
      let end = areHeard ? "" : "?silent=1"
      try bench.edit(.invoiced, "DELETE", "/customers/\(id)\(end)")
      try bench.edit(.pms, "DELETE", "/customers/\(partner)\(end)")
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      let link = try #require(await bench.links().first { $0.invoiced.text == id })
      #expect(link.state == .ended)
      #expect(bench.tally == before)
      #expect(bench.invoiced.customers.count == 1 && bench.pms.customers.count == 1)
      #expect(try await bench.waiting().isEmpty)
    }
  }
}
