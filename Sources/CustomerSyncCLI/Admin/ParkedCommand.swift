import ArgumentParser
import JSON

struct ParkedCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "parked", abstract: "Show what waits for a change or a person, and try it again.",
    discussion: """
      EXAMPLE
        customer-sync parked list
        customer-sync parked retry --all
      """,
    subcommands: [List.self, Show.self, Retry.self, Discard.self])

  struct List: AdminCommand {
    static let purpose = "parked list"
    static let configuration = CommandConfiguration(
      abstract: "List what is parked, oldest first.",
      discussion: """
        EXAMPLE
          customer-sync parked list --json
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    func run(with admin: AdminConnection) async throws {
      try await admin.printList(
        "parked", columns: Hold.columns, none: "Nothing is parked.", output: output)
    }
  }

  struct Show: AdminCommand {
    static let purpose = "parked show"
    static let configuration = CommandConfiguration(
      abstract: "Show one parked entry.",
      discussion: """
        EXAMPLE
          customer-sync parked show 7
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The entry's number, or the record's id.") var id: String

    func run(with admin: AdminConnection) async throws { try await Hold.show("parked", id, admin, output) }
  }

  struct Retry: AdminCommand {
    static let purpose = "parked retry"
    static let configuration = CommandConfiguration(
      abstract: "Try parked entries again now.",
      discussion: """
        EXAMPLE
          customer-sync parked retry 7 8
          customer-sync parked retry --all
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The entries.") var ids: [String] = []
    @Flag(help: "All that are about a record.") var all = false

    func validate() throws {
      guard ids.isEmpty == all else { throw ValidationError("Give entries, or --all.") }
    }

    func run(with admin: AdminConnection) async throws {
      var chosen = ids
      if all {
        // An event that can't be read names no record to try again.
        try await admin.forEachPage("parked") { page in
          chosen += page.filter { $0["cause"] != "unreadable" }.compactMap { $0["id"]?.identifier }
          return true
        }
      }
      var results: [JSONValue] = []
      for id in chosen {
        let entry = "parked/\(AdminConnection.encoded(id))"
        do { results.append(try await admin.call("POST", entry + "/retry")) } catch let failure as CommandFailure {
          // Of all that was listed, some may have come into order by itself since.
          guard all, (try? await admin.call("GET", entry)) == nil else { throw failure }
        }
      }
      if output.json {
        Console.print(JSONValue.array(results).pretty)
      } else {
        Console.print(
          results.count == 1 ? "1 parked entry is tried again." : "\(results.count) parked entries are tried again.")
        if !results.isEmpty { admin.sayWhoWorks() }
      }
    }
  }

  struct Discard: AdminCommand {
    static let purpose = "parked discard"
    static let configuration = CommandConfiguration(
      abstract: "Leave a parked entry's values as they are until one of them changes.",
      discussion: """
        EXAMPLE
          customer-sync parked discard 7
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The entry.") var id: String

    func run(with admin: AdminConnection) async throws {
      let result = try await admin.call("POST", "parked/\(AdminConnection.encoded(id))/discard")
      Console.print(
        output.json
          ? result.pretty : "Entry \(Table.text(result["id"])) is left as it is until one of its values changes.")
    }
  }

  /// What parked entries and conflicts share.
  enum Hold {
    static let columns = [
      Column("ID", "id"), Column("FLOW", "flow"), Column("INVOICED", "invoiced_id"), Column("PMS", "pms_id"),
      Column("PROPERTY", "property"), Column("AT", "at"), Column("REASON", "reason"),
    ]

    static func show(_ path: String, _ id: String, _ admin: AdminConnection, _ output: OutputOptions) async throws {
      let entry = try await admin.call("GET", "\(path)/\(AdminConnection.encoded(id))")
      if output.json {
        Console.print(entry.pretty)
      } else {
        entry.printed([
          "id", "flow", "state", "cause", "side", "invoiced_id", "pms_id", "property", "invoiced", "pms", "reason",
          "next", "attempts", "at",
        ])
      }
    }
  }
}
