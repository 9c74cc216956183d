import Foundation

/// Runs `openssl` in a directory.
public func openssl(_ arguments: String, in directory: URL) throws {
  let words = arguments.split(separator: " ").map(String.init)
  let end = try Child("/usr/bin/openssl", words, in: directory).wait()
  guard end == .exit(0) else { throw Child.Failure(description: "openssl \(arguments): \(end)") }
}
