import Connectors
import HTTP
import HTTPClient
import JSON
import Mapping
import Sync
import Testing

@Suite("Invoiced's connector", .timeLimit(.minutes(1)))
struct InvoicedConnectorTests {
  @Test("asks with the key as user and no password, within the timeout, and never follows a redirect")
  func authenticates() async throws {
    let transport = ScriptedTransport(.json(#"{"id":1234,"name":"Acme"}"#))
    _ = try await InvoicedConnector.make(transport).fetch(RecordID("1234"))
    #expect(transport.lines == ["GET https://api.invoiced.test/customers/1234"])
    #expect(transport.asked[0].headers["Authorization"] == "Basic YWJjS0VZeHl6Og==")
    #expect(transport.asked[0].headers["Idempotency-Key"] == nil)
    #expect(transport.timeouts == [.seconds(7)])
    let redirected = ScriptedTransport(HTTPResponse(status: 302, headers: ["Location": "https://evil.test/"]))
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(redirected).fetch(RecordID("1"))
    }
    #expect(error?.status == 302)
    #expect(redirected.asked.count == 1)
  }

  @Test("reads ids exactly, versions, and leaves the addresses that hold a token out")
  func reads() async throws {
    let body = """
      {"id":9007199254740993,"name":"Acme","updated_at":1772366400,"statement_url":"https://x/t1",
       "statement_pdf_url":"https://x/t2","sign_up_url":"https://x/t3","metadata":{"sign_up_url":"https://x/t4"}}
      """
    let transport = ScriptedTransport(.json(body))
    guard case .found(let seen) = try await InvoicedConnector.make(transport).fetch(RecordID("9007199254740993")) else {
      Issue.record("not found")
      return
    }
    #expect(seen.key.id.text == "9007199254740993")
    #expect(seen.version == Version(seconds: 1_772_366_400))
    #expect(!seen.record.text.contains("https"))
    #expect(seen.source == .fetch)
  }

  @Test("calls a 404 and a 410 gone", arguments: [404, 410])
  func gone(status: Int) async throws {
    let transport = ScriptedTransport(
      .json(#"{"type":"invalid_request","message":"No such customer"}"#, status: status))
    #expect(try await InvoicedConnector.make(transport).fetch(RecordID("1")) == .gone(status: status))
  }

  @Test(
    "takes no page, empty answer or other record for the record",
    arguments: [
      HTTPResponse.html, HTTPResponse(status: 204), .json("[]"), .json("{}"), .json(#"{"id":2}"#), .json("null"),
    ])
  func unreadable(response: HTTPResponse) async {
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(ScriptedTransport(response)).fetch(RecordID("1"))
    }
    guard case .unreadable(.invoiced, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("names the property of a refusal, and shows our key to nobody")
  func refusals() async {
    let body = """
      {"type":"invalid_request","message":"Number in use:\\nCUST-1 (abcKEYxyz, YWJjS0VZeHl6Og==) \(String(repeating: "x", count: 300))","param":"number"}
      """
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(ScriptedTransport(.json(body, status: 400)))
        .create(["name": "A"], idempotencyKey: "key-123456")
    }
    guard case .refused(.invoiced, 400, let message, "number", nil) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(message.hasPrefix("Number in use: CUST-1 (***, ***) xxx"))
    #expect(message.count == 200)
  }

  @Test("tells what surely wasn't sent from what may have been done")
  func transportErrors() async {
    let table: [(HTTPClientError, ConnectorError)] = [
      (.notSent(host: "h", cause: "refused"), .notSent(.invoiced, "refused")),
      (.unanswered(host: "h", cause: "reset"), .unanswered(.invoiced, "reset")),
      (.responseTooLarge(host: "h", limit: 5), .tooLarge(.invoiced, limit: 5)),
      (.cancelled, .cancelled),
    ]
    for (given, expected) in table {
      let error = await failure { () throws(ConnectorError) in
        try await InvoicedConnector.make(ScriptedTransport([.failure(given)])).fetch(RecordID("1"))
      }
      #expect(error == expected)
    }
  }

  @Test(
    "looks customers up by exactly what Invoiced can filter by",
    arguments: [
      ("number", "C&1=%", "filter%5Bnumber%5D=C%261%3D%25"), ("email", "a+b@x.no", "filter%5Bemail%5D=a%2Bb%40x.no"),
      ("metadata.pms_id", "C-1/..", "metadata%5Bpms_id%5D=C-1%2F.."),
      ("name", "Bj\u{f8}rn", "filter%5Bname%5D=Bj%C3%B8rn"),
    ])
  func finds(property: String, value: String, query: String) async throws {
    let transport = ScriptedTransport(.json("[]"))
    #expect(try await InvoicedConnector.make(transport).find(path(property), .string(value)).isEmpty)
    #expect(transport.lines == ["GET https://api.invoiced.test/customers?\(query)&per_page=100"])
  }

  @Test(
    "says what customers can't be found by, without asking",
    arguments: [
      "metadata.a b", #"metadata.a\.b"#, "metadata", "notes", "taxes[0]", "payment_source.last4",
    ])
  func cannotFind(property: String) async {
    let transport = ScriptedTransport()
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(transport).find(path(property), "x")
    }
    #expect(
      error == .unsendable(.invoiced, property: property, reason: "it can't find customers by '\(property)'"))
    #expect(transport.asked.isEmpty)
  }

  @Test("asks nothing for an empty key", arguments: [JSONValue.null, "", [], [:]])
  func emptyKey(value: JSONValue) async throws {
    let transport = ScriptedTransport()
    #expect(try await InvoicedConnector.make(transport).find(path("number"), value).isEmpty)
    #expect(transport.asked.isEmpty)
  }

  @Test("follows the Link header to the end of a listing")
  func lists() async throws {
    let next =
      #"<https://api.invoiced.test/customers?page=2>; rel="next", <https://api.invoiced.test/customers>; rel="first""#
    let transport = ScriptedTransport(
      .json(#"[{"id":1},{"id":2}]"#, ["Link": next, "X-Total-Count": "3"]),
      .json(#"[{"id":3}]"#, ["Link": #"<https://api.invoiced.test/customers?page=1>; rel="previous""#]))
    #expect(try await everything(InvoicedConnector.make(transport)) == ["1", "2", "3"])
    #expect(
      transport.lines == [
        "GET https://api.invoiced.test/customers?per_page=100", "GET https://api.invoiced.test/customers?page=2",
      ])
  }

  @Test("asks for changes from the second before, in their order")
  func listsSince() async throws {
    let transport = ScriptedTransport(.json("[]"))
    _ = try await everything(InvoicedConnector.make(transport), since: Timestamp(milliseconds: 1_772_366_400_999))
    #expect(
      transport.lines == [
        "GET https://api.invoiced.test/customers?updated_after=1772366399&sort=updated_at%20asc&per_page=100"
      ])
  }

  @Test(
    "fails a pass whose next page is at another origin, and names it",
    arguments: [
      "https://evil.test/customers?page=2", "http://api.invoiced.test/customers?page=2", "//evil.test/customers",
      "https://api.invoiced.test@evil.test/", "https://api.invoiced.test:8443/customers",
      "https:\\\\evil.test/customers",
    ])
  func foreignPages(link: String) async {
    let transport = ScriptedTransport(.json(#"[{"id":1}]"#, ["Link": "<\(link)>; rel=next"]))
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(transport).list(updatedSince: nil, cursor: nil)
    }
    guard case .unreadable(_, let message) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(message.contains(link.contains("evil") ? "evil.test" : "api.invoiced.test"))
    #expect(transport.asked.count == 1)
  }

  @Test("ends a listing that goes round in a circle")
  func circles() async throws {
    let transport = ScriptedTransport { index, _ in
      .success(.json(#"[{"id":\#(index % 3)}]"#, ["Link": "</customers?page=\(index)>; rel=\"next\""]))
    }
    let ids = try await everything(InvoicedConnector.make(transport))
    #expect(Set(ids) == ["0", "1", "2"])
    #expect(transport.asked.count < 12)
  }

  @Test("creates with a key, metadata as text, and nothing for what is nothing")
  func creates() async throws {
    let transport = ScriptedTransport(.json(#"{"id":7,"name":"Acme","updated_at":1}"#, status: 201))
    let record: JSONValue = ["name": "Acme", "email": .null, "city": "", "metadata": ["n": 5, "b": true, "x": .null]]
    let written = try await InvoicedConnector.make(transport).create(record, idempotencyKey: "key-123456")
    #expect(written.id == RecordID("7"))
    #expect(written.observation?.source == .answer)
    #expect(transport.lines == ["POST https://api.invoiced.test/customers"])
    #expect(transport.bodies == [["name": "Acme", "metadata": ["n": "5", "b": "true"]]])
    #expect(transport.asked[0].headers["Idempotency-Key"] == "key-123456")
    #expect(transport.asked[0].headers["Content-Type"] == "application/json")
  }

  @Test("sends just the changes, and null to clear")
  func updates() async throws {
    let transport = ScriptedTransport(.json(#"{"id":7,"name":"B","city":null}"#))
    let base = observed(.invoiced, "7", ["id": 7, "name": "A", "city": "Oslo", "notes": "n"])
    let written = try await InvoicedConnector.make(transport)
      .update([set("name", "B"), set("city", "")], of: base, idempotencyKey: "key-123456")
    #expect(transport.lines == ["PATCH https://api.invoiced.test/customers/7"])
    #expect(transport.bodies == [["name": "B", "city": .null]])
    #expect(written.observation?.record["name"] == "B")
    #expect(written.before == nil)
  }

  @Test("lays metadata into what stands there now, and shows what it read")
  func laysMetadataIn() async throws {
    let transport = ScriptedTransport(
      .json(#"{"id":7,"name":"A","metadata":{"keep":true,"old":"1","gone":"x","segment":"a"}}"#),
      .json(#"{"id":7,"name":"A","metadata":{"keep":"1","old":"1","segment":"b","n":"5"}}"#))
    let base = observed(.invoiced, "7", ["id": 7, "metadata": ["segment": "a", "gone": "x"]])
    let written = try await InvoicedConnector.make(transport).update(
      [set("metadata.segment", "b"), set("metadata.gone", .null), set("metadata.n", 5)], of: base,
      idempotencyKey: "key-123456")
    #expect(transport.lines.map { $0.prefix(3) } == ["GET", "PAT"])
    #expect(transport.bodies[1] == ["metadata": ["keep": true, "old": "1", "segment": "b", "n": "5"]])
    #expect(written.before?.record["metadata"]?["gone"] == "x")
    #expect(written.before?.source == .fetch)
  }

  @Test("writes nothing over a metadata key that was edited since it was read")
  func overtaken() async {
    let transport = ScriptedTransport(.json(#"{"id":7,"metadata":{"segment":"theirs"}}"#))
    let base = observed(.invoiced, "7", ["id": 7, "metadata": ["segment": "a"]])
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(transport)
        .update([set("metadata.segment", "b")], of: base, idempotencyKey: "key-123456")
    }
    #expect(error?.status == 412)
    #expect(transport.asked.count == 1)
  }

  @Test(
    "lays metadata into no read that lags behind, nor into one of the same second that shows something else",
    arguments: [
      (5, #"{"pms_id":"C-1"}"#, false), (6, "{}", false), (6, #"{"pms_id":"C-1","segment":"b","x":"1"}"#, false),
      (6, #"{"pms_id":"C-1","segment":"b"}"#, true), (7, #"{"pms_id":"C-1"}"#, true),
    ])
  func lags(version: Int64, metadata: String, isWritten: Bool) async {
    let transport = ScriptedTransport(
      .json(#"{"id":7,"updated_at":\#(version),"metadata":\#(metadata)}"#), .json(#"{"id":7,"name":"A"}"#))
    var base = observed(.invoiced, "7", ["id": 7, "metadata": ["pms_id": "C-1", "segment": "b"]])
    base.version = Version(seconds: 6)
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(transport)
        .update([set("metadata.tier", "gold")], of: base, idempotencyKey: "key-123456")
    }
    #expect(error?.status == (isWritten ? nil : 412))
    #expect(transport.asked.count == (isWritten ? 2 : 1))
  }

  @Test("takes an empty list for an empty map, and numbers for their text")
  func oldMetadata() async throws {
    let transport = ScriptedTransport(
      .json(#"{"id":7,"metadata":[]}"#), .json(#"{"id":7,"metadata":{"a":"1"}}"#),
      .json(#"{"id":7,"metadata":{"a":1}}"#), .json(#"{"id":7,"metadata":{"a":"2"}}"#))
    let connector = InvoicedConnector.make(transport)
    let empty = observed(.invoiced, "7", ["id": 7])
    let first = try await connector.update([set("metadata.a", "1")], of: empty, idempotencyKey: "key-123456")
    let base = try #require(first.observation)
    _ = try await connector.update([set("metadata.a", "2")], of: base, idempotencyKey: "key-123457")
    #expect(transport.bodies[3] == ["metadata": ["a": "2"]])
  }

  @Test(
    "never writes what Invoiced refuses", arguments: ["created_at", "object", "statement_url", "sign_up_url", "id"])
  func readOnly(key: String) async {
    let transport = ScriptedTransport()
    let connector = InvoicedConnector.make(transport)
    let base = observed(.invoiced, "7", ["id": 7])
    let updated = await failure { () throws(ConnectorError) in
      try await connector.update([set(key, "x")], of: base, idempotencyKey: "key-123456")
    }
    let created = await failure { () throws(ConnectorError) in
      try await connector.create(.object(JSONObject([(key: key, value: "x")])), idempotencyKey: "key-123456")
    }
    for error in [updated, created] {
      #expect(error?.description == "nothing was sent to Invoiced: '\(key)' is read-only on Invoiced")
      #expect(error?.status == nil, "Invoiced answered nothing")
    }
    #expect(transport.asked.isEmpty)
    #expect(connector.misfits(in: [set(key, "x")]).count == 1)
  }

  @Test("deletes without a key, and takes a 404 for done", arguments: [204, 200, 404, 410])
  func deletes(status: Int) async throws {
    let transport = ScriptedTransport(HTTPResponse(status: status))
    try await InvoicedConnector.make(transport).delete(RecordID("7"), etag: "\"1\"")
    #expect(transport.lines == ["DELETE https://api.invoiced.test/customers/7"])
    #expect(transport.asked[0].headers["Idempotency-Key"] == nil)
    #expect(transport.asked[0].headers["If-Match"] == nil)
  }

  @Test("asks for a customer's events in their order, page after page")
  func events() async throws {
    let transport = ScriptedTransport(
      .json(
        #"[{"id":1,"type":"customer.updated","data":{"object":{"id":5,"statement_url":"https://t"}}}]"#,
        ["Link": "</events?page=2>; rel=next"]),
      .json(
        #"[{"id":1,"type":"customer.updated"},{"id":2,"type":"customer.merged"},{"id":3,"type":"invoice.created"}]"#))
    let events = try await InvoicedConnector.make(transport).events(since: noon, relatedTo: RecordID("5"))
    #expect(events?.compactMap { $0["id"]?.int64 } == [1, 2])
    #expect(events?[0]["data"]?["object"] == ["id": 5])
    #expect(
      transport.lines == [
        "GET https://api.invoiced.test/events?start_date=1772366400&sort=id%20asc&related_to=customer%2C5&per_page=100",
        "GET https://api.invoiced.test/events?page=2",
      ])
  }

  @Test(
    "sends a key of another length as its digest",
    arguments: ["short", String(repeating: "k", count: 65), "b\u{e4}d-key"])
  func keys(key: String) async throws {
    let transport = ScriptedTransport(.json(#"{"id":7,"name":"Acme"}"#, status: 201))
    _ = try await InvoicedConnector.make(transport).create(["name": "Acme"], idempotencyKey: key)
    #expect(transport.asked[0].headers["Idempotency-Key"]?.utf8.count == 64)
  }

  @Test("probes with a listing")
  func probes() async throws {
    try await InvoicedConnector.make(ScriptedTransport(.json("[]"))).probe()
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(ScriptedTransport(.json("{}", status: 401))).probe()
    }
    #expect(error?.status == 401)
  }
}
