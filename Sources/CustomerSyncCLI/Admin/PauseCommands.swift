import ArgumentParser
import JSON

enum SideArgument: String, ExpressibleByArgument, CaseIterable { case invoiced, pms }

struct PauseCommand: AdminCommand {
  static let purpose = "pause"
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Let no pushes through to one side until resume.",
    discussion: """
      EXAMPLE
        customer-sync pause pms --reason "maintenance until 14:00"
      """)
  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var output: OutputOptions
  @Argument(help: "invoiced or pms.") var side: SideArgument
  @Option(help: "Why, for whoever looks at status.") var reason: String?

  func run(with admin: AdminConnection) async throws {
    var body = JSONObject()
    body["reason"] = reason.map { .string($0) }
    let result = try await admin.call("POST", "sides/\(side.rawValue)/pause", body: .object(body))
    Console.print(output.json ? result.pretty : "Pushes to \(side.rawValue) are paused.")
    if !output.json { Console.message("To go on: customer-sync resume \(side.rawValue)") }
  }
}

struct ResumeCommand: AdminCommand {
  static let purpose = "resume"
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Let pushes through to one side again.",
    discussion: """
      EXAMPLE
        customer-sync resume pms
      """)
  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var output: OutputOptions
  @Argument(help: "invoiced or pms.") var side: SideArgument

  func run(with admin: AdminConnection) async throws {
    let result = try await admin.call("POST", "sides/\(side.rawValue)/resume")
    Console.print(output.json ? result.pretty : "Pushes to \(side.rawValue) go through again.")
  }
}
