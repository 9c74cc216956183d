import Foundation
import HTTP
import JSON
import Sandbox
import Service
import Testing

@Suite("Rule 14: the mass-delete guard", .timeLimit(.minutes(2)), .serialized) struct MassDeleteTests {
  private func held(_ scene: DeleteScene, _ count: Int) async throws -> [JSONValue] {
    try await scene.bench.wait {
      let items = try await scene.bench.items("deletes?limit=1000")
      return items.count == count ? items : nil
    }
  }

  @Test("too many deletes at once are held, survive a restart, and go when they are approved")
  func approve() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pairs = try await scene.links(40)
      for pair in pairs.prefix(30) { try scene.delete("invoiced", pair.invoiced) }
      let held = try await held(scene, 27)
      #expect(held.allSatisfy { $0["cause"] == "mass_delete" && $0["side"] == "invoiced" && $0["flow"] == "companies" })
      try await scene.rest()
      #expect(scene.records == (10, 37))
      let status = try await scene.bench.admin("GET", "status").json
      #expect(status["held_deletes"] == 27 && status["events"]?["held"] == 27)
      await scene.bench.service.drain(within: .seconds(2))

      let again = DeleteScene(
        bench: try await AdminBench.start(
          in: scene.bench.directory, sandbox: scene.bench.sandbox, flow: DeleteScene.policy("propagate"),
          settings: "confirm: 200ms\n" + DeleteScene.settings))
      try again.delete("invoiced", pairs[30].invoiced)
      _ = try await self.held(again, 28)
      let listed = try await Ran.command(again.bench, "deletes", "list", "--json")
      #expect(listed.json.array?.count == 28)
      let one = listed.json.array?.first?["id"]?.identifier ?? ""
      #expect(try await Ran.command(again.bench, "deletes", "approve", one).output.hasPrefix("1 delete goes on."))
      _ = try await self.held(again, 27)
      #expect(try await again.bench.admin("POST", "deletes/approve", ["flow": "companies"]).json["approved"] == 27)
      _ = try await again.bench.wait { again.records == (9, 9) ? true : nil }
      try await again.rest()
      #expect(try await again.bench.admin("GET", "status").json["held_deletes"] == 0)
      #expect(try await again.bench.items("events?state=held").isEmpty)
      // The count starts anew.
      try again.delete("invoiced", pairs[31].invoiced)
      _ = try await again.bench.wait { again.records == (8, 8) ? true : nil }
      #expect(try await again.bench.admin("POST", "deletes/approve", ["flow": "none"]).status == 404)
      #expect(try await again.bench.admin("POST", "deletes/approve", ["what": "none"]).status == 400)
      #expect(try await again.bench.admin("POST", "deletes/reject", ["ids": ["4711"]]).status == 404)
      await again.bench.service.drain(within: .seconds(2))
    }
  }

  @Test("rejected deletes keep what is left, unlinked and apart")
  func reject() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pairs = try await scene.links(8)
      for pair in pairs { try scene.delete("pms", pair.pms) }
      _ = try await held(scene, 5)
      try await scene.rest()
      #expect(scene.records == (5, 0))
      let rejected = try await Ran.command(scene.bench, "deletes", "reject", "--json")
      #expect(rejected.status == 0 && rejected.json["rejected"] == 5)
      #expect(try await scene.bench.items("links?state=ended").count == 8)
      for customer in scene.bench.sandbox.invoiced.system.customers {
        try scene.bench.sandbox.invoiced.update(customer["id"]?.identifier ?? "", ["name": "Still here"])
      }
      try await scene.rest()
      #expect(scene.records == (5, 0))
      #expect(try await scene.bench.items("deletes").isEmpty)
      #expect(try await scene.bench.items("events?state=held").isEmpty)
    }
  }

  @Test("with the default policy the links of many deleted records don't end either")
  func unlink() async throws {
    try await DeleteScene.with("") { scene in
      let pairs = try await scene.links(10)
      for pair in pairs { try scene.delete("invoiced", pair.invoiced) }
      _ = try await held(scene, 7)
      try await scene.rest()
      #expect(try await scene.bench.items("links?state=active").count == 7)
    }
  }
}
