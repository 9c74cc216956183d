import ArgumentParser
import JSON
import Mapping
import Sync

struct EventsCommand: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "events", abstract: "Show the inbox, and have events worked again.",
    discussion: """
      EXAMPLE
        customer-sync events list --state parked
        customer-sync events replay --since 2026-03-01T00:00:00Z \\
          --type customer.updated
      """,
    subcommands: [List.self, Show.self, Replay.self])

  fileprivate static func checkTimes(since: String?, until: String?) throws {
    for (name, text) in [("since", since), ("until", until)] {
      guard let text, Timestamp(rfc3339: text) == nil else { continue }
      throw ValidationError("--\(name) takes a time such as 2026-03-01T12:00:00Z.")
    }
  }

  struct List: AdminCommand {
    static let purpose = "events list"
    static let configuration = CommandConfiguration(
      abstract: "List events, newest first.",
      discussion: """
        EXAMPLE
          customer-sync events list --side pms --since 2026-03-01T00:00:00Z
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only of this side: invoiced or pms.") var side: String?
    @Option(help: "Only of this flow.") var flow: String?
    @Option(help: "Only of this type, such as customer.updated.") var type: String?
    @Option(help: "Only in this state: waiting, running, retrying, done, ignored, parked, held or conflict.")
    var state: String?
    @Option(help: "Only of the record with this id.") var record: String?
    @Option(help: "Only those received since this time, such as 2026-03-01T12:00:00Z.") var since: String?
    @Option(help: "Only those received before this time.") var until: String?
    @Option(help: "At most so many.") var limit: Int?

    func validate() throws {
      if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1 on.") }
      if let side, Side(rawValue: side) == nil { throw ValidationError("--side takes invoiced or pms.") }
      if let state, EventState(rawValue: state) == nil {
        let states = EventState.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--state takes one of \(states).")
      }
      try EventsCommand.checkTimes(since: since, until: until)
    }

    func run(with admin: AdminConnection) async throws {
      let filters = [
        ("side", side), ("flow", flow), ("type", type), ("state", state), ("record", record), ("since", since),
        ("until", until),
      ]
      try await admin.printList(
        "events", query: filters.compactMap { name, value in value.map { (name, $0) } },
        columns: [
          Column("ID", "id"), Column("AT", "at"), Column("SIDE", "side"), Column("TYPE", "type"),
          Column("RECORD", "invoiced_id", "pms_id"), Column("STATE", "state"), Column("REASON", "reason"),
        ],
        none: "There are no such events.", output: output, most: limit)
    }
  }

  struct Show: AdminCommand {
    static let purpose = "events show"
    static let configuration = CommandConfiguration(
      abstract: "Show one event with its body.",
      discussion: """
        ID is the event's number, or its sender's id for it (SIDE:ID where both sides have it).

        EXAMPLE
          customer-sync events show 1042
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The event.") var id: String

    func run(with admin: AdminConnection) async throws {
      let event = try await admin.call("GET", "events/" + AdminConnection.encoded(id))
      if output.json {
        Console.print(event.pretty)
        return
      }
      event.printed([
        "id", "event", "side", "type", "origin", "state", "invoiced_id", "pms_id", "attempts", "reason", "at", "due_at",
        "finished_at",
      ])
      if let body = event["body"], !body.isNull { Console.print("\n" + body.pretty) }
    }
  }

  struct Replay: AdminCommand {
    static let purpose = "events replay"
    static let configuration = CommandConfiguration(
      abstract: "Have events worked again.",
      discussion: """
        EXAMPLE
          customer-sync events replay 1042 1043
          customer-sync events replay --since 2026-03-01T00:00:00Z
        """)
    @OptionGroup var options: ConfigurationOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "The events.") var ids: [String] = []
    @Option(help: "All received since this time.") var since: String?
    @Option(help: "None received from this time on.") var until: String?
    @Option(help: "Only of this type.") var type: String?

    func validate() throws {
      guard ids.isEmpty != (since == nil) else { throw ValidationError("Give events, or --since TIME.") }
      guard since != nil || (until == nil && type == nil) else {
        throw ValidationError("--until and --type go with --since.")
      }
      try EventsCommand.checkTimes(since: since, until: until)
    }

    func run(with admin: AdminConnection) async throws {
      var body = JSONObject()
      if let since {
        body["since"] = .string(since)
        body["until"] = until.map { .string($0) }
        body["type"] = type.map { .string($0) }
      } else {
        body["ids"] = .array(ids.map { .string($0) })
      }
      let result = try await admin.call("POST", "events/replay", body: .object(body))
      if output.json {
        Console.print(result.pretty)
      } else {
        Console.print(
          Counted.sentence(result["replayed"], "event", "waits", "wait") + " to be worked again.")
        if result["replayed"]?.int64 ?? 0 > 0 { admin.sayWhoWorks() }
      }
    }
  }
}

extension AdminConnection {
  /// Decisions made while no service runs are carried out by the next one.
  func sayWhoWorks() {
    if !isService { Console.message("No service runs now: customer-sync serve carries it out.") }
  }
}
