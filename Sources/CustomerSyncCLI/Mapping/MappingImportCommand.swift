import ArgumentParser
import Documents
import Mapping

struct MappingImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Read a dataflow document, and write it as a mapping.",
    discussion: """
      Every section becomes a flow with `live: observe`: a document says nothing of filters and match keys. What \
      should be looked at goes to standard error; a document that is none is an error that names the line (exit 1). \
      - is standard input.

      EXAMPLE
        customer-sync mapping import dataflow.rst --output mapping.yaml
      """)

  @Argument(help: ArgumentHelp("The document, in reStructuredText.", valueName: "doc.rst"))
  var document: String

  @Option(help: ArgumentHelp("Where the mapping goes; standard output unless given.", valueName: "file"))
  var output: String?

  func run() throws {
    let (document, problems) = try read()
    for problem in problems { Console.message(problem.description) }
    guard let document else { throw ExitCode.failure }
    let (mapping, warnings) = document.imported()
    for warning in warnings { Console.message(warning.description) }
    try CommandFailure.reporting { () throws(FileFailure) in
      try Files.write(MappingDocument.write(mapping), to: output)
    }
  }

  private func read() throws -> (document: DataflowDocument?, diagnostics: [Diagnostic]) {
    guard document == "-" else { return DataflowDocument.read(path: document) }
    let bytes = try CommandFailure.reporting { () throws(FileFailure) in try Files.bytes(of: nil) }
    return DataflowDocument.read(bytes: bytes, file: "-")
  }
}
