import Foundation
import HTTP
import HTTPClient
import JSON
import Sandbox
import Testing

@Suite("kill -9 during a walk", .serialized)
struct PassKillTests {
  /// Two rows a page, so that a pass over fifty records has a middle.
  private func installation() async throws -> Installation {
    let installation = try await Installation(customers: 60)
    let list = """
      entities: { customer: { list: { path: /customers, items: data, updated_since: updated_since, pagination: \
      { style: page, page: page, size: per_page, per_page: 2 } } } }
      """
    let text = installation.configuration(extra: "reconcile: { every: 1h }")
      .replacingOccurrences(of: "  callback: {", with: "  \(list)\n  callback: {")
    try installation.folder.write(text, "customer-sync.yaml")
    return installation
  }

  private func latency(_ milliseconds: Int, _ installation: Installation) async throws {
    let body: JSONValue = ["milliseconds": .number(JSONNumber(milliseconds))]
    _ = try await installation.client.send(
      .init(
        method: "POST", target: installation.sandbox.pms.url + "/_sandbox/latency",
        headers: ["Content-Type": "application/json"], body: body.serialized))
  }

  private func rows(_ installation: Installation) async throws -> Int64? {
    try await installation.admin("reconcile")["rows"]?["pms"]?.int64
  }

  @Test("a full pass goes on by itself where it was killed, and sees what changed behind it", .timeLimit(.minutes(2)))
  func resumes() async throws {
    let installation = try await installation()
    var run = try await installation.serve()
    // The pass first: nothing is written before it has begun, either.
    #expect(try await eventually { try await installation.admin("reconcile")["state"] == "done" })
    #expect(try await installation.settle())
    let pairs = Int64(installation.sandbox.pms.system.customers.count)
    #expect(pairs == 50)

    try await latency(40, installation)
    _ = try await installation.client.send(
      .init(
        method: "POST", target: "http://127.0.0.1:\(installation.adminPort)/admin/v1/reconcile",
        headers: ["Content-Type": "application/json"], body: Array(#"{"full":true}"#.utf8)))
    let isUnderWay = try await eventually {
      let pass = try await installation.admin("reconcile")
      return pass["full"] == true && pass["state"] == "walking" && 10..<40 ~= pass["rows"]?["pms"]?.int64 ?? 0
    }
    #expect(isUnderWay)
    run.signal(SIGKILL)
    #expect(try await eventually { !run.isRunning })

    // On a page that was walked already, and nobody tells of it.
    let first = try #require(installation.sandbox.pms.system.customers.first)
    let number = try #require(first["customer_number"]?.string)
    try installation.sandbox.pms.update(first["id"]?.string ?? "", ["notes": "behind it"], silent: true)
    run = try await installation.serve()
    var resumedAt: Int64?
    let isSeen = try await eventually {
      resumedAt = try await rows(installation)
      return resumedAt != nil
    }
    #expect(isSeen && resumedAt ?? 0 >= 8, "it went on, in place of beginning anew: \(resumedAt ?? 0)")
    try await latency(0, installation)
    #expect(try await eventually { try await installation.admin("reconcile")["state"] == "done" })
    #expect(try await rows(installation) == pairs)
    #expect(try await installation.settle())
    let partner = installation.sandbox.invoiced.system.customers.first { $0["number"]?.string == number }
    #expect(partner?["notes"] == "behind it")
    #expect(try await installation.admin("audit")["agrees"] == true)
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }
}
