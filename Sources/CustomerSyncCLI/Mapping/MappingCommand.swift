import ArgumentParser
import Documents
import Mapping
import Service

struct MappingCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "mapping",
    abstract: "Try, import, render or propose a mapping.",
    discussion: """
      EXAMPLE
        customer-sync mapping test --invoiced event.json
        customer-sync mapping import dataflow.rst --output mapping.yaml
      """,
    subcommands: [MappingTest.self, MappingImport.self, MappingRender.self, MappingSuggest.self])
}

/// The mapping that a command is about: the configuration's, or a file given directly.
struct MappingOptions: ParsableArguments {
  @OptionGroup var options: ConfigurationOptions

  @Option(help: ArgumentHelp("A mapping, in place of the configuration's.", valueName: "file"))
  var mapping: String?

  /// The mapping, and the configuration where it came from one. Prints problems and exits with 78 where it can't be
  /// read; what only `check` and `serve` refuse is printed and let pass.
  func load() throws -> (mapping: Mapping, configuration: Configuration?) {
    var configuration: Configuration?
    if mapping == nil {
      let (loaded, problems) = options.loadConfiguration()
      guard let loaded else { return try Self.refuse(problems) }
      configuration = loaded
    }
    guard let path = mapping ?? configuration?.mapping else { throw ExitCode.misconfigured }
    let (mapping, problems) = MappingDocument.read(path: path)
    guard let mapping else { return try Self.refuse(problems) }
    for var problem in MappingCheck.problems(in: mapping) where problem.severity == .error {
      problem.severity = .warning
      Console.message(problem.description)
    }
    return (mapping, configuration)
  }

  @discardableResult
  private static func refuse<T>(_ problems: [Diagnostic]) throws -> T {
    for problem in problems { Console.message(problem.description) }
    throw ExitCode.misconfigured
  }
}
