import HTTP
import JSON
import Sandbox
import Signatures
import Testing

@Suite("PMS") struct PMSTests {
  @Test("a record keeps its properties exactly, with an id and a time of its own")
  func exact() throws {
    let side = pms()
    let body = try JSONValue(
      parsing:
        #"{"z":1.10,"n":12345678901234567890,"e":1e400,"t":" é/ ","o":{"b":[1,{"c":null}]},"#
        + #""id":"X","updated_at":"never"}"#
    )
    let made = try side.answer("POST", "/customers", body)
    #expect(made.status == 201)
    #expect(made.headers["ETag"] == "\"v1\"")
    #expect(
      made.text
        == #"{"id":"C-1","z":1.10,"n":12345678901234567890,"e":1e400,"t":" é/ ","o":{"b":[1,{"c":null}]},"#
        + #""updated_at":"2026-03-01T12:00:00.000Z"}"#)
    #expect(try side.answer("GET", "/customers/C-1").body == made.body)
    #expect(try side.answer("GET", "/customers/C-1").headers["ETag"] == "\"v1\"")
  }

  @Test(
    "a PATCH is a merge patch",
    arguments: [
      (#"{"name":"B"}"#, #"{"name":"B","a":{"x":1,"y":2}}"#),
      (#"{"a":{"x":null,"z":[1]}}"#, #"{"name":"A","a":{"y":2,"z":[1]}}"#),
      (#"{"a":null}"#, #"{"name":"A"}"#), (#"{"a":5,"b":{"c":{"d":null}}}"#, #"{"name":"A","a":5,"b":{"c":{}}}"#),
      (#"{"missing":null,"id":"C-9"}"#, #"{"name":"A","a":{"x":1,"y":2}}"#),
    ])
  func mergePatch(patch: String, expected: String) throws {
    let side = pms()
    _ = try create(side, ["name": "A", "a": ["x": 1, "y": 2]])
    var object = try #require(side.json("PATCH", "/customers/C-1", JSONValue(parsing: patch), at: noon + 5).object)
    #expect(object["id"] == "C-1")
    (object["id"], object["updated_at"]) = (nil, nil)
    #expect(JSONValue.object(object) == (try JSONValue(parsing: expected)))
  }

  @Test("a write that changes nothing leaves version and time alone, and calls nobody")
  func noChange() throws {
    let side = pms()
    _ = try create(side, ["name": "A"])
    let answer = side.ask("PATCH", "/customers/C-1", ["name": "A"], at: noon + 1000)
    #expect(answer.deliveries.isEmpty)
    #expect(answer.response?.headers["ETag"] == "\"v1\"")
    #expect(answer.response?.json?["updated_at"] == "2026-03-01T12:00:00.000Z")
  }

  @Test(
    "If-Match is compared",
    arguments: [
      ("PATCH", "\"v2\"", 200), ("PATCH", "\"v1\"", 412), ("PUT", "\"v1\"", 412), ("DELETE", "\"v1\"", 412),
      ("DELETE", "*", 204), ("PUT", "\"v2\"", 200),
    ])
  func ifMatch(method: String, tag: String, status: Int) throws {
    let side = pms()
    _ = try create(side, ["name": "A"])
    _ = side.ask("PATCH", "/customers/C-1", ["name": "B"])
    let body: JSONValue? = method == "DELETE" ? nil : ["name": "C"]
    let answer = try side.answer(method, "/customers/C-1", body, headers: ["If-Match": tag])
    #expect(answer.status == status)
    if status == 412 { #expect(answer.headers["Content-Type"] == "application/problem+json") }
  }

  @Test("a PUT replaces the whole record")
  func put() throws {
    let side = pms()
    _ = try create(side, ["name": "A", "phone": "1"])
    let answer = try side.answer("PUT", "/customers/C-1", ["name": "B"], at: noon + 1)
    #expect(answer.headers["ETag"] == "\"v2\"")
    #expect(answer.text == #"{"id":"C-1","name":"B","updated_at":"2026-03-01T12:00:00.001Z"}"#)
  }

  @Test(
    "what can't be done is a problem",
    arguments: [
      ("GET", "/customers/C-9", 404), ("GET", "/customers/C-1", 410), ("PATCH", "/customers/C-1", 410),
      ("GET", "/wool", 404),
      ("GET", "/customers/C-2/x", 404), ("PUT", "/customers", 405), ("POST", "/customers/C-2", 405),
      ("GET", "/customers?updated_since=noon", 400), ("GET", "/customers?a..b=1", 400),
    ])
  func problems(method: String, path: String, status: Int) throws {
    let side = pms()
    _ = try create(side, ["name": "A"])
    _ = try create(side, ["name": "B"])
    _ = side.ask("DELETE", "/customers/C-1")
    let answer = try side.answer(method, path, method == "GET" ? nil : ["name": "C"])
    #expect(answer.status == status)
    #expect(answer.json?["status"] == .number(JSONNumber(status)))
    #expect(answer.headers["Content-Type"] == "application/problem+json")
    #expect((answer.headers["Allow"] != nil) == (status == 405))
  }

  @Test("bodies must be JSON objects")
  func bodies() throws {
    let side = pms()
    let type: HTTPHeaders = ["Content-Type": "text/plain"]
    #expect(try side.answer("POST", "/customers", ["name": "A"], headers: type).status == 415)
    #expect(try side.answer("POST", "/customers", [1]).status == 400)
    let merge: HTTPHeaders = ["Content-Type": "application/merge-patch+json"]
    #expect(try side.answer("POST", "/customers", ["name": "A"], headers: merge).status == 201)
    let other: HTTPHeaders = ["Authorization": "Bearer other"]
    let refused = try side.answer("GET", "/customers", headers: other)
    #expect(refused.status == 401 && refused.headers["WWW-Authenticate"] == "Bearer")
  }

  @Test("an idempotency key makes one record, and another body under it is refused")
  func idempotency() throws {
    let side = pms()
    let key: HTTPHeaders = ["Idempotency-Key": "k"]
    let first = side.ask("POST", "/customers", ["name": "A"], headers: key)
    let again = side.ask("POST", "/customers", ["name": "A"], headers: key)
    #expect(first.response?.body == again.response?.body && again.response?.status == 201)
    #expect(first.deliveries.count == 1 && again.deliveries.isEmpty)
    #expect(try side.answer("POST", "/customers", ["name": "B"], headers: key).status == 422)
    #expect(side.stats.records == 1)
  }

  @Test(
    "lists are paged and filtered",
    arguments: [
      ("", "1,2,3,4", 4), ("per_page=2", "1,2", 4), ("per_page=2&page=2", "3,4", 4), ("page=9", "", 4),
      ("kind=company", "1,3", 2), ("address.country=NOR", "1", 1), ("rank=1.10", "2", 1), ("archived=true", "4", 1),
      ("kind=Company", "", 0), ("kind=company&address.country=NOR", "1", 1), ("tags[0]=x", "3", 1), ("wool=1", "", 0),
      ("updated_since=2026-03-01T12:00:02Z", "3,4", 2), ("updated_since=2026-03-01T13:00:02.001%2B01:00", "4", 1),
      ("updated_since=1772366402&kind=company", "3", 1),
    ])
  func lists(query: String, expected: String, total: Int64) throws {
    let side = pms()
    for (index, body): (Int64, String) in [
      (0, #"{"n":"1","kind":"company","address":{"country":"NOR"}}"#), (1, #"{"n":"2","kind":"person","rank":1.10}"#),
      (2, #"{"n":"3","kind":"company","tags":["x"]}"#), (3, #"{"n":"4","archived":true}"#),
    ] { _ = try create(side, JSONValue(parsing: body), at: noon + index * 1000) }
    let page = try side.json("GET", "/customers?" + query, at: noon + 10_000)
    #expect(page["data"]?.array?.compactMap { $0["n"]?.string }.joined(separator: ",") == expected)
    #expect(page["total"]?.int64 == total)
    #expect(page["page"]?.int64 != nil)
  }

  @Test("a search follows what is written")
  func index() throws {
    let side = pms()
    _ = try create(side, ["k": "é"])
    func count(_ value: String) throws -> Int64? { try side.json("GET", "/customers?k=\(value)")["total"]?.int64 }
    #expect(try count("%C3%A9") == 1)
    #expect(try count("e%CC%81") == 0)
    _ = side.ask("PATCH", "/customers/C-1", ["k": "b"])
    #expect(try count("%C3%A9") == 0)
    #expect(try count("b") == 1)
    _ = side.ask("DELETE", "/customers/C-1")
    #expect(try count("b") == 0)
  }

  @Test("callbacks carry the record and are signed by Standard Webhooks")
  func callbacks() throws {
    let side = pms()
    let created = side.ask("POST", "/customers", ["name": "A"])
    let request = try #require(created.deliveries.first.flatMap { side.outgoing($0, now: noon + 7000) })
    let body = try JSONValue(parsing: request.body)
    #expect(body.object?.members.map(\.key) == ["id", "type", "timestamp", "data"])
    #expect(body["type"] == "customer.created")
    #expect(body["timestamp"] == "2026-03-01T12:00:00.000Z")
    #expect(body["data"] == created.response?.json)
    #expect(request.headers["webhook-id"] == body["id"]?.string)
    #expect(request.headers["webhook-timestamp"] == "1772366407")
    let signature = try signatureHeaders(
      scheme: .standardWebhooks, secret: Secret("whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="),
      id: body["id"]?.string ?? "", timestamp: 1_772_366_407, body: request.body)
    for (name, value) in signature { #expect(request.headers[name] == value) }
    #expect(try side.webhooks("PATCH", "/customers/C-1", ["name": "B"])[0]["type"] == "customer.updated")
    let deleted = try side.webhooks("DELETE", "/customers/C-1")
    #expect(deleted[0]["type"] == "customer.deleted" && deleted[0]["data"]?["id"] == "C-1")
    #expect(side.ask("POST", "/customers?silent=1", ["name": "A"]).deliveries.isEmpty)
    let bare = pms { $0.callbacksCarryOnlyID = true }
    #expect(try bare.webhooks("POST", "/customers", ["name": "A"])[0]["data"] == ["id": "C-1"])
  }

  @Test("a failed callback comes again with growing gaps, ten times in all")
  func retries() throws {
    let side = pms()
    var delivery = try #require(side.ask("POST", "/customers", ["name": "A"]).deliveries.first)
    var gaps: [Int64] = []
    while let next = side.settled(delivery, .answered(status: 500), now: delivery.due).first {
      gaps.append((next.due - delivery.due) / 1000)
      delivery = next
    }
    #expect(gaps == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
    #expect(side.stats.failed == 10 && side.stats.pending == 0)
  }
}
