import Foundation
import HTTP
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("Audit", .timeLimit(.minutes(3)), .serialized) struct AuditTests {
  private func audit(_ bench: WalkBench, _ query: String = "") async -> HTTPResponse {
    await AdminAPI(core: bench.core).answer(HTTPRequest(method: "GET", target: "/admin/v1/audit" + query))
  }

  @Test("has exactly the contract's members, agrees over a synced pair, and differs over a lost webhook")
  func shape() async throws {
    try await WalkBench.with { bench in
      let id = try bench.company(1)["id"]?.identifier ?? ""
      _ = try bench.invoiced.create(["name": "Nobody's", "type": "person"], silent: true)
      var report = await audit(bench).json
      #expect(report["agrees"] == false && report["flows"]?.array?.first?["unlinked"]?["invoiced"]?.array?.count == 1)
      _ = try await bench.reconcile(full: true)
      report = await audit(bench).json
      let flow = try #require(report["flows"]?.array?.first)
      #expect(report.object?.members.map(\.key) == ["at", "agrees", "flows"] && report["agrees"] == true)
      #expect(
        flow.object?.members.map(\.key) == [
          "name", "title", "records", "linked", "agreeing", "in_flight", "properties", "unlinked", "apart", "parked",
          "conflicts",
        ])
      #expect(flow["records"] == ["invoiced": 1, "pms": 1] && flow["linked"] == 1 && flow["agreeing"] == 1)
      #expect(
        flow["properties"]?.array?.first?.object?.members.map(\.key) == [
          "invoiced", "pms", "type", "agreeing", "equivalent", "differing", "examples",
        ])

      try bench.invoiced.update(id, ["name": "Lost"], silent: true)
      report = await audit(bench).json
      let name = try #require(report["flows"]?.array?.first?["properties"]?.array?.first)
      #expect(report["agrees"] == false && name["differing"] == 1 && name["agreeing"] == 0)
      let example = try #require(name["examples"]?.array?.first)
      #expect(example["invoiced"] == "Lost" && example["pms"] == "Company 1" && example["invoiced_id"]?.string == id)
      let page = await audit(bench, "?format=html")
      #expect(page.text.contains("<td class=\"bad\">") && page.headers["Customer-Sync-Agrees"] == "false")
      #expect(await audit(bench, "?format=rst").text.contains(".. list-table::"))
      #expect(await audit(bench, "?flow=none").status == 400)
    }
  }

  @Test("counts what a side trims as equivalent, and a record whose partner went as unlinked")
  func equivalent() async throws {
    try await WalkBench.with { bench in
      bench.pms.system.setFaults([.normalising])
      try bench.company(1, "Trimmed  ")
      _ = try bench.invoiced.update(
        bench.invoiced.system.customers[0]["id"]?.identifier ?? "", ["notes": " kept as it is  "], silent: true)
      _ = try await bench.reconcile(full: true)
      var flow = try #require(await audit(bench).json["flows"]?.array?.first)
      #expect(flow["properties"]?.array?.contains { $0["equivalent"] == 1 } == true, "\(flow.text)")
      #expect(flow["properties"]?.array?.allSatisfy { $0["differing"] == 0 } == true, "\(flow.text)")
      let partner = try #require(bench.pms.system.customers.first?["id"]?.identifier)
      try bench.pms.delete(partner, silent: true)
      flow = try #require(await audit(bench).json["flows"]?.array?.first)
      #expect(flow["unlinked"]?["invoiced"]?.array?.count == 1 && flow["linked"] == 0, "\(flow.text)")
    }
  }

  @Test("a forgotten customer's records are kept apart, and not told as unlinked")
  func forgotten() async throws {
    try await WalkBench.with { bench in
      let id = try bench.company(1)["id"]?.identifier ?? ""
      _ = try await bench.reconcile(full: true)
      let answer = await AdminAPI(core: bench.core).answer(
        HTTPRequest(
          method: "POST", target: "/admin/v1/forget", headers: ["Content-Type": "application/json"],
          body: (["invoiced_id": .string(id)] as JSONValue).serialized))
      #expect(answer.status == 200)
      let report = await audit(bench).json
      let flow = try #require(report["flows"]?.array?.first)
      #expect(flow["unlinked"] == ["invoiced": [], "pms": []] && report["agrees"] == true, "\(flow.text)")
      #expect(flow["apart"]?["invoiced"]?.array == [.string(id)] && flow["apart"]?["pms"]?.array?.count == 1)
    }
  }

  @Test("the commands reconcile, backfill and audit work while no service runs, and say by their exit what they found")
  func commands() async throws {
    try await WalkBench.with { bench in
      let id = try bench.company(1)["id"]?.identifier ?? ""
      await bench.closeStore()
      let file = bench.directory + "/customer-sync.yaml"
      #expect(try await Ran.run(["audit", "--config", file]).status == 2)
      let filled = try await Ran.run(["backfill", "--json", "--config", file])
      #expect(filled.status == 0 && filled.json["state"] == "done", "\(filled.errors)")
      #expect(bench.pms.system.customers.count == 1)
      let agreeing = try await Ran.run(["audit", "--format", "json", "--config", file])
      #expect(agreeing.status == 0 && agreeing.json["agrees"] == true, "\(agreeing.output)")
      try bench.invoiced.update(id, ["name": "Edited"], silent: true)
      #expect(try await Ran.run(["audit", "--config", file]).status == 2)
      let found = try await Ran.run(["reconcile", "--config", file])
      #expect(found.status == 0 && found.output.contains("update"), "\(found.output)\(found.errors)")
      #expect(try await Ran.run(["audit", "--config", file]).status == 0)
      let again = try await Ran.run(["reconcile", "--full", "--config", file])
      #expect(again.status == 0 && again.output.contains("Nothing was written"), "\(again.output)")
      bench.pms.system.setOutage(.unavailable)
      #expect(try await Ran.run(["reconcile", "--full", "--config", file]).status == 1)
      #expect(try await Ran.run(["audit", "--config", file]).status == 1)
    }
  }
}
