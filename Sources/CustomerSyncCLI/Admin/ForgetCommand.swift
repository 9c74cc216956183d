import ArgumentParser
import JSON

struct ForgetCommand: AdminCommand {
  static let purpose = "forget"
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Erase one customer from store, history and inbox.",
    discussion: """
      The record that it is linked with is erased with it; neither side is written to. Waits for readers of the store.

      EXAMPLE
        customer-sync forget --pms C-1
      """)
  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var output: OutputOptions
  @Option(help: "The record's id at Invoiced.") var invoiced: String?
  @Option(help: "The record's id at the PMS.") var pms: String?

  func validate() throws {
    guard (invoiced == nil) != (pms == nil) else { throw ValidationError("Give either --invoiced or --pms.") }
    guard invoiced ?? pms != "" else { throw ValidationError("The id is empty: give the record's.") }
  }

  func run(with admin: AdminConnection) async throws {
    let result = try await admin.call(
      "POST", "forget",
      body: invoiced.map { ["invoiced_id": .string($0)] } ?? ["pms_id": .string(pms ?? "")])
    if output.json {
      Console.print(result.pretty)
    } else {
      let names = (result["forgotten"]?.array ?? []).map { Table.text($0) }
      Console.print("Erased: \(names.joined(separator: ", "))")
    }
  }
}
