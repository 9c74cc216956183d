import Foundation
import HTTP
import HTTPClient
import JSON
import Sandbox
import Testing

@Suite("reload", .serialized)
struct ReloadTests {
  private func reload(_ installation: Installation, _ run: Program.Run, _ text: String) async throws -> Bool {
    let before = run.standardError.components(separatedBy: "read anew").count
    try installation.folder.write(text, "customer-sync.yaml")
    run.signal(SIGHUP)
    return try await eventually { run.standardError.components(separatedBy: "read anew").count > before }
  }

  @Test("a credential that was refused is exchanged by SIGHUP, and what waited for it goes at once")
  func credentials() async throws {
    let installation = try await Installation()
    let right = installation.configuration().replacing("probe: 200ms", with: "probe: 1h")
    try installation.folder.write(
      right.replacing(installation.options.pms.token, with: "wrong-token"), "customer-sync.yaml")
    let run = try await installation.serve()
    try installation.sandbox.invoiced.create(["name": "Acme AS", "number": "A-1", "type": "company"])
    #expect(
      try await eventually { try await installation.admin("status")["sides"]?["pms"]?["state"] != "up" },
      "401 pauses the side")
    #expect(installation.sandbox.pms.system.customers.isEmpty)
    #expect(try await reload(installation, run, right))
    #expect(
      try await eventually { installation.sandbox.pms.system.customers.count == 1 },
      "the next probe is an hour away, and isn't waited for: \(run.standardError)")
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("another address is where pushes go from then on; a push in flight ends where it was sent, once")
  func address() async throws {
    let installation = try await Installation()
    let other = try await Sandbox.start(installation.options)
    let run = try await installation.serve()
    let latency = try await installation.client.send(
      .init(
        method: "POST", target: "\(installation.sandbox.pms.url)/_sandbox/latency",
        headers: ["Content-Type": "application/json"], body: Array(#"{"milliseconds": 500}"#.utf8)))
    #expect(latency.status == 200)
    let first = try installation.sandbox.invoiced.create(["name": "One AS", "number": "1", "type": "company"])
    #expect(try await eventually { installation.sandbox.pms.system.stats.requests("POST") == 1 })
    let moved = installation.configuration()
      .replacing("url: \(installation.sandbox.pms.url)", with: "url: \(other.pms.url)\n  concurrency: 2\n  rate: 50/s")
    #expect(try await reload(installation, run, moved))
    #expect(
      try await eventually { try await installation.admin("links")["items"]?.array?.count == 1 },
      "the answer of the push in flight is taken")
    #expect(installation.sandbox.pms.system.stats.requests("POST") == 1)
    let link = try await installation.admin("links")["items"]?.array?.first
    #expect(link?["invoiced_id"]?.string == first["id"]?.identifier)
    try installation.sandbox.invoiced.create(["name": "Two AS", "number": "2", "type": "company"])
    #expect(try await eventually { other.pms.system.customers.contains { $0["customer_number"] == "2" } })
    #expect(installation.sandbox.pms.system.stats.requests("POST") == 1)
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await other.stop()
    await installation.close()
  }

  @Test(
    "the log's level and form, the drain time and a new mapping count from then on; another port from the next start")
  func rest() async throws {
    let installation = try await Installation()
    let run = try await installation.serve()
    #expect(!run.standardError.contains(" debug "))
    let text = installation.configuration(extra: "log: { level: debug, format: json }")
      .replacing("listen: \"127.0.0.1:\(installation.adminPort)\"", with: "listen: \"127.0.0.1:1\"")
    let mapping = try String(
      contentsOf: installation.folder.url.appendingPathComponent("mapping.yaml"), encoding: .utf8)
    try installation.folder.write(mapping.replacing("live: all", with: "live: observe"), "mapping.yaml")
    #expect(try await reload(installation, run, text))
    #expect(try await eventually { run.standardError.contains(#""key":"admin.listen""#) }, "\(run.standardError)")
    #expect(run.standardError.contains(#""level":"warning""#))
    let flows = try await installation.admin("status")["flows"]?.array ?? []
    #expect(flows.first?["live"] == "observe")
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("what is wrong with new files is told in the log's own form: each line of a JSON log is JSON")
  func problems() async throws {
    let installation = try await Installation()
    let text = installation.configuration(extra: "log: { format: json }")
    // A match key that is no row: a warning.
    let mapping = try String(
      contentsOf: installation.folder.url.appendingPathComponent("mapping.yaml"), encoding: .utf8)
    try installation.folder.write(
      mapping.replacing("match: &match", with: "match: &match\n      - { invoiced: metadata.nr, pms: nr }"),
      "mapping.yaml")
    try installation.folder.write(text, "customer-sync.yaml")
    let run = try await installation.serve()
    try installation.folder.write(text + "lisen: nowhere\n", "customer-sync.yaml")
    run.signal(SIGHUP)
    #expect(try await eventually { run.standardError.contains("the old configuration stays in force") })
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    let lines = run.standardError.split(separator: "\n").map { try? JSONValue(parsing: Array($0.utf8)) }
    #expect(!lines.contains(nil), "\(run.standardError)")
    let told = lines.compactMap(\.self)
    #expect(told.contains { $0["level"] == "warning" && $0["message"]?.string?.contains("match key") == true })
    let error = told.first { $0["level"] == "error" && $0["message"]?.string?.contains("lisen") == true }
    #expect(error?["file"]?.string?.hasPrefix("customer-sync.yaml:") == true)
    #expect(error?["next"]?.string?.contains("listen") == true)
    await installation.close()
  }
}
