import ArgumentParser
import Glibc
import JSON

struct StatusCommand: AdminCommand {
  static let purpose = "status"
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show on one screen how the service is doing.",
    discussion: """
      EXAMPLE
        customer-sync status --watch
      """)
  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var output: OutputOptions
  @Flag(help: "Again every second, until Ctrl-C.") var watch = false

  func run(with admin: AdminConnection) async throws {
    while true {
      let status = try await admin.call("GET", "status")
      if output.json {
        // One line each time, so that a reader can tell them apart.
        Console.print(watch ? status.text : status.pretty)
      } else {
        if watch && Console.isTerminal(STDOUT_FILENO) { Console.write("\u{1B}[H\u{1B}[2J") }
        Console.print(Self.screen(status))
        if !admin.isService { Console.message("No service runs now.") }
      }
      guard watch, !Console.isOutputLost else { return }
      try await Task.sleep(for: .seconds(1))
    }
  }

  private static func screen(_ status: JSONValue) -> String {
    let sides = (status["sides"]?.object?.members ?? []).map { side -> JSONValue in
      [
        "side": .string(side.key), "state": side.value["state"] ?? .null, "reason": side.value["reason"] ?? .null,
        "since": side.value["since"] ?? .null, "events": side.value["events_per_minute"] ?? .null,
        "pushes": side.value["pushes_per_minute"] ?? .null, "lag": side.value["lag_milliseconds"] ?? .null,
      ]
    }
    var lines = [Console.bold("customer-sync  \(Table.text(status["at"]))"), ""]
    lines += Table.lines(
      [
        Column("SIDE", "side"), Column("STATE", "state"), Column("EVENTS/MIN", "events"),
        Column("PUSHES/MIN", "pushes"), Column("LAG MS", "lag"), Column("SINCE", "since"), Column("REASON", "reason"),
      ], sides)
    lines.append("")
    lines += Table.lines(
      [
        Column("FLOW", "flow"), Column("LIVE", "live"), Column("LINKS", "links"), Column("HELD BACK", "held_back"),
        Column("TITLE", "title"),
      ],
      status["flows"]?.array ?? [])
    lines.append("")
    lines += Table.lines(
      [
        Column("WAITING", "inbox"), Column("OLDEST S", "oldest_seconds"), Column("PARKED", "parked"),
        Column("CONFLICTS", "conflicts"), Column("HELD DELETES", "held_deletes"),
      ], [status])
    return lines.joined(separator: "\n")
  }
}
