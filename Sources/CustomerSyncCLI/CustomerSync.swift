import ArgumentParser

@main
struct CustomerSync: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "customer-sync",
    abstract: "Keeps the customers of Invoiced and of a Custom PMS in two-way sync.",
    subcommands: [
      Serve.self, Demo.self, SandboxCommand.self, Check.self, BackfillCommand.self, ReconcileCommand.self,
      AuditCommand.self, StatusCommand.self, EventsCommand.self, LinksCommand.self, ParkedCommand.self,
      ConflictsCommand.self, DeletesCommand.self, PauseCommand.self, ResumeCommand.self, ForgetCommand.self,
      MappingCommand.self, Simulate.self, Sign.self, OpenAPI.self,
    ])

  /// `serve` is read by itself, since the tree of all commands takes longer to build than the service to start. What
  /// can't be read that way goes the common one, which says why.
  static func main() async {
    let arguments = CommandLine.arguments.dropFirst()
    guard arguments.first == "serve", let serve = try? Serve.parse(Array(arguments.dropFirst())) else {
      return await main(nil)
    }
    do { try await serve.run() } catch { exit(withError: error) }
  }
}
