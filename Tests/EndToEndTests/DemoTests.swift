import Foundation
import Testing

@Suite("demo")
struct DemoTests {
  @Test("the demo ends with both sides agreeing, one push per edit and no echo, and leaves nothing behind")
  func demo() async throws {
    let (folder, temporary) = (try Folder(), try Folder())
    let run = try Program.Run(["demo"], in: folder.url, environment: ["TMPDIR": temporary.url.path])
    #expect(try await run.exitCode(within: 60) == 0)
    let lines = run.standardOutput.split(separator: "\n").map { $0.split(separator: " ") }
    let edits = lines.filter { $0.count > 5 && ["Invoiced", "PMS"].contains($0[0]) && $0.contains("ms") }
    #expect(edits.count == 10, "\(run.standardOutput)")
    for edit in edits { #expect(edit.suffix(2) == ["1", "0"], "\(edit.joined(separator: " "))") }
    #expect(run.standardOutput.contains("Both sides agree"))
    #expect(run.standardError == "")
    #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.url.path) == [])
  }

  @Test("a demo that is interrupted says so and leaves nothing behind")
  func interrupted() async throws {
    let (folder, temporary) = (try Folder(), try Folder())
    for _ in 0..<5 {
      let run = try Program.Run(["demo", "--keep"], in: folder.url, environment: ["TMPDIR": temporary.url.path])
      #expect(try await eventually { !run.standardOutput.isEmpty })
      run.signal(SIGINT)
      let code = try await run.exitCode()
      #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.url.path) == [])
      // On a busy machine the story may be over before the signal is sent; then there was nothing to interrupt.
      if run.standardOutput.contains("Ctrl-C") { continue }
      #expect(code == 130)
      #expect(run.standardError.contains("interrupted"))
      return
    }
    Issue.record("the demo was over before it could be interrupted, five times")
  }

  @Test("a demo that is kept prints what to try, and ends by Ctrl-C with its own result")
  func kept() async throws {
    let (folder, temporary) = (try Folder(), try Folder())
    let run = try Program.Run(["demo", "--keep"], in: folder.url, environment: ["TMPDIR": temporary.url.path])
    #expect(try await eventually(within: 60) { run.standardOutput.contains("Ctrl-C") })
    #expect(run.standardOutput.contains("curl -u sandbox-key:"))
    run.signal(SIGINT)
    #expect(try await run.exitCode() == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.url.path) == [])
  }
}
