import ArgumentParser
import JSON

struct DeletesCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "deletes", abstract: "Show and decide what the mass-delete guard holds.",
    discussion: """
      When more records of a flow are deleted at once than delete_guard lets through, nothing is passed on until you \
      decide. A record that is there again is dropped from the list by itself.

      EXAMPLE
        customer-sync deletes list
        customer-sync deletes approve
      """,
    subcommands: [List.self, Approve.self, Reject.self])

  struct List: AdminCommand {
    static let purpose = "deletes list"
    static let configuration = CommandConfiguration(
      abstract: "List the deletes that are held, oldest first.",
      discussion: """
        EXAMPLE
          customer-sync deletes list --json
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    func run(with admin: AdminConnection) async throws {
      let columns = [
        Column("ID", "id"), Column("FLOW", "flow"), Column("SIDE", "side"), Column("INVOICED", "invoiced_id"),
        Column("PMS", "pms_id"), Column("AT", "at"), Column("REASON", "reason"),
      ]
      try await admin.printList("deletes", columns: columns, none: "No deletes are held.", output: output)
    }
  }

  struct Approve: AdminCommand {
    static let purpose = "deletes approve"
    static let configuration = CommandConfiguration(
      abstract: "Let held deletes go.",
      discussion: """
        What the flow says of deletes is done: the other side's records are deleted or archived, or their links end. \
        All that is held goes, unless you name some. The guard then counts anew.

        EXAMPLE
          customer-sync deletes approve
          customer-sync deletes approve 7 8
          customer-sync deletes approve --flow companies
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var chosen: Chosen

    func run(with admin: AdminConnection) async throws {
      try await chosen.decide("approve", "approved", ("delete", "goes on", "go on"), admin, output)
    }
  }

  struct Reject: AdminCommand {
    static let purpose = "deletes reject"
    static let configuration = CommandConfiguration(
      abstract: "Keep what is left of held deletes.",
      discussion: """
        Nothing is deleted: the record that is left stays as it is, its link ends, and it is kept apart until you link \
        it (links link). All that is held is rejected, unless you name some.

        EXAMPLE
          customer-sync deletes reject
          customer-sync deletes reject --flow companies
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var chosen: Chosen

    func run(with admin: AdminConnection) async throws {
      try await chosen.decide(
        "reject", "rejected", ("record", "is kept, unlinked", "are kept, unlinked"), admin, output)
    }
  }

  struct Chosen: ParsableArguments {
    @Argument(help: "The deletes, by their numbers or their records' ids; all where none is named.") var ids: [String] =
      []
    @Option(help: "Those of one flow.") var flow: String?

    func validate() throws {
      guard ids.isEmpty || flow == nil else { throw ValidationError("Give deletes or --flow, not both.") }
    }

    fileprivate func decide(
      _ action: String, _ word: String, _ told: (noun: String, one: String, many: String), _ admin: AdminConnection,
      _ output: OutputOptions
    ) async throws {
      var body: JSONValue?
      if !ids.isEmpty { body = ["ids": .array(ids.map { .string($0) })] }
      if let flow { body = ["flow": .string(flow)] }
      let result = try await admin.call("POST", "deletes/\(action)", body: body)
      if output.json {
        Console.print(result.pretty)
      } else {
        Console.print(Counted.sentence(result[word], told.noun, told.one, told.many) + ".")
        if result[word]?.int64 ?? 0 > 0 { admin.sayWhoWorks() }
      }
    }
  }
}
