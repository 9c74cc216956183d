import Foundation
import Sandbox
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
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(python))
    process.arguments = [script.path, sandbox.invoiced.url]
    process.environment = ["NO_PROXY": "127.0.0.1", "PYTHONUTF8": "1"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(text)")
    #expect(text == "ok\n")
    await sandbox.stop()
  }
}
