import ArgumentParser
import Documents
import Mapping

struct MappingRender: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "render",
    abstract: "Write the mapping as a dataflow document.",
    discussion: """
      EXAMPLE
        customer-sync mapping render --output dataflow.rst
        customer-sync mapping render --mapping mapping.yaml --format html > m.html
      """)

  @OptionGroup var source: MappingOptions

  @Option(help: ArgumentHelp("rst, md or html.", valueName: "format"))
  var format: DataflowDocument.Format = .rst

  @Option(help: ArgumentHelp("Where the document goes; standard output unless given.", valueName: "file"))
  var output: String?

  func run() throws {
    let mapping = try source.load().mapping
    try CommandFailure.reporting { () throws(FileFailure) in
      try Files.write(DataflowDocument.render(mapping, as: format), to: output)
    }
  }
}

extension DataflowDocument.Format: ExpressibleByArgument {}
