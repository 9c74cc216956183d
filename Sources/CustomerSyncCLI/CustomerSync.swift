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
}
