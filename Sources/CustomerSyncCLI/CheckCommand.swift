import ArgumentParser
import Connectors
import JSON
import Mapping
import Service

struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look for mistakes in the configuration and the mapping.",
    discussion: """
      Prints every problem with its file and line, and what to write instead. Nothing is asked of either system, \
      unless --online is given. Exits with 78 when there are errors, with 2 when a side doesn't answer, else with 0.

      EXAMPLE
        customer-sync check --config customer-sync.yaml
        customer-sync check --online
      """)

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Ask both systems too, with the configured credentials.")
  var online = false

  @Flag(help: "Print an array of objects.")
  var json = false

  func run() async throws {
    let (configuration, ofConfiguration) = options.loadConfiguration()
    var mapping: Mapping?
    var problems = ofConfiguration
    if let configuration {
      let loaded = MappingLoader.load(for: configuration)
      mapping = loaded.mapping
      problems += loaded.diagnostics
    } else if let path = MappingLoader.path(namedIn: options.config) {
      let loaded = MappingLoader.load(path)
      mapping = loaded.mapping
      problems += loaded.diagnostics
    }
    var rows = problems.map(\.json)
    if !json { for problem in problems { Console.print(problem.description) } }

    var silent = false
    if online, !problems.hasErrors, let configuration {
      let sides = try CommandFailure.reporting { () throws(ServiceError) in try SideConnections(configuration) }
      let answers = await Self.ask(sides)
      silent = answers.contains { $0.error != nil }
      for answer in answers {
        rows.append([
          "side": .string(answer.side.rawValue), "state": .string(answer.error == nil ? "up" : "down"),
          "reason": answer.error.map { .string($0.description) } ?? .null,
        ])
        guard !json else { continue }
        Console.print(answer.error.map { "error: \($0)" } ?? "\(answer.side.title) answers.")
      }
    }
    if json { Console.print(JSONValue.array(rows).pretty) } else { Console.print(summary(problems, mapping)) }
    if problems.hasErrors {
      if online { Console.message("Neither side was asked: the errors come first.") }
      throw ExitCode.misconfigured
    }
    if silent { throw ExitCode.differences }
  }

  private func summary(_ problems: [Diagnostic], _ mapping: Mapping?) -> String {
    let errors = problems.count { $0.severity == .error }
    var parts = [Counted.text(errors, "error"), Counted.text(problems.count - errors, "warning")]
    if let mapping {
      let rows = mapping.flows.reduce(0) { $0 + $1.properties.count }
      parts.insert("\(Counted.text(mapping.flows.count, "flow")) with \(Counted.text(rows, "row"))", at: 0)
    }
    return "\(options.config): " + parts.joined(separator: ", ")
  }

  /// Both sides at a time.
  private static func ask(_ sides: SideConnections) async -> [(side: Side, error: ConnectorError?)] {
    defer { sides.close() }
    async let invoiced = answer(of: sides.connectors[.invoiced])
    async let pms = answer(of: sides.connectors[.pms])
    return [(.invoiced, await invoiced), (.pms, await pms)]
  }

  private static func answer(of connector: (any Connector)?) async -> ConnectorError? {
    do throws(ConnectorError) {
      try await connector?.probe()
      return nil
    } catch {
      return error
    }
  }
}

/// "no errors", "1 error", "2 errors".
enum Counted {
  static func text(_ count: Int, _ noun: String) -> String {
    "\(count == 0 ? "no" : "\(count)") \(noun)\(count == 1 ? "" : "s")"
  }

  /// "1 event waits", "2 events wait", "No events wait", to begin a sentence with.
  static func sentence(_ count: JSONValue?, _ noun: String, _ one: String, _ many: String) -> String {
    let count = Int(count?.int64 ?? 0)
    let text = "\(text(count, noun)) \(count == 1 ? one : many)"
    return text.prefix(1).uppercased() + text.dropFirst()
  }
}

extension Diagnostic {
  /// A row for `--json`.
  var json: JSONValue {
    [
      "severity": .string(severity.rawValue), "file": position.map { .string($0.file) } ?? .null,
      "line": position.map { .number(JSONNumber($0.line)) } ?? .null,
      "column": position.map { .number(JSONNumber($0.column)) } ?? .null, "flow": flow.map { .string($0) } ?? .null,
      "row": row.map { .number(JSONNumber($0 + 1)) } ?? .null, "reason": .string(message),
      "advice": .string(advice),
    ]
  }
}
