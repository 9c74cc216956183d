import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 14: a later version under a deleted id is a new record")
struct RebornTests {
  /// Lets the PMS answer for a deleted id with another record.
  private static func reuse(_ bench: EngineBench, _ id: String, _ record: JSONValue) {
    bench.transport.add { side, request async throws(HTTPClientError) in
      guard side == .pms, request.method == "GET", request.target.hasSuffix("/customers/\(id)") else { return nil }
      return .answer(200, record)
    }
  }

  @Test(
    "also where the old one had been kept apart before it went, or went by our own delete",
    arguments: ["unlink", "propagate"])
  func afterApart(policy: String) async throws {
    let mapping = EngineBench.mapping("delete: { invoiced_deleted: \(policy), pms_deleted: \(policy) }")
    try await EngineBench.run(mapping) { bench in
      let (id, partner) = try await bench.linked()
      try bench.edit(.invoiced, "DELETE", "/customers/\(id)")
      try await bench.pass(.seconds(10))
      if policy == "unlink" {
        #expect(try await bench.store.record(RecordKey(.pms, RecordID(partner)))?.apart != nil)
        try bench.edit(.pms, "DELETE", "/customers/\(partner)")
      }
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.isEmpty)
      Self.reuse(
        bench, partner,
        [
          "id": .string(partner), "name": "Another AS", "customer_number": "B-7", "kind": "company",
          "updated_at": "2027-01-01T00:00:00Z",
        ])
      try await bench.look(.pms, partner)
      try await bench.pass(.seconds(200))
      #expect(bench.invoiced.customers.map { $0["name"] } == ["Another AS"])
      #expect(try await bench.links().filter { $0.state == .active }.map(\.pms.text) == [partner])
    }
  }

  @Test("one that its side only marks as deleted stays apart")
  func marked() async throws {
    let mapping = EngineBench.mapping("delete: { invoiced_deleted: propagate, pms_deleted: propagate }")
    try await EngineBench.run(mapping) { bench in
      let (id, partner) = try await bench.linked()
      let record = try bench.record(.pms, partner)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "DELETE" else { return nil }
        return HTTPResponse(status: 204)
      }
      var marked = record.object ?? JSONObject()
      marked["deleted"] = true
      marked["updated_at"] = "2027-01-01T00:00:00Z"
      Self.reuse(bench, partner, .object(marked))
      try bench.edit(.invoiced, "DELETE", "/customers/\(id)")
      try await bench.pass(.seconds(10))
      try await bench.look(.pms, partner)
      try await bench.pass(.seconds(200))
      #expect(bench.invoiced.customers.isEmpty, "it doesn't come back")
      #expect(bench.invoiced.stats.requests("POST") == 0)
    }
  }
}
