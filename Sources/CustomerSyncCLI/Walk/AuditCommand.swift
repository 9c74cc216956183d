import ArgumentParser
import HTTP
import JSON

struct AuditCommand: AdminCommand {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json, html, rst }

  static let purpose = "audit"
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Compare every record of both sides now, row by row of the property table.",
    discussion: """
      Reads all records of both systems and writes to neither. Prints the dataflow document with a verdict on each row, \
      and who has no counterpart. Exits with 0 when everything agrees, with 2 when not.

      EXAMPLE
        customer-sync audit
        customer-sync audit --format html --output audit.html
      """)
  @OptionGroup var options: ConfigurationOptions
  @Option(help: "Only this flow.") var flow: String?
  @Option(help: "text, json, html or rst.") var format = Format.text
  @Flag(help: "The same as --format json.") var json = false
  @Option(help: "Write to this file, in place of standard output.") var output: String?

  func validate() throws {
    if json, format != .text, format != .json {
      throw ValidationError("--json is --format json: leave one of the two out.")
    }
  }

  func run(with admin: AdminConnection) async throws {
    let format = json ? .json : format
    var query = [(name: "format", value: format.rawValue)]
    if let flow { query.append(("flow", flow)) }
    let answer = try await admin.response("GET", "audit", query: query)
    var agrees = answer.headers["Customer-Sync-Agrees"] == "true"
    var text = String(decoding: answer.body, as: UTF8.self)
    if format == .json {
      guard let value = try? JSONValue(parsing: answer.body) else {
        throw CommandFailure("the audit is no JSON")
      }
      agrees = value["agrees"] == true
      text = value.pretty + "\n"
    }
    do throws(FileFailure) { try Files.write(text, to: output) } catch { throw CommandFailure("\(error)") }
    if output != nil { Console.message(agrees ? "Both sides agree." : "The two sides differ.") }
    if !agrees { throw ExitCode.differences }
  }
}
