import Testing

/// Exit 78 (contract section 1): wrong configuration or mapping, whatever the command.
@Suite struct BrokenFilesTests {
  private static let commands = [
    "serve", "check", "backfill", "backfill --dry-run", "reconcile", "audit", "status", "events list", "events show 1",
    "events replay 1", "links list", "links show 1", "links link 1 2", "links unlink 1", "parked list", "parked show 1",
    "parked retry 1", "parked discard 1", "conflicts list", "conflicts show 1", "conflicts resolve 1 --take pms",
    "deletes list", "deletes approve", "deletes reject", "pause pms", "resume pms", "forget --pms 1",
    "mapping test --invoiced -", "mapping render", "mapping suggest",
    "simulate --seeds 1",
  ]

  @Test("a configuration that can't be used is exit 78 of every command that reads one", arguments: commands)
  func configuration(command: String) throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    try program.write("lisen: 127.0.0.1:80\n" + program.text(of: "customer-sync.yaml"), to: "customer-sync.yaml")
    let outcome = try program.run(command.split(separator: " ").map(String.init), input: "{}")
    #expect(outcome.status == 78)
    #expect((outcome.output + outcome.messages).contains("customer-sync.yaml:1:1: "))
    if command != "check" { #expect(outcome.output.isEmpty) }
  }

  @Test("a mapping that can't be used is exit 78 of every command that reads one", arguments: commands)
  func mapping(command: String) throws {
    let program = try Program()
    try program.configure(mapping: "flows:\n  - nam: companies\n")
    let outcome = try program.run(command.split(separator: " ").map(String.init), input: "{}")
    #expect(outcome.status == 78)
    #expect((outcome.output + outcome.messages).contains("mapping.yaml:2:5: "))
    if command != "check" { #expect(outcome.output.isEmpty) }
  }

  @Test(
    "certificates that can't be read are found by check, with the line",
    arguments: [
      ("tls: { certificate: none.pem, key: none.pem }", "tls: "), ("tls: { certificate: m.pem, key: m.pem }", "tls: "),
    ])
  func certificates(line: String, what: String) throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    try program.write("no certificate\n", to: "m.pem")
    try program.write(line + "\n" + program.text(of: "customer-sync.yaml"), to: "customer-sync.yaml")
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.output.hasPrefix("error: customer-sync.yaml:1:6: " + what))
    #expect(outcome.output.contains("  next: "))
  }

  @Test("a `ca` that holds no certificates is found by check, with the line")
  func authorities() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    try program.write(
      program.text(of: "customer-sync.yaml").replacing("timeout: 5s }", with: "ca: none.pem }"),
      to: "customer-sync.yaml")
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.output.contains("customer-sync.yaml:2:"))
    #expect(outcome.output.contains("'none.pem'"))
  }

  @Test(
    "serve reads the file that it is given, however that is written",
    arguments: [["--config", "other.yaml"], ["--config=other.yaml"], []])
  func serveForms(options: [String]) throws {
    let program = try Program()
    try program.write("stoer: sqlite:a.db\n", to: options.isEmpty ? "customer-sync.yaml" : "other.yaml")
    let outcome = try program.run(["serve"] + options)
    #expect(outcome.status == 78)
    #expect(outcome.messages.contains("'stoer'"))
  }

  @Test("check names what serve would refuse: the store that this build has not")
  func store() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    try program.write(
      "store: postgres://u:kept-secret@h/d\n" + program.text(of: "customer-sync.yaml"), to: "customer-sync.yaml")
    for command in ["check", "serve", "status"] {
      let outcome = try program.run([command])
      #expect(outcome.status == 78)
      #expect((outcome.output + outcome.messages).contains("SQLite only"))
      #expect(!(outcome.output + outcome.messages).contains("kept-secret"))
    }
  }

  @Test("a row that writes the PMS's own id is refused")
  func identifier() throws {
    let program = try Program()
    try program.configure(
      mapping: Sample.mapping.replacing("pms: customer_number, type: string", with: "pms: id, type: string"))
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.output.contains("'id' is the PMS's own id of the record"))
  }

  @Test("a row that writes when the PMS last changed the record is warned of")
  func lastChange() throws {
    let program = try Program()
    let row = "pms: updated_at, type: string"
    try program.configure(mapping: Sample.mapping.replacing("pms: name, type: string", with: row))
    let outcome = try program.run(["check"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("'updated_at' is when the PMS last changed the record"))
  }

  @Test(
    "broken files are an error with the line and advice",
    arguments: [
      ([UInt8]("flows:\n  - name: \u{e9}".utf8.dropLast()), "mapping.yaml:2:1: "),
      (Array("flows: ".utf8) + Array(repeating: UInt8(ascii: "["), count: 5000), "mapping.yaml:1:"),
      (Array("flows: [a, b".utf8), "mapping.yaml:"),
    ])
  func bytes(content: [UInt8], place: String) throws {
    let program = try Program()
    try program.configure(mapping: "")
    try program.write(content, to: "mapping.yaml")
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.output.contains(place))
    #expect(outcome.output.contains("  next: "))
  }

  @Test("a variable in brackets without quotes is told how to be written")
  func unquoted() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    try program.write("invoiced: { api_key: ${KEY} }\n", to: "customer-sync.yaml")
    let outcome = try program.run(["check"])
    #expect(outcome.status == 78)
    #expect(outcome.output.contains("put \"${NAME}\" in quotes"))
  }
}
