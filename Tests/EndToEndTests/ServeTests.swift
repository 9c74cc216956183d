import Foundation
import HTTP
import HTTPClient
import JSON
import Sandbox
import Testing

@Suite("serve", .serialized)
struct ServeTests {
  struct Failure: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// What the configuration has in place of what stands there.
    var change: @Sendable (String, Installation) -> String
    var code: Int32
    /// What the messages must name.
    var says: [String]
  }

  static let failures: [Failure] = [
    Failure(
      testDescription: "a port in use is exit 1",
      change: { text, installation in
        text.replacing(":\(installation.publicPort)\"", with: ":\(installation.sandbox.invoicedPort)\"")
      }, code: 1, says: ["in use"]),
    Failure(
      testDescription: "a variable that is not set is exit 78",
      change: { text, _ in text.replacing("sandbox-key", with: "${CUSTOMER_SYNC_NOT_SET}") },
      code: 78, says: ["customer-sync.yaml:7", "CUSTOMER_SYNC_NOT_SET"]),
    Failure(
      testDescription: "a mistyped key is exit 78, with the nearest known one",
      change: { text, _ in text + "brekaer: { failures: 3 }\n" },
      code: 78, says: ["customer-sync.yaml:", "brekaer", "breaker"]),
    Failure(
      testDescription: "a mapping that isn't there is exit 78",
      change: { text, _ in text.replacing("mapping: mapping.yaml", with: "mapping: nowhere.yaml") },
      code: 78, says: ["nowhere.yaml"]),
    Failure(
      testDescription: "a store that is no store is exit 1",
      change: { text, _ in text.replacing("sqlite:customer-sync.db", with: "sqlite:mapping.yaml") },
      code: 1, says: ["mapping.yaml"]),
    Failure(
      testDescription: "a store in a directory that isn't there is exit 1",
      change: { text, _ in text.replacing("sqlite:customer-sync.db", with: "sqlite:nowhere/customer-sync.db") },
      code: 1, says: ["nowhere"]),
  ]

  @Test("what keeps it from starting", arguments: failures)
  func failure(_ failure: Failure) async throws {
    let installation = try await Installation()
    try installation.folder.write(
      failure.change(installation.configuration(), installation), "customer-sync.yaml")
    let run = try installation.launch()
    #expect(try await run.exitCode() == failure.code, "\(run.standardError)")
    for word in failure.says { #expect(run.standardError.contains(word), "\(run.standardError)") }
    #expect(run.standardOutput == "")
    await installation.close()
  }

  @Test("a second one on the same store is told who holds it, and exits 1")
  func secondOne() async throws {
    let installation = try await Installation()
    let first = try await installation.serve()
    let text = installation.configuration()
      .replacing("127.0.0.1:\(installation.publicPort)", with: "127.0.0.1:0")
      .replacing("127.0.0.1:\(installation.adminPort)", with: "127.0.0.1:0")
    try installation.folder.write(text, "customer-sync.yaml")
    let second = try installation.launch()
    #expect(try await second.exitCode() == 1)
    #expect(second.standardError.contains("\(first.pid)"), "\(second.standardError)")
    first.signal(SIGTERM)
    #expect(try await first.exitCode() == 0)
    await installation.close()
  }

  @Test("SIGTERM lets a push in flight finish, and exits 0", arguments: [SIGTERM, SIGINT])
  func drains(signal: Int32) async throws {
    let installation = try await Installation()
    let run = try await installation.serve()
    let latency = try await installation.client.send(
      .init(
        method: "POST", target: "\(installation.sandbox.pms.url)/_sandbox/latency",
        headers: ["Content-Type": "application/json"], body: Array(#"{"milliseconds": 300}"#.utf8)))
    #expect(latency.status == 200)
    try installation.sandbox.invoiced.create(["name": "Slow AS", "number": "S-1", "type": "company"])
    #expect(
      try await eventually { installation.sandbox.pms.system.stats.requests("POST") == 1 }, "the create is in flight")
    run.signal(signal)
    #expect(try await run.exitCode() == 0)
    #expect(installation.sandbox.pms.system.customers.count == 1)
    await installation.close()
  }

  @Test("SIGHUP with a broken file says so and keeps the old one; with a good one it is read anew")
  func reloads() async throws {
    let installation = try await Installation()
    let run = try await installation.serve()
    let record: JSONValue = ["id": 1, "name": "Acme AS", "type": "person", "updated_at": 1]
    try installation.folder.write(installation.configuration(extra: "lisen: nowhere"), "customer-sync.yaml")
    run.signal(SIGHUP)
    #expect(try await eventually { run.standardError.contains("the old configuration stays in force") })
    #expect(run.standardError.contains("lisen"))
    #expect(try await installation.post(event: "71", record: record)?.status == 200, "the old secret still holds")

    let changed = installation.configuration()
      .replacing(installation.options.invoiced.webhookSecret, with: "another-secret")
    try installation.folder.write(changed, "customer-sync.yaml")
    run.signal(SIGHUP)
    #expect(try await eventually { run.standardError.contains("read anew") })
    #expect(try await installation.post(event: "72", record: record)?.status == 401, "the old secret holds no more")
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }
}
