import ArgumentParser
import JSON

struct ConflictsCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "conflicts", abstract: "Show and decide what changed on both sides.",
    discussion: """
      EXAMPLE
        customer-sync conflicts list
        customer-sync conflicts resolve 3 --take pms
      """,
    subcommands: [List.self, Show.self, Resolve.self])

  struct List: AdminCommand {
    static let purpose = "conflicts list"
    static let configuration = CommandConfiguration(
      abstract: "List the conflicts, oldest first.",
      discussion: """
        EXAMPLE
          customer-sync conflicts list --json
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    func run(with admin: AdminConnection) async throws {
      var columns = ParkedCommand.Hold.columns
      columns.replaceSubrange(
        (columns.count - 2)...,
        with: [
          Column("INVOICED'S", "invoiced"), Column("PMS'S", "pms"), Column("AT", "at"), Column("REASON", "reason"),
        ])
      try await admin.printList("conflicts", columns: columns, none: "There are no conflicts.", output: output)
    }
  }

  struct Show: AdminCommand {
    static let purpose = "conflicts show"
    static let configuration = CommandConfiguration(
      abstract: "Show one conflict.",
      discussion: """
        EXAMPLE
          customer-sync conflicts show 3
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The conflict's number, or the record's id.") var id: String

    func run(with admin: AdminConnection) async throws {
      try await ParkedCommand.Hold.show("conflicts", id, admin, output)
    }
  }

  struct Resolve: AdminCommand {
    enum Taken: String, ExpressibleByArgument, CaseIterable { case invoiced, pms }

    static let purpose = "conflicts resolve"
    static let configuration = CommandConfiguration(
      abstract: "Decide which side's value counts.",
      discussion: """
        Where one side deleted its record and the other edited its own, taking the side that deleted deletes the other \
        too, and taking the other creates the deleted one anew.

        EXAMPLE
          customer-sync conflicts resolve 3 --take pms
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The conflict.") var id: String
    @Option(help: "The side whose value counts: invoiced or pms.") var take: Taken

    func run(with admin: AdminConnection) async throws {
      let result = try await admin.call(
        "POST", "conflicts/\(AdminConnection.encoded(id))/resolve", body: ["take": .string(take.rawValue)])
      if output.json {
        Console.print(result.pretty)
      } else {
        Console.print("Conflict \(Table.text(result["id"])) is decided: \(take.rawValue)'s value counts.")
        admin.sayWhoWorks()
      }
    }
  }
}
