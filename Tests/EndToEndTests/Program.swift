import Foundation
import Support

/// The program that is tested: `CUSTOMER_SYNC_BINARY`, or the one built beside this test bundle.
enum Program {
  static var path: String {
    if let path = ProcessInfo.processInfo.environment["CUSTOMER_SYNC_BINARY"], !path.isEmpty { return path }
    let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return bundle.deletingLastPathComponent().appendingPathComponent("customer-sync").path
  }

  /// A run of the program, whose output goes to files.
  final class Run {
    private let process: Child
    private let output: String
    private let messages: String

    /// - Parameter executable: Another program than the one that is tested.
    init(
      _ arguments: [String], in directory: URL, environment: [String: String] = [:], executable: String? = nil
    ) throws {
      let name = UUID().uuidString
      output = directory.appendingPathComponent("\(name).out").path
      messages = directory.appendingPathComponent("\(name).err").path
      process = try Child(
        executable ?? Program.path, arguments, in: directory,
        environment: ProcessInfo.processInfo.environment.merging(environment) { $1 }, output: output, errors: messages)
    }

    deinit { signal(SIGKILL) }

    var standardOutput: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }
    var standardError: String { (try? String(contentsOfFile: messages, encoding: .utf8)) ?? "" }

    var pid: pid_t { process.pid }
    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { process.signal(number) }

    /// Its exit code, or nil when it doesn't end in that time or a signal ended it.
    func exitCode(within seconds: Double = 30) async throws -> Int32? {
      guard try await eventually(within: seconds, { !self.isRunning }) else { return nil }
      return process.wait().code
    }
  }
}

/// Whether the condition comes to hold in that time.
func eventually(within seconds: Double = 20, _ condition: () async throws -> Bool) async throws -> Bool {
  let end = ContinuousClock.now + .seconds(seconds)
  repeat {
    if try await condition() { return true }
    try await Task.sleep(for: .milliseconds(5))
  } while ContinuousClock.now < end
  return false
}

/// A directory that goes with the test.
final class Folder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("end-to-end-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func write(_ text: String, _ name: String) throws {
    try text.write(to: url.appendingPathComponent(name), atomically: true, encoding: .utf8)
  }
}
