import EventLoop
import Foundation
import HTTP
import HTTPClient
import JSON
import Sandbox
import Testing

@Suite struct MappingTests {
  @Test("shows a company's event property by property, and back")
  func company() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let outcome = try program.run([
      "mapping", "test", "--invoiced", Program.fixture("01-customer-created-company.json"),
    ])
    #expect(
      outcome
        == .init(
          status: 0,
          output: #"""
            invoiced:1038412 in flow 'companies'

            Invoiced         value                       PMS              becomes                     back
            name             "Harbor & Pine Supply Co."  name             "Harbor & Pine Supply Co."  "Harbor & Pine Supply Co."
            number           "CUST-00417"                customer_number  "CUST-00417"                "CUST-00417"
            country          "US"                        address.country  "USA"                       "US"
            payment_terms    "NET 30"                    payment_days     30                          "NET 30"
            credit_limit     25000                       credit.limit     25000                       25000
            active           true                        archived         false                       true
            metadata.region  "pnw"                       region           "pnw"                       not carried back (direction: to_pms)
            notes            null                        remarks          -                           not carried this way (direction: to_invoiced)
            PMS kind = "company" (constant)

            As it would be created on the PMS:
            {
              "name": "Harbor & Pine Supply Co.",
              "customer_number": "CUST-00417",
              "address": {
                "country": "USA"
              },
              "payment_days": 30,
              "credit": {
                "limit": 25000
              },
              "archived": false,
              "region": "pnw",
              "invoiced_id": 1038412,
              "kind": "company"
            }

            """#, messages: ""))
  }

  @Test("takes a record of the PMS, alone or in a callback")
  func pms() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let record = #"{"id": "C-1", "kind": "company", "name": "Acme", "payment_days": 14, "remarks": "VIP"}"#
    let event = #"{"id": "evt_01", "type": "customer.updated", "data": \#(record)}"#
    let alone = try program.run(["mapping", "test", "--pms", "-", "--json"], input: record)
    #expect(alone.status == 0)
    #expect(try program.run(["mapping", "test", "--pms", "-", "--json"], input: event) == alone)
    let json = try JSONValue(parsing: alone.output)
    #expect(json["flow"] == "companies" && json["pms_id"] == "C-1")
    #expect(
      json["record"] == [
        "name": "Acme", "payment_terms": "NET 14", "notes": "VIP", "metadata": ["pms_id": "C-1"], "type": "company",
      ])
  }

  @Test("a value that Invoiced is known to refuse doesn't fit")
  func limits() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let name = String(repeating: "ä", count: 128)
    let record = #"{"id": "C-1", "kind": "company", "name": "\#(name)", "customer_number": ""}"#
    let outcome = try program.run(["mapping", "test", "--pms", "-", "--json"], input: record)
    #expect(outcome.status == 1)
    let json = try JSONValue(parsing: outcome.output)
    let states = json["properties"]?.array?.map { $0["state"]?.string }
    #expect(states?.prefix(2) == ["misfit", "carried"] && json["record"] == .null)
    #expect(outcome.output.contains("has 256 bytes, and Invoiced takes 255"))
  }

  @Test(
    "says why no flow covers a record",
    arguments: [
      ("02-customer-created-person-unicode.json", "wants 'type' to be \"company\", and it is \"person\""),
      ("10-invoice-created.json", "is about the Invoiced object 'invoice'"),
      ("08-contact-created.json", "is about the Invoiced object 'contact'"),
    ])
  func uncovered(file: String, reason: String) throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let outcome = try program.run(["mapping", "test", "--invoiced", Program.fixture(file)])
    #expect(outcome.status == 1)
    #expect(outcome.output.isEmpty)
    #expect(outcome.messages.hasPrefix("error: "))
    #expect(outcome.messages.contains(reason))
  }

  @Test("shows each value that doesn't fit in its row")
  func misfit() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let record = #"{"id": 7, "type": "company", "name": "Acme", "payment_terms": "soon", "country": "XX"}"#
    let outcome = try program.run(["mapping", "test", "--invoiced", "-"], input: record)
    #expect(outcome.status == 1)
    let misfits = outcome.output.split(separator: "\n").filter { $0.contains("MISFIT: ") }
    #expect(misfits.map { $0.prefix { $0 != " " } } == ["country", "payment_terms"])
    #expect(
      outcome.output.hasSuffix("A record with a value that doesn't fit is parked whole: nothing of it is sent.\n"))
  }

  @Test("imports and renders both reference documents, the same each time", arguments: ["original", "example"])
  func documents(name: String) throws {
    let program = try Program()
    let first = try program.run(["mapping", "import", Program.fixture("dataflow-\(name).rst"), "--output", "m.yaml"])
    #expect(first.status == 0)
    #expect(first.output.isEmpty)
    let document = try program.run(["mapping", "render", "--mapping", "m.yaml", "--output", "again.rst"])
    #expect(document.status == 0)
    let second = try program.run(["mapping", "import", "again.rst"])
    #expect(second.status == 0)
    #expect(second.output == (try program.text(of: "m.yaml")))
    let third = try program.run(["mapping", "render", "--mapping", "m.yaml"])
    #expect(third.output == (try program.text(of: "again.rst")))
  }

  @Test("a document comes from standard input too")
  func documentFromInput() throws {
    let program = try Program()
    let path = Program.fixture("dataflow-example.rst")
    let piped = try program.run(
      ["mapping", "import", "-"], input: try String(contentsOfFile: path, encoding: .utf8))
    #expect(piped.status == 0)
    #expect(piped.messages.hasPrefix("warning: -:39:4: "))
    #expect(piped.output == (try program.run(["mapping", "import", path]).output))
  }

  @Test("a record's file may begin with a byte order mark")
  func byteOrderMark() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let outcome = try program.run(
      ["mapping", "test", "--pms", "-"],
      input: "\u{FEFF}{\"id\": \"C-1\", \"kind\": \"company\", \"name\": \"Acme\"}\r\n")
    #expect(outcome.status == 0, "\(outcome)")
  }

  @Test("names the line of a document that is none")
  func noDocument() throws {
    let program = try Program()
    try program.write("{}\n", to: "x.rst")
    let outcome = try program.run(["mapping", "import", "x.rst"])
    #expect(outcome.status == 1)
    #expect(outcome.output.isEmpty)
    #expect(outcome.messages.hasPrefix("error: x.rst:"))
  }

  @Test("proposes pairs by equal values of the same customers")
  func suggest() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    var options = SandboxOptions()
    options.customers = 12
    let sandbox = try await Sandbox.start(options, loop: loop)
    let program = try Program()
    try program.configure(mapping: Sample.mapping, invoiced: sandbox.invoiced.url, pms: sandbox.pms.url)
    let client = try HTTPClient(loop: loop)
    defer { client.shutdown() }
    let customers = try await client.send(
      HTTPRequest(
        method: "GET", target: sandbox.invoiced.url + "/customers",
        headers: ["Authorization": "Basic c2FuZGJveC1rZXk6"]), timeout: nil)
    for customer in try JSONValue(parsing: customers.body).array ?? [] {
      let twin: JSONValue = [
        "title": customer["name"] ?? .null, "ref": customer["number"] ?? .null,
        "archived": .bool(customer["active"] != true), "where": ["town": customer["city"] ?? .null],
      ]
      _ = try await client.send(
        HTTPRequest(
          method: "POST", target: sandbox.pms.url + "/customers",
          headers: ["Authorization": "Bearer sandbox-token", "Content-Type": "application/json"],
          body: twin.serialized), timeout: nil)
    }
    let outcome = try program.run(["mapping", "suggest"])
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("{ invoiced: name,"))
    for pair in [("name", "title"), ("number", "ref"), ("city", "where.town")] {
      let row = outcome.output.split(separator: "\n").first { $0.contains("pms: \(pair.1),") }
      #expect(row?.contains("invoiced: \(pair.0),") == true, "\(outcome)")
    }
    await sandbox.stop()
  }
}
