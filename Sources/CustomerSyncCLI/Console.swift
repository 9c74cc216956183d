import ArgumentParser
import Glibc
import Mapping
import Service
import Synchronization

/// Where results and messages go: standard output and standard error.
enum Console {
  static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
  /// To standard output, as it is.
  static func write(_ text: String) { write(text, to: STDOUT_FILENO) }
  /// To standard error, as it is, where `toError`.
  static func write(_ text: String, toError: Bool) { write(text, to: toError ? STDERR_FILENO : STDOUT_FILENO) }
  static func message(_ text: String) { write(text + "\n", to: STDERR_FILENO) }

  /// To standard error, as it is: for a line that is written over.
  static func progress(_ text: String) { write(text, to: STDERR_FILENO) }

  /// Why standard output couldn't be written; 0 while it could. What comes after is not tried: a result has no holes.
  private static let failure = Atomic<Int32>(0)

  /// Nobody gets what is printed from now on.
  static var isOutputLost: Bool { failure.load(ordering: .relaxed) != 0 }

  /// Ends the program with exit 1 where a result could not be written, as on a full disk: who asked for it must not take
  /// what is there for the whole. A reader who left, such as `head`, knows what it has.
  static func exitIfOutputIsLost() {
    let code = failure.load(ordering: .relaxed)
    guard code != 0, code != EPIPE else { return }
    message("error: \(FileFailure("written", "standard output", code))")
    exit(ExitCode.failure.rawValue)
  }

  private static func write(_ text: String, to descriptor: Int32) {
    if descriptor == STDOUT_FILENO, isOutputLost { return }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno != EINTR {
        if descriptor == STDOUT_FILENO { failure.store(errno, ordering: .relaxed) }
        return
      }
      bytes = bytes.dropFirst(max(0, written))
    }
  }
}

/// The contract's exit codes (section 1); wrong usage, 64, is the argument parser's.
extension ExitCode {
  /// Done, and differences or conflicts were found.
  static let differences = ExitCode(2)
  /// Wrong configuration or mapping.
  static let misconfigured = ExitCode(78)
}

/// What commands that need the configuration share.
struct ConfigurationOptions: ParsableArguments {
  static let standardFile = "customer-sync.yaml"

  @Option(name: .long, help: ArgumentHelp("The configuration file.", valueName: "file"))
  var config = standardFile

  /// The configuration and its mapping; prints every problem and exits with 78 where one can't be used.
  func load() throws -> (configuration: Configuration, mapping: Mapping) {
    let (configuration, diagnostics) = loadConfiguration()
    return try Self.complete(configuration, diagnostics)
  }

  /// The same for a configuration that was read already: from a pipe it can be read once only.
  static func complete(
    _ configuration: Configuration?, _ diagnostics: [Diagnostic]
  ) throws -> (configuration: Configuration, mapping: Mapping) {
    let (files, problems) = completed(configuration, diagnostics)
    for problem in problems { Console.message(problem.description) }
    guard let files else { throw ExitCode.misconfigured }
    return files
  }

  /// The configuration with its mapping, nil where one can't be used, and every problem.
  static func completed(
    _ configuration: Configuration?, _ diagnostics: [Diagnostic]
  ) -> (files: (configuration: Configuration, mapping: Mapping)?, problems: [Diagnostic]) {
    guard let configuration else { return (nil, diagnostics) }
    let (mapping, problems) = MappingLoader.load(for: configuration)
    return (mapping.map { (configuration, $0) }, diagnostics + problems)
  }

  func loadConfiguration() -> (Configuration?, [Diagnostic]) {
    Configuration.load(file: config, environment: Environment.variables)
  }
}

enum Environment {
  /// The process's environment.
  static var variables: [String: String] {
    var variables: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
      let pair = String(cString: text)
      if let equals = pair.firstIndex(of: "=") {
        variables[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
      }
      entry += 1
    }
    return variables
  }
}

/// Why a command can't do what it was asked: told on standard error, exit 1.
struct CommandFailure: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }

  /// Turns an error into its message and exit 1.
  static func reporting<T, E: Error>(_ body: () throws(E) -> T) throws -> T {
    do throws(E) {
      return try body()
    } catch {
      Console.message("error: \(error)")
      throw ExitCode.failure
    }
  }
}
