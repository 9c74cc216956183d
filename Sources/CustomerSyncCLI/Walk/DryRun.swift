import ArgumentParser
import JSON
import Mapping
import Service

/// `backfill --dry-run`: the backfill itself, with its writes held back and on a copy of the store.
enum DryRun {
  static func run(_ options: ConfigurationOptions, _ output: OutputOptions, flow: String?) async throws {
    let (configuration, mapping) = try options.load()
    if let flow, mapping.flow(named: flow) == nil {
      Console.message("error: \(mapping.noFlow(named: flow))")
      throw ExitCode.failure
    }
    for flow in mapping.flows where flow.live < .all {
      Console.message(
        "note: flow \(flow.name) is live only up to \(flow.live.rawValue); what that holds back isn't shown")
    }
    guard let directory = TemporaryDirectory(prefix: "customer-sync-dry-run-") else {
      Console.message("error: can't make a temporary directory; set TMPDIR")
      throw ExitCode.failure
    }
    defer { directory.remove() }
    do {
      let rehearsal = try Rehearsal(configuration, mapping: mapping, flow: flow, in: directory.path)
      let progress = WalkProgress()
      while !rehearsal.run.isOver {
        progress.show(rehearsal.run.json)
        try await Task.sleep(for: .milliseconds(20))
      }
      progress.end()
      let rows = try await rehearsal.rows()
      let outcome = rehearsal.run.progress
      await rehearsal.close()
      let isWhole = outcome.state != .failed
      if output.json {
        Console.print(JSONValue.array(rows).pretty)
      } else if isWhole || !rows.isEmpty {
        show(rows)
      }
      guard isWhole else {
        Console.message("error: not all records were read: \(outcome.reasons.joined(separator: "; "))")
        throw ExitCode.failure
      }
      if !rows.isEmpty { throw ExitCode.differences }
    } catch let error as ServiceError {
      Console.message("error: \(error)")
      if case .misconfigured = error { throw ExitCode.misconfigured }
      throw ExitCode.failure
    }
  }

  private static func show(_ rows: [JSONValue]) {
    let columns = [
      Column("WOULD", "state"), Column("SIDE", "side"), Column("FLOW", "flow"), Column("INVOICED", "invoiced_id"),
      Column("PMS", "pms_id"), Column("WHAT", "reason"),
    ]
    // Each new link brings one along; they are counted only.
    let shown = rows.filter { $0["state"] != "reference" }
    if !shown.isEmpty { Console.print(Table.lines(columns, shown).joined(separator: "\n") + "\n") }
    let counts = ["create", "link", "update", "delete", "reference", "park", "conflict"].compactMap {
      action -> String? in
      let count = rows.count { $0["state"]?.string == action }
      return count == 0 ? nil : "\(action) \(count)"
    }
    Console.print(
      counts.isEmpty
        ? "A backfill would do nothing." : "A backfill would \(counts.joined(separator: ", ")). Nothing was written.")
  }
}
