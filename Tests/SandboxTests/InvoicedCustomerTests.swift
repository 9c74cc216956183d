import HTTP
import JSON
import Sandbox
import Testing

@Suite("Invoiced customers") struct InvoicedCustomerTests {
  @Test("a new customer shows every key of the reference, in alphabetical order")
  func everyKey() throws {
    let customer = try invoiced().json("POST", "/customers", ["name": "Acme"])
    let keys = try #require(customer.object).members.map(\.key)
    #expect(keys == keys.sorted())
    #expect(keys.count == 56)
    #expect(customer["object"] == "customer")
    #expect(customer["number"] == "CUST-0001")
    #expect(customer["country"] == "US")
    #expect(customer["type"] == "company")
    #expect(customer["metadata"] == [:])
    #expect(customer["autopay_delay_days"] == -1)
    #expect(customer["created_at"] == .number(JSONNumber(noon / 1000)))
    #expect(customer["statement_url"]?.string?.hasPrefix("https://invoiced.com/statements/sandbox/") == true)
  }

  /// `{"customer": ID}`, with the id as a number.
  private static func reference(_ id: String) throws -> JSONValue {
    ["customer": .number(try #require(JSONNumber(validating: id)))]
  }

  struct Written: CustomTestStringConvertible, Sendable {
    let key: String
    let sent: JSONValue
    let shown: JSONValue
    var testDescription: String { "\(key) \(sent.text)" }
    init(_ key: String, _ sent: JSONValue, _ shown: JSONValue) {
      (self.key, self.sent, self.shown) = (key, sent, shown)
    }
  }

  @Test(
    "what is written is read back in Invoiced's form",
    arguments: [
      Written("email", "  Zoë@Example.COM ", "zoë@example.com"), Written("email", "", nil),
      Written("country", "no", "NO"),
      Written("country", nil, "US"), Written("language", "NB", "nb"), Written("currency", "NOK", "nok"),
      Written("address2", "", nil), Written("phone", 47, "47"), Written("taxable", 0, false),
      Written("credit_limit", .number(JSONNumber(validating: "25000.00")!), 25000),
      Written("credit_limit", "51.150", .number(JSONNumber(validating: "51.15")!)), Written("credit_limit", "", nil),
      Written("owner", 7, 7), Written("payment_terms", "", nil), Written("unheard_of", 1, nil),
      Written("metadata", ["b": "2", "a": "1"], ["a": "1", "b": "2"]), Written("metadata", [], [:]),
      Written("metadata", nil, [:]), Written("id", 5, 5),
    ])
  func written(_ row: Written) throws {
    let side = invoiced()
    let body = JSONValue.object(JSONObject([(key: "name", value: "Acme"), (key: row.key, value: row.sent)]))
    let created = try side.json("POST", "/customers", body)
    let id = try #require(created["id"]?.identifier)
    let read = try side.json("GET", "/customers/\(id)")
    if row.key == "id" {
      #expect(read["id"] != row.shown)
    } else {
      #expect((read[row.key] ?? .null) == row.shown)
    }
  }

  struct Refused: CustomTestStringConvertible, Sendable {
    let body: JSONValue
    let param: String?
    let status: Int
    var testDescription: String { "\(param ?? "") \(status) \(body.text.prefix(60))" }
    init(_ body: JSONValue, _ param: String?, _ status: Int = 400) {
      (self.body, self.param, self.status) = (body, param, status)
    }
  }

  static let refusals = [
    Refused([:], "name"), Refused(["name": ""], "name"), Refused(["name": nil], "name"),
    Refused(["name": .string(String(repeating: "x", count: 256))], "name"),
    Refused(["name": .string(String(repeating: "ж", count: 128))], "name"),
    Refused(["name": "A", "number": .string(String(repeating: "9", count: 33))], "number"),
    Refused(["name": "A", "number": "cust-TAKEN "], "number"), Refused(["name": "A", "email": "nobody"], "email"),
    Refused(["name": "A", "type": "charity"], "type"), Refused(["name": "A", "type": nil], "type"),
    Refused(["name": "A", "country": "XX"], "country"), Refused(["name": "A", "language": "nob"], "language"),
    Refused(["name": "A", "currency": "abc"], "currency"),
    Refused(["name": "A", "credit_limit": "many"], "credit_limit"),
    Refused(["name": "A", "parent_customer": 99], "parent_customer"), Refused(["name": "A", "city": [1]], "city"),
    Refused(["name": "A", "payment_terms": .string(String(repeating: "x", count: 256))], "payment_terms"),
    Refused(["name": "A", "city": .string(String(repeating: "x", count: 256))], nil, 500),
    Refused(["name": "A", "chase": nil], nil, 500), Refused(["name": "A", "metadata": ["k": nil]], "metadata"),
    Refused(["name": "A", "metadata": "x"], "metadata"),
    Refused(["name": "A", "metadata": ["k": .string(String(repeating: "x", count: 256))]], "metadata"),
    Refused(
      ["name": "A", "metadata": .object(JSONObject([(key: String(repeating: "k", count: 41), value: "v")]))], "metadata"
    ),
    Refused(
      ["name": "A", "metadata": .object(JSONObject((0...10).map { (key: "k\($0)", value: "v") }))], "metadata"),
    Refused(["name": "A", "object": "customer"], "object"), Refused(["name": "A", "created_at": 1], "created_at"),
    Refused(["name": "A", "updated_at": 1], "updated_at"), Refused(["name": "A", "sign_up_url": nil], "sign_up_url"),
    Refused(["name": "A", "statement_pdf_url": "x"], "statement_pdf_url"),
    Refused(["name": "A", "client_id": 1], "client_id"),
    Refused(["name": "A", "credit_balance": 1], "credit_balance"),
  ]

  @Test("a wrong value is refused by name", arguments: refusals)
  func refused(_ row: Refused) throws {
    let side = invoiced()
    _ = try create(side, ["name": "Other", "number": "CUST-taken"])
    let answer = try side.answer("POST", "/customers", row.body)
    #expect(answer.status == row.status)
    #expect(answer.json?["param"]?.string == row.param)
    #expect(answer.json?["type"] == (row.status == 500 ? "api_error" : "invalid_request"))
    #expect(side.stats.records == 1)
  }

  @Test("byte limits hold at their edge")
  func edge() throws {
    let side = invoiced()
    for body: JSONValue in [
      ["name": .string(String(repeating: "ж", count: 127) + "x")],
      ["name": "A", "number": .string(String(repeating: "9", count: 32))],
      ["name": "A", "metadata": .object(JSONObject([(key: String(repeating: "k", count: 40), value: "v")]))],
    ] { #expect(try side.answer("POST", "/customers", body).status == 201) }
  }

  @Test("numbers are generated, skip what is taken, and are free again after a delete")
  func numbers() throws {
    let side = invoiced()
    _ = try create(side, ["name": "A", "number": "CUST-0002"])
    let first = try side.json("POST", "/customers", ["name": "B", "number": ""])
    let second = try side.json("POST", "/customers", ["name": "C", "number": nil])
    #expect(first["number"] == "CUST-0001")
    #expect(second["number"] == "CUST-0003")
    let id = try #require(second["id"]?.identifier)
    for body: JSONValue in [["number": nil], ["number": ""]] {
      #expect(try side.answer("PATCH", "/customers/\(id)", body).status == 400)
    }
    #expect(try side.answer("PATCH", "/customers/\(id)", ["number": "cust-0003"]).status == 200)
    #expect(try side.answer("PATCH", "/customers/\(id)", ["number": "CUST-0001"]).status == 400)
    #expect(try side.answer("DELETE", "/customers/\(id)").status == 204)
    #expect(try side.answer("POST", "/customers", ["name": "D", "number": "CUST-0003"]).status == 201)
  }

  @Test("a PATCH replaces metadata whole, echoes its types and stores text")
  func metadata() throws {
    let side = invoiced()
    let id = try create(side, ["name": "A", "metadata": ["a": "1", "b": "2"]])
    let echoed = try side.json("PATCH", "/customers/\(id)", ["metadata": ["n": 5, "t": true, "o": ["x": "/"]]])
    #expect(echoed["metadata"] == ["n": 5, "t": true, "o": ["x": "/"]])
    #expect(try side.json("GET", "/customers/\(id)")["metadata"] == ["n": "5", "t": "1", "o": #"{"x":"\/"}"#])
    let webhooks = try side.webhooks("PATCH", "/customers/\(id)", ["metadata": ["n": 5, "t": "1"]])
    #expect(webhooks.first?["data"]?["previous"]?["metadata"] == ["n": "5", "o": #"{"x":"\/"}"#])
    _ = side.ask("PATCH", "/customers/\(id)", ["name": "B"])
    #expect(try side.json("GET", "/customers/\(id)")["metadata"] == ["n": "5", "t": "1"])
    _ = side.ask("PATCH", "/customers/\(id)", ["metadata": [:]])
    #expect(try side.json("GET", "/customers/\(id)")["metadata"] == [:])
  }

  @Test("every non-empty PATCH moves updated_at to the second, an empty one does not")
  func updatedAt() throws {
    let side = invoiced()
    let id = try create(side, ["name": "A"])
    for (body, isMoved): (JSONValue, Bool) in [
      ([:], false), (["unheard_of": 1], false), (["id": 4], false), (["name": "A"], true), (["name": "B"], true),
    ] {
      let before = try #require(side.json("GET", "/customers/\(id)")["updated_at"]?.int64)
      let now = before * 1000 + 5999
      let answer = try side.json("PATCH", "/customers/\(id)", body, at: now)
      #expect(answer["updated_at"]?.int64 == (isMoved ? before + 5 : before), "\(body.text)")
    }
  }

  @Test("turning autopay on clears the payment terms")
  func autopay() throws {
    let side = invoiced()
    let id = try create(side, ["name": "A", "payment_terms": "NET 30"])
    #expect(try side.json("PATCH", "/customers/\(id)", ["autopay": true])["payment_terms"] == nil as JSONValue)
  }

  @Test("parents make no cycle and stand at most five deep")
  func parents() throws {
    let side = invoiced()
    var ids = [try create(side, ["name": "0"])]
    for level in 1...4 {
      let parent = try #require(Self.reference(ids[level - 1])["customer"])
      ids.append(try create(side, ["name": .string("\(level)"), "parent_customer": parent]))
    }
    let last = try #require(Self.reference(ids[4])["customer"])
    #expect(try side.answer("POST", "/customers", ["name": "5", "parent_customer": last]).status == 400)
    #expect(try side.answer("PATCH", "/customers/\(ids[0])", ["parent_customer": last]).status == 400)
    #expect(try side.answer("PATCH", "/customers/\(ids[4])", ["parent_customer": last]).status == 400)
    #expect(try side.answer("PATCH", "/customers/\(ids[4])", ["parent_customer": nil]).status == 200)
  }

  @Test("a deleted customer is gone for good, one with invoices stays")
  func delete() throws {
    let side = invoiced()
    let (kept, gone) = (try create(side, ["name": "A"]), try create(side, ["name": "B"]))
    #expect(try side.answer("POST", "/_sandbox/customers/\(kept)", ["invoices": 1]).status == 200)
    #expect(try side.answer("DELETE", "/customers/\(kept)").status == 400)
    #expect(try side.json("GET", "/customers/\(kept)/balance")["total_outstanding"] == 100)
    for count: JSONValue in [9_223_372_036_854_775_807, -1] {
      #expect(try side.answer("POST", "/_sandbox/customers/\(kept)", ["invoices": count]).status == 404)
    }
    #expect(try side.json("GET", "/customers/\(kept)/balance")["total_outstanding"] == 100)
    #expect(try side.answer("DELETE", "/customers/\(gone)").status == 204)
    for method in ["GET", "PATCH", "DELETE"] {
      #expect(try side.answer(method, "/customers/\(gone)", method == "PATCH" ? ["name": "C"] : nil).status == 404)
    }
  }

  @Test("a merge moves the contacts, tells of the survivor, and drops the loser")
  func merge() throws {
    let side = invoiced()
    let (kept, lost) = (try create(side, ["name": "A"]), try create(side, ["name": "B", "metadata": ["k": "v"]]))
    let loser = try Self.reference(lost)
    let contact = try side.json("POST", "/customers/\(lost)/contacts?silent=1", ["name": "C"])
    let contactID = try #require(contact["id"]?.identifier)
    let before = try side.json("GET", "/customers/\(kept)")
    let events = try side.webhooks("POST", "/customers/\(kept)/merge", loser, at: noon + 60_000)
    #expect(events.map { $0["type"] } == ["customer.merged"])
    #expect(events[0]["data"]?["object"]?["id"]?.identifier == kept)
    #expect(events[0]["data"]?["object"]?["original_customer"]?["id"]?.identifier == lost)
    #expect(events[0]["data"]?["object"]?["original_customer"]?["metadata"] == ["k": "v"])
    #expect(events[0]["data"]?["previous"] == nil)
    #expect(try side.answer("GET", "/customers/\(lost)").status == 404)
    #expect(try side.json("GET", "/customers/\(kept)") == before)
    #expect(try side.answer("GET", "/customers/\(kept)/contacts/\(contactID)").status == 200)
    #expect(try side.json("GET", "/events?related_to=customer,\(kept)").array?.count == 1)

    #expect(try side.answer("POST", "/customers/\(kept)/merge", loser).status == 400)
    let itself = try Self.reference(kept)
    #expect(try side.answer("POST", "/customers/\(kept)/merge", itself).status == 500)
    let idle = try create(side, ["name": "D", "active": false])
    let inactive = try Self.reference(idle)
    #expect(try side.answer("POST", "/customers/\(kept)/merge", inactive).status == 400)
  }

  @Test("contacts are made, read, changed and deleted under their own customer only")
  func contacts() throws {
    let side = invoiced()
    let (owner, other) = (try create(side, ["name": "A", "country": "NO"]), try create(side, ["name": "B"]))
    let path = "/customers/\(owner)/contacts"
    #expect(try side.answer("POST", path, ["email": "a@b.example"]).status == 400)
    let made = try side.answer("POST", path, ["name": "Åse", "email": "ASE@b.example"])
    #expect(made.status == 201)
    let contact = try #require(made.json)
    let id = try #require(contact["id"]?.identifier)
    #expect(contact["country"] == "NO" && contact["email"] == "ase@b.example" && contact["primary"] == true)
    #expect(try side.answer("GET", "/customers/\(other)/contacts/\(id)").status == 404)
    let events = try side.webhooks("PATCH", "\(path)/\(id)", ["phone": "1"], at: noon + 1000)
    #expect(events[0]["type"] == "contact.updated")
    #expect(events[0]["data"]?["object"]?["customer"]?["name"] == "A")
    #expect(events[0]["data"]?["previous"] == ["phone": nil, "updated_at": .number(JSONNumber(noon / 1000))])
    #expect(try side.json("PATCH", "\(path)/\(id)", ["country": nil])["country"] == nil as JSONValue)
    #expect(try side.json("GET", path).array?.count == 1)
    #expect(try side.webhooks("DELETE", "\(path)/\(id)").map { $0["type"] } == ["contact.deleted"])
    #expect(try side.answer("GET", "\(path)/\(id)").status == 404)
  }
}
