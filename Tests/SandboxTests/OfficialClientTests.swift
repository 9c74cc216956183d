import Foundation
import Sandbox
import Support
import Testing

/// A Python that has Invoiced's own client (`pip install invoiced`); nil where none is named.
private let python = ProcessInfo.processInfo.environment["CUSTOMER_SYNC_INVOICED_PYTHON"]

@Suite("Invoiced's own client") struct OfficialClientTests {
  @Test(
    "it works with the simulated account",
    .enabled(if: python != nil, "set CUSTOMER_SYNC_INVOICED_PYTHON to a Python that has the package invoiced"))
  func works() async throws {
    let sandbox = try await Sandbox.start(SandboxOptions())
    let script = try #require(Bundle.module.url(forResource: "Fixtures/official_client", withExtension: "py"))
    let output = FileManager.default.temporaryDirectory.appending(path: "official-client-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: output) }
    let end = try await Child(
      #require(python), [script.path, sandbox.invoiced.url],
      environment: ["NO_PROXY": "127.0.0.1", "PYTHONUTF8": "1"], output: output.path, errors: output.path
    ).result()
    let text = try String(contentsOf: output, encoding: .utf8)
    #expect(end == .exit(0), "\(text)")
    #expect(text == "ok\n")
    await sandbox.stop()
  }
}
