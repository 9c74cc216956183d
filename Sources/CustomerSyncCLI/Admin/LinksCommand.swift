import ArgumentParser
import JSON

struct LinksCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "links", abstract: "Show, make and end the links between records.",
    discussion: """
      EXAMPLE
        customer-sync links list
        customer-sync links show 12
      """,
    subcommands: [List.self, Show.self, Make.self, Unlink.self])

  private static let columns = [
    Column("ID", "id"), Column("FLOW", "flow"), Column("INVOICED", "invoiced_id"), Column("PMS", "pms_id"),
    Column("STATE", "state"), Column("AT", "at"), Column("REASON", "reason"),
  ]

  struct List: AdminCommand {
    static let purpose = "links list"
    static let configuration = CommandConfiguration(
      abstract: "List links, oldest first.",
      discussion: """
        EXAMPLE
          customer-sync links list --ended
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Those that have ended, in place of those that live.") var ended = false
    @Option(help: "Only of this flow.") var flow: String?

    func run(with admin: AdminConnection) async throws {
      var query: [(name: String, value: String)] = ended ? [("state", "ended")] : []
      if let flow { query.append(("flow", flow)) }
      try await admin.printList(
        "links", query: query, columns: LinksCommand.columns, none: "There are no such links.", output: output
      ) { link in ended || link["state"] != "ended" }
    }
  }

  struct Show: AdminCommand {
    static let purpose = "links show"
    static let configuration = CommandConfiguration(
      abstract: "Show both sides of a link next to each other, the agreed values and the history.",
      discussion: """
        ID is the link's number, or a record's id (SIDE:ID where both sides have it).

        EXAMPLE
          customer-sync links show pms:C-1
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The link.") var id: String

    func run(with admin: AdminConnection) async throws {
      let link = try await admin.call("GET", "links/" + AdminConnection.encoded(id))
      if output.json {
        Console.print(link.pretty)
        return
      }
      link.printed(["id", "flow", "state", "invoiced_id", "pms_id", "reason", "at", "ended_at"])
      let rows = (link["properties"]?.array ?? []).map { row -> JSONValue in
        [
          "property": row["property"] ?? .null, "invoiced": row["invoiced"] ?? .null, "pms": row["pms"] ?? .null,
          "agreed": Self.agreed(row["agreed"]),
        ]
      }
      let table = Table.lines(
        [
          Column("PROPERTY", "property"), Column("INVOICED", "invoiced"), Column("PMS", "pms"),
          Column("AGREED", "agreed"),
        ], rows)
      Console.print("\n" + table.joined(separator: "\n"))
      let history = link["history"]?.array ?? []
      guard !history.isEmpty else { return }
      let columns = [
        Column("AT", "at"), Column("KIND", "kind"), Column("SIDE", "side"), Column("PROPERTY", "property"),
        Column("OLD", "old"), Column("NEW", "new"), Column("AGREED", "agreed"), Column("RULE", "rule"),
        Column("WHY", "reason"),
      ]
      let told = history.map { entry -> JSONValue in
        guard var object = entry.object else { return entry }
        object["agreed"] = Self.agreed(entry["agreed"])
        // A create's whole record would leave room for nothing else.
        if let values = entry["new"]?.object, !values.members.isEmpty, entry["kind"] == "linked" {
          object["new"] = .string("\(values.count) values")
        }
        return .object(object)
      }
      Console.print("\n" + Table.lines(columns, told).joined(separator: "\n"))
    }

    private static func agreed(_ pair: JSONValue?) -> JSONValue {
      guard let pair, !pair.isNull else { return .null }
      return .string("\(Table.text(pair["invoiced"])) = \(Table.text(pair["pms"]))")
    }
  }

  struct Make: AdminCommand {
    static let purpose = "links link"
    static let configuration = CommandConfiguration(
      commandName: "link", abstract: "Link two records, whatever kept them apart.",
      discussion: """
        EXAMPLE
          customer-sync links link 1234 C-1
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: ArgumentHelp("The record's id at Invoiced.", valueName: "invoiced-id")) var invoiced: String
    @Argument(help: ArgumentHelp("The record's id at the PMS.", valueName: "pms-id")) var pms: String

    func run(with admin: AdminConnection) async throws {
      let link = try await admin.call(
        "POST", "links", body: ["invoiced_id": .string(invoiced), "pms_id": .string(pms)])
      if output.json {
        Console.print(link.pretty)
      } else {
        Console.print(
          "Link \(Table.text(link["id"])) joins \(invoiced) and \(pms) in flow \(Table.text(link["flow"])).")
        admin.sayWhoWorks()
      }
    }
  }

  struct Unlink: AdminCommand {
    static let purpose = "links unlink"
    static let configuration = CommandConfiguration(
      abstract: "End a link; both records are kept apart until a person links them.",
      discussion: """
        EXAMPLE
          customer-sync links unlink 12
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The link.") var id: String

    func run(with admin: AdminConnection) async throws {
      let link = try await admin.call("DELETE", "links/" + AdminConnection.encoded(id))
      if output.json {
        Console.print(link.pretty)
      } else {
        let (invoiced, pms) = (Table.text(link["invoiced_id"]), Table.text(link["pms_id"]))
        Console.print("Link \(Table.text(link["id"])) has ended; \(invoiced) and \(pms) are kept apart.")
        Console.print("To join them again: customer-sync links link \(invoiced) \(pms)")
      }
    }
  }
}
