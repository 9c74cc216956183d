import ArgumentParser
import Connectors
import Documents
import JSON
import Mapping
import Service
import Sync

struct MappingSuggest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suggest",
    abstract: "Propose property pairs from sample records of both sides.",
    discussion: """
      Reads one page of customers of each side, and nothing else. Pairs are proposed where records that are the \
      same customer on both sides have equal values, and where names are alike. The rows have the form of \
      mapping.yaml; each says what speaks for it. The mapping need not exist yet.

      EXAMPLE
        customer-sync mapping suggest --config customer-sync.yaml
      """)

  @OptionGroup var options: ConfigurationOptions

  @Flag(help: "Print an array of objects.")
  var json = false

  func run() async throws {
    let (configuration, problems) = options.loadConfiguration()
    for problem in problems { Console.message(problem.description) }
    guard let configuration else { throw ExitCode.misconfigured }
    if Files.exist(configuration.mapping) {
      let (mapping, problems) = MappingDocument.read(path: configuration.mapping)
      for problem in problems where problem.severity == .error { Console.message(problem.description) }
      if mapping == nil { throw ExitCode.misconfigured }
    }
    let sides = try CommandFailure.reporting { () throws(ServiceError) in try SideConnections(configuration) }
    defer { sides.close() }
    var records: [Side: [JSONValue]] = [:]
    for side in Side.allCases {
      do throws(ConnectorError) {
        records[side] = try await sides.connectors[side]?.list(updatedSince: nil, cursor: nil).items.map(\.record)
      } catch {
        Console.message("error: \(error)")
        throw ExitCode.failure
      }
    }
    let suggestion = Suggestion(
      invoiced: records[.invoiced] ?? [], pms: records[.pms] ?? [], pmsID: configuration.pms.entity.id)
    let sizes = Side.allCases.map { "\(Counted.text(records[$0]?.count ?? 0, "record")) of \($0.title)" }
    Console.message("Looked at \(sizes.joined(separator: " and ")).")
    if suggestion.pairs.isEmpty {
      Console.message("No pair to propose: create a few customers on both sides that are the same, and try again.")
    }
    if json { Console.print(suggestion.json.pretty) } else { Console.write(suggestion.text) }
  }
}
