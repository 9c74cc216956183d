import EventLoop
import Sandbox
import Testing

@Suite struct CheckTests {
  @Test("has nothing to say of a sound mapping")
  func sound() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    #expect(
      try program.run(["check"])
        == .init(
          status: 0, output: "customer-sync.yaml: 1 flow with 8 rows, no errors, no warnings\n", messages: ""))
  }

  @Test("names every problem with its file, line and what to write instead")
  func broken() throws {
    let program = try Program()
    try program.configure(
      mapping: """
        flows:
          - name: companies
            invoiced: { object: customer }
            pms: { entity: client }
            match: [{ invoiced: name, pms: name }]
            properties:
              - { invoiced: name, pms: name, type: string }
              - { invoiced: tax_id, pms: name, type: string, convert: trim }
        """)
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.messages.isEmpty)
    let lines = outcome.output.split(separator: "\n").map(String.init)
    #expect(lines.last == "customer-sync.yaml: 3 errors, no warnings")
    #expect(lines.filter { $0.hasPrefix("error: ") && $0.contains("mapping.yaml:8:") }.count == 2)
    #expect(lines.contains { $0.hasPrefix("error: ") && $0.contains("mapping.yaml:2:") && $0.contains("'client'") })
    #expect(lines.filter { $0.hasPrefix("  next: ") }.count == 3)
  }

  @Test("checks the mapping of a configuration that has errors too")
  func brokenConfiguration() throws {
    let program = try Program()
    try program.configure(mapping: "flows:\n  - nam: x\n")
    try program.write("mapping: mapping.yaml\nretri: {}\n", to: "customer-sync.yaml")
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.output.contains("customer-sync.yaml:2:1: "))
    #expect(outcome.output.contains("'retry'"))
    #expect(outcome.output.contains("mapping.yaml:2:5: "))
    #expect(outcome.output.contains("'name'"))
  }

  @Test("prints problems as an array")
  func array() throws {
    let program = try Program()
    try program.configure(mapping: "flows: []\n")
    #expect(
      try program.run(["check", "--json"])
        == .init(
          status: 0,
          output: """
            [
              {
                "severity": "warning",
                "file": "mapping.yaml",
                "line": 1,
                "column": 8,
                "flow": null,
                "row": null,
                "reason": "the mapping has no flows: nothing is synchronised",
                "advice": "add a flow"
              }
            ]

            """, messages: ""))
  }

  @Test("says which flows of an imported document are empty")
  func imported() throws {
    let program = try Program()
    let text = try program.run(["mapping", "import", Program.fixture("dataflow-original.rst")]).output
    try program.configure(mapping: text)
    let outcome = try program.run(["check"])
    #expect(outcome.status == 0)
    for suffix in ["", "-2", "-3"] {
      let name = "invoiced-customers-organisation-data-to-custom-pms-customer" + suffix
      #expect(outcome.output.contains("flow '\(name)' has no properties"))
    }
  }

  @Test("asks both sides online, and exits with 2 when one doesn't answer")
  func online() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    var options = SandboxOptions()
    options.customers = 3
    let sandbox = try await Sandbox.start(options, loop: loop)
    let program = try Program()
    try program.configure(mapping: Sample.mapping, invoiced: sandbox.invoiced.url, pms: sandbox.pms.url)
    let counts = "customer-sync.yaml: 1 flow with 8 rows, no errors, no warnings\n"
    #expect(
      try program.run(["check", "--online"])
        == .init(status: 0, output: "Invoiced answers.\nthe PMS answers.\n" + counts, messages: ""))
    try program.configure(mapping: Sample.mapping, invoiced: sandbox.invoiced.url, pms: sandbox.pms.url)
    try program.write(
      program.text(of: "customer-sync.yaml").replacing("api_key: sandbox-key", with: "api_key: kept-secret"),
      to: "customer-sync.yaml")
    let refused = try program.run(["check", "--online"])
    #expect(refused.status == 2)
    // Invoiced repeats a key that it doesn't know, with its middle masked.
    #expect(
      refused.output.hasPrefix(
        "error: Invoiced answered 401: it does not take our key; check invoiced.api_key\n"))
    try program.configure(mapping: Sample.mapping, invoiced: sandbox.invoiced.url)
    let outcome = try program.run(["check", "--online"])
    #expect(outcome.status == 2)
    #expect(outcome.output.hasPrefix("Invoiced answers.\nerror: the PMS could not be reached: "))
    await sandbox.stop()
  }
}
