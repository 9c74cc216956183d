import Testing

@Suite struct HelpTests {
  @Test(
    "every command's help has an example",
    arguments: [
      ["serve"], ["sandbox"], ["check"], ["mapping"], ["mapping", "test"], ["mapping", "import"],
      ["mapping", "render"], ["mapping", "suggest"], ["sign"], ["openapi"],
    ])
  func example(command: [String]) throws {
    let outcome = try Program().run(command + ["--help"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("EXAMPLE"))
    #expect(outcome.output.contains("customer-sync \(command.joined(separator: " "))"))
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
    ])
  func usage(arguments: [String]) throws {
    let outcome = try Program().run(arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty)
  }
}
