import ArgumentParser
import Mapping

@main
struct CustomerSync: CommandGroup {
  static let configuration = CommandConfiguration(
    commandName: "customer-sync",
    abstract: "Keeps the customers of Invoiced and of a Custom PMS in two-way sync.",
    discussion: """
      EXAMPLE
        customer-sync demo
        customer-sync check --config customer-sync.yaml
        customer-sync serve --config customer-sync.yaml
      """,
    subcommands: [
      Serve.self, Demo.self, SandboxCommand.self, Check.self, BackfillCommand.self, ReconcileCommand.self,
      AuditCommand.self, StatusCommand.self, EventsCommand.self, LinksCommand.self, ParkedCommand.self,
      ConflictsCommand.self, DeletesCommand.self, PauseCommand.self, ResumeCommand.self, ForgetCommand.self,
      MappingCommand.self, Simulate.self, Sign.self, OpenAPI.self,
    ])

  /// `serve` is read by itself, since the argument parser and its tree of all commands take longer than the service to
  /// start. What is no plain call goes the common way, which says why.
  static func main() async {
    let words = Array(CommandLine.arguments.dropFirst())
    if let serve = Serve(plain: words) {
      do { return try await serve.run() } catch { exit(withError: error) }
    }
    if words.first == "help", let unknown = unknownCommand(in: words.dropFirst()) {
      exit(withError: ValidationError("There is no command '\(unknown)'."))
    }
    do {
      var command = try parseAsRoot(words)
      if var work = command as? any AsyncParsableCommand { try await work.run() } else { try command.run() }
    } catch {
      Console.exitIfOutputIsLost()
      exit(withError: error)
    }
    Console.exitIfOutputIsLost()
  }

  /// The first of the words that names no command; `help` of the argument parser passes over it.
  private static func unknownCommand(in words: ArraySlice<String>) -> String? {
    var command: any ParsableCommand.Type = self
    for word in words where !word.hasPrefix("-") {
      guard let next = command.configuration.subcommands.first(where: { $0._commandName == word }) else { return word }
      command = next
    }
    return nil
  }
}

/// A command that only has others below it: called alone it does nothing, and that is wrong usage.
protocol CommandGroup: AsyncParsableCommand {}

extension CommandGroup {
  func run() async throws {
    let names = Self.configuration.subcommands.map { $0._commandName }
    throw ValidationError("Name what to do after `\(Self._commandName)`: \(alternatives(names)).")
  }
}
