import Foundation
import JSON
import Sandbox
import Store
import Testing

@testable import Service

@Suite("backfill --dry-run", .timeLimit(.minutes(3)), .serialized) struct DryRunTests {
  @Test("prints what a backfill would do, exits with 2, and touches neither side nor the store")
  func dryRun() async throws {
    try await WalkBench.with { bench in
      try bench.company(1)
      try bench.company(2, "Renamed here")
      try bench.company(3)
      _ = try bench.pms.create(["name": "Company 2", "customer_number": "C-2", "kind": "company"], silent: true)
      for _ in 1...2 {
        _ = try bench.pms.create(["name": "Double", "customer_number": "C-3", "kind": "company"], silent: true)
      }
      let file = bench.directory + "/customer-sync.yaml"
      for isRunning in [true, false] {
        // Beside the engine that holds the store, and without one.
        if !isRunning { await bench.closeStore() }
        let before = FileManager.default.contents(atPath: bench.directory + "/store.db")
        let ran = try await Ran.run(["backfill", "--dry-run", "--json", "--config", file])
        #expect(ran.status == 2, "\(ran.errors)")
        let rows = ran.json.array ?? []
        func count(_ action: String) -> Int { rows.count { $0["state"]?.string == action } }
        #expect(count("create") == 1 && count("link") == 1 && count("update") == 1, "\(ran.output)")
        #expect(count("park") >= 1, "\(ran.output)")
        let create = try #require(rows.first { $0["state"] == "create" })
        #expect(create["side"] == "pms" && create["flow"] == "companies" && create["pms_id"] == .null)
        #expect(bench.pushes == 0 && bench.pms.system.customers.count == 3)
        #expect(FileManager.default.contents(atPath: bench.directory + "/store.db") == before)
      }
      let text = try await Ran.run(["backfill", "--dry-run", "--config", file])
      #expect(text.status == 2 && text.output.contains("Nothing was written"), "\(text.output)")
      #expect(try await Ran.run(["backfill", "--config", file]).status == 0)
    }
  }

  @Test("prints that there is nothing to do over two sides in sync, and exits with 0")
  func nothing() async throws {
    try await WalkBench.with { bench in
      try bench.company(1)
      _ = try await bench.walk(.backfill(flow: nil))
      let before = bench.pushes
      let file = bench.directory + "/customer-sync.yaml"
      let ran = try await Ran.run(["backfill", "--dry-run", "--config", file])
      #expect(ran.status == 0 && ran.output.contains("would do nothing"), "\(ran.output)\(ran.errors)")
      #expect(bench.pushes == before)
    }
  }
}
