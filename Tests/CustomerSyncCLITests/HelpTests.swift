import Testing

@Suite struct HelpTests {
  static let all = [
    "serve", "demo", "sandbox", "check", "backfill", "reconcile", "audit", "status", "events", "events list",
    "events show", "events replay", "links", "links list", "links show", "links link", "links unlink", "parked",
    "parked list", "parked show", "parked retry", "parked discard", "conflicts", "conflicts list", "conflicts show",
    "conflicts resolve", "deletes", "deletes list", "deletes approve", "deletes reject", "pause", "resume", "forget",
    "mapping", "mapping test", "mapping import", "mapping render", "mapping suggest", "simulate", "sign", "openapi",
  ]

  @Test("every command's help has an example", arguments: HelpTests.all)
  func example(command: String) throws {
    let outcome = try Program().run(command.split(separator: " ").map(String.init) + ["--help"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("EXAMPLE"))
    #expect(outcome.output.contains("customer-sync \(command)"))
  }

  @Test("examples can be copied from a terminal of 80 columns: none is broken in the middle", arguments: HelpTests.all)
  func width(command: String) throws {
    let words = command.split(separator: " ").map(String.init) + ["--help"]
    let narrow = try Program().run(words, columns: 80)
    let wide = try Program().run(words, columns: 300)
    #expect(Self.examples(narrow.output) == Self.examples(wide.output))
    #expect(!Self.examples(wide.output).isEmpty)
  }

  private static func examples(_ help: String) -> [Substring] {
    help.split(separator: "\n", omittingEmptySubsequences: false)
      .drop { !$0.hasPrefix("EXAMPLE") }.dropFirst().prefix { $0.hasPrefix("  ") }.map { $0 }
  }

  @Test("prints the description of its own API")
  func openAPI() throws {
    let outcome = try Program().run(["openapi"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("openapi: 3."))
    #expect(outcome.output.contains("/webhooks/invoiced"))
  }

  @Test(
    "exits with 64 on wrong usage",
    arguments: [
      ["chekc"], ["check", "--onlin"], ["mapping", "test"], ["pause", "nobody"], ["parked", "show"],
      ["events", "list", "--since", "yesterday"], ["events", "list", "--state", "lost"],
      ["events", "list", "--side", "left"], ["events", "replay", "--since", "yesterday"],
      ["events", "replay", "--type", "customer.updated"], ["parked", "retry"], ["parked", "retry", "1", "--all"],
      ["forget"], ["forget", "--pms", ""], ["forget", "--pms", "1", "--invoiced", "2"], ["links", "link", "1"],
      ["audit", "--format", "pdf"], ["audit", "--json", "--format", "html"],
      ["deletes", "approve", "1", "--flow", "a"],
      ["simulate", "--seeds", "0"], ["simulate", "--mapping", "a", "--config", "b"], ["sandbox", "--faults", "rain"],
      ["sandbox", "--pms", "8602"], ["help", "chekc"], ["help", "events", "lsit"], ["serve", "now"],
      ["backfill", "--flow"],
    ])
  func usage(arguments: [String]) throws {
    let outcome = try Program().run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty)
  }

  @Test(
    "a command that only has others below it is wrong usage when it is called alone, and names them",
    arguments: [
      ([], "check, backfill"), (["events"], "list, show or replay"), (["links"], "list, show, link or unlink"),
      (["parked"], "retry or discard"), (["conflicts"], "list, show or resolve"),
      (["deletes"], "list, approve or reject"), (["mapping"], "test, import, render or suggest"),
    ])
  func group(arguments: [String], names: String) throws {
    let outcome = try Program().run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty)
    #expect(outcome.messages.contains(names))
  }
}
