import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 5: only a fetch's absence means nothing there")
struct CutShortTests {
  /// Lets the PMS answer writes with a few members of the record.
  private static func cutShort(_ bench: EngineBench, _ method: String, to members: [String]) {
    bench.transport.add { side, request async throws(HTTPClientError) in
      guard side == .pms, request.method == method else { return nil }
      var response = try bench.transport.carryOut(request, side)
      guard let record = (try? JSONValue(parsing: response.body))?.object else { return response }
      response.body = JSONValue.object(JSONObject(record.members.filter { members.contains($0.key) })).serialized
      return response
    }
  }

  @Test(
    "an update's answer that leaves out what was there clears nothing, and ends no link",
    arguments: [
      EngineBench.mapping(), EngineBench.mapping("reference: {}"), EngineBench.mapping("reference: {}", where: false),
    ], [true, false])
  func update(mapping: String, hasVersion: Bool) async throws {
    try await EngineBench.run(mapping) { bench in
      let (id, partner) = try await bench.linked([
        "name": "Acme AS", "number": "A-1", "type": "company", "notes": "kept", "city": "Oslo",
      ])
      let before = bench.tally
      Self.cutShort(bench, "PATCH", to: ["id", "name"] + (hasVersion ? ["updated_at"] : []))
      try bench.change(.invoiced, id, ["name": "Acme ASA"])
      try await bench.pass(.seconds(200))
      #expect(try bench.record(.pms, partner)["name"] == "Acme ASA")
      #expect(try bench.record(.pms, partner)["notes"] == "kept")
      #expect(try bench.record(.invoiced, id)["notes"] == "kept")
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      _ = try await bench.walk()
      #expect(bench.tally == before + ", pms PATCH 1")
      #expect(try await bench.links().map(\.state) == [.active])
      #expect(try await bench.history().allSatisfy { $0.kind != .parked })
    }
  }

  @Test("an update's answer without what was sent is looked at, not taken for a refusal")
  func sent() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      Self.cutShort(bench, "PATCH", to: ["id", "name", "updated_at"])
      try bench.change(.invoiced, id, ["name": "Acme ASA", "notes": "new"])
      try await bench.pass(.seconds(5))
      #expect(try bench.record(.pms, partner)["notes"] == "new")
      let link = try #require(await bench.links().first)
      #expect(link.agreed.values.contains { $0.pms == "new" }, "agreed by a look, before `confirm`")
      try await bench.pass(.seconds(200))
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1, pms PATCH 1")
    }
  }

  @Test("a create's answer that leaves out what was sent is looked at")
  func create() async throws {
    try await EngineBench.run { bench in
      Self.cutShort(bench, "POST", to: ["id", "name", "updated_at"])
      let (id, partner) = try await bench.linked([
        "name": "Acme AS", "number": "A-1", "type": "company", "notes": "kept", "city": "Oslo",
      ])
      try await bench.pass(.seconds(200))
      #expect(try bench.record(.pms, partner)["notes"] == "kept")
      #expect(try bench.record(.invoiced, id)["notes"] == "kept")
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      _ = try await bench.walk()
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
    }
  }
}
