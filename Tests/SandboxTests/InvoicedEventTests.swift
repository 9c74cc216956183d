import HTTP
import JSON
import Sandbox
import Signatures
import Testing

@Suite("Invoiced events and webhooks") struct InvoicedEventTests {
  @Test("create, update and delete each write their event, with growing ids")
  func lifecycle() throws {
    let side = invoiced()
    let created = try side.webhooks("POST", "/customers", ["name": "A"])
    let id = try #require(created.first?["data"]?["object"]?["id"]?.identifier)
    let updated = try side.webhooks("PATCH", "/customers/\(id)", ["name": "B", "phone": "1"], at: noon + 2000)
    let deleted = try side.webhooks("DELETE", "/customers/\(id)", at: noon + 3000)
    let all = created + updated + deleted
    #expect(all.map { $0["type"] } == ["customer.created", "customer.updated", "customer.deleted"])
    let ids = all.compactMap { $0["id"]?.int64 }
    #expect(ids.count == 3 && ids == ids.sorted() && ids[2] - ids[0] > 2)
    #expect(all.allSatisfy { $0.object?.members.map(\.key) == ["id", "timestamp", "type", "data"] })
    #expect(all[0]["data"]?["previous"] == nil && all[2]["data"]?["previous"] == nil)
    let stamp = JSONValue.number(JSONNumber(noon / 1000))
    #expect(all[1]["data"]?["previous"] == ["name": "A", "phone": nil, "updated_at": stamp])
    #expect(all[2]["data"]?["object"]?["name"] == "B")
  }

  struct Change: CustomTestStringConvertible, Sendable {
    let patch: JSONValue
    /// Nil for no event; without `updated_at`.
    let previous: JSONValue?
    var testDescription: String { patch.text }
    init(_ patch: JSONValue, _ previous: JSONValue?) { (self.patch, self.previous) = (patch, previous) }
  }

  @Test(
    "an event comes only of a difference, and tells old values only",
    arguments: [
      Change([:], nil), Change(["name": "A"], nil), Change(["email": "A@B.example"], nil),
      Change(["credit_limit": "5.0"], nil),
      Change(["metadata": ["a": "1", "b": "2"]], nil), Change(["address2": ""], nil),
      Change(["name": "B"], ["name": "A"]),
      Change(["owner": 7], ["owner_id": nil]), Change(["metadata": ["a": "1"]], ["metadata": ["b": "2"]]),
      Change(["metadata": ["a": "x", "b": "2", "c": "3"]], ["metadata": ["a": "1", "c": nil]]),
      Change(["metadata": ["a": 1, "b": "2"]], ["metadata": ["a": "1"]]),
      Change(["credit_limit": nil], ["credit_limit": 5]),
      Change(["taxes": ["vat"]], ["taxes": []]),
    ])
  func differences(_ change: Change) throws {
    let side = invoiced()
    let body: JSONValue = [
      "name": "A", "email": "a@b.example", "credit_limit": 5, "metadata": ["a": "1", "b": "2"],
    ]
    let id = try create(side, body)
    let events = try side.webhooks("PATCH", "/customers/\(id)", change.patch, at: noon + 1000)
    #expect(events.isEmpty == (change.previous == nil))
    guard var previous = events.first?["data"]?["previous"]?.object else { return }
    #expect(previous["updated_at"] == .number(JSONNumber(noon / 1000)))
    previous["updated_at"] = nil
    #expect(JSONValue.object(previous) == change.previous)
  }

  @Test("a silent change shows in updated_at and nowhere else")
  func silent() throws {
    let side = invoiced()
    let id = try create(side, ["name": "A"])
    #expect(side.ask("PATCH", "/customers/\(id)?silent=1", ["name": "B"], at: noon + 1000).deliveries.isEmpty)
    #expect(try side.json("GET", "/events").array?.isEmpty == true)
    #expect(try side.json("GET", "/customers?updated_after=\(noon / 1000)").array?.count == 1)
  }

  @Test("webhooks are signed over their raw bytes, with PHP's escapes")
  func signed() throws {
    let side = invoiced()
    let answer = side.ask("POST", "/customers", ["name": "Søn/Co"])
    let request = try #require(answer.deliveries.first.flatMap { side.outgoing($0, now: noon) })
    #expect(request.target == "http://receiver.example/webhooks/invoiced")
    #expect(request.headers["User-Agent"] == "Invoiced/1.0")
    #expect(request.headers["Content-Type"] == "application/json")
    #expect(String(decoding: request.body, as: UTF8.self).contains(#""name":"S\u00f8n\/Co""#))
    let signature = try signatureHeaders(
      scheme: .invoiced, secret: Secret("sandbox-webhook-secret"), id: "", timestamp: 0, body: request.body)
    #expect(request.headers["X-Invoiced-Signature"] == signature.first?.value)
  }

  @Test("a failed webhook comes again each hour, byte for byte, and the 48th failure switches the endpoint off")
  func retries() throws {
    let side = invoiced()
    var delivery = try #require(side.ask("POST", "/customers", ["name": "A"]).deliveries.first)
    let first = try #require(side.outgoing(delivery, now: noon)).body
    var now = noon
    for attempt in 1...48 {
      #expect(side.isWebhookEnabled)
      #expect(side.outgoing(delivery, now: now)?.body == first)
      let next = side.settled(delivery, attempt % 2 == 0 ? .answered(status: 302) : .failed("reset"), now: now)
      if attempt < 48 {
        delivery = try #require(next.first)
        #expect(delivery.due == now + 3_600_000)
        now = delivery.due
      } else {
        #expect(next.isEmpty)
      }
    }
    #expect(!side.isWebhookEnabled)
    #expect(side.stats.failed == 48 && side.stats.pending == 0)
    #expect(side.ask("POST", "/customers", ["name": "B"]).deliveries.isEmpty)
    #expect(try side.json("GET", "/events").array?.count == 2)
  }

  @Test("a single 410 switches the endpoint off; pending retries still arrive; it can be switched on again")
  func gone() throws {
    let side = invoiced()
    let delivery = try #require(side.ask("POST", "/customers", ["name": "A"]).deliveries.first)
    let retry = side.settled(delivery, .answered(status: 410), now: noon)
    #expect(!side.isWebhookEnabled && retry.count == 1)
    #expect(side.outgoing(retry[0], now: retry[0].due) != nil)
    let id = try #require(side.json("GET", "/webhooks").array?.first?["id"]?.identifier)
    #expect(try side.json("PATCH", "/webhooks/\(id)", ["enabled": true])["enabled"] == true)
    #expect(side.ask("POST", "/customers", ["name": "B"]).deliveries.count == 1)
    #expect(try side.answer("DELETE", "/webhooks/\(id)").status == 204)
    #expect(side.outgoing(retry[0], now: retry[0].due) == nil)
    #expect(side.settled(retry[0], .cancelled, now: noon).isEmpty)
  }

  @Test("a 2xx ends it, and the attempts are told and can be repeated")
  func attempts() throws {
    let side = invoiced()
    let delivery = try #require(side.ask("POST", "/customers", ["name": "A"]).deliveries.first)
    #expect(side.stats.pending == 1)
    #expect(side.settled(delivery, .answered(status: 204), now: noon).isEmpty)
    #expect(side.stats.sent == 1 && side.stats.pending == 0)
    let event = try #require(side.json("GET", "/events").array?.first?["id"]?.identifier)
    let attempt = try #require(side.json("GET", "/webhook_attempts?filter[event_id]=\(event)").array?.first)
    #expect(attempt["attempts"] == [["status_code": 204, "timestamp": .number(JSONNumber(noon / 1000))]])
    #expect(attempt["next_attempt"] == nil as JSONValue)
    let again = side.ask("POST", "/webhook_attempts/\(attempt["id"]?.identifier ?? "")/retries")
    #expect(again.response?.status == 204 && again.deliveries.count == 1)
  }

  @Test("endpoints take only the events they name")
  func endpoints() throws {
    let side = invoiced()
    #expect(try side.answer("POST", "/webhooks", ["url": "nowhere"]).status == 400)
    let body: JSONValue = ["url": "http://other.example/", "events": ["customer.deleted"]]
    let made = try side.answer("POST", "/webhooks?include=secret", body)
    #expect(made.status == 201 && made.json?["secret"]?.string?.count == 32)
    #expect(side.ask("POST", "/customers", ["name": "A"]).deliveries.count == 1)
    let id = try create(side, ["name": "B"])
    #expect(side.ask("DELETE", "/customers/\(id)").deliveries.count == 2)
  }

  @Test(
    "the Events API is filtered",
    arguments: [
      ("", 4), ("type=customer", 3), ("type=contact", 1), ("filter[type]=customer.updated", 1), ("wool=1", 4),
      ("start_date=1772366401", 2), ("end_date=1772366401", 3), ("start_date=1772366401&end_date=1772366401", 1),
      ("from=api", 4), ("from=team", 0), ("filter[user_id]=-3", 4), ("per_page=3", 3), ("per_page=3&page=2", 1),
      ("related_to=customer,ID", 3),
    ])
  func eventsAPI(query: String, count: Int) throws {
    let side = invoiced()
    let id = try #require(side.json("POST", "/customers", ["name": "A"])["id"]?.identifier)
    _ = side.ask("POST", "/customers", ["name": "Other"])
    _ = side.ask("PATCH", "/customers/\(id)", ["name": "B"], at: noon + 1000)
    _ = side.ask("POST", "/customers/\(id)/contacts", ["name": "C"], at: noon + 2000)
    let answer = try side.answer("GET", "/events?" + query.replacing("ID", with: id))
    #expect(answer.json?.array?.count == count, "\(answer.text)")
    let ids = answer.json?.array?.compactMap { $0["id"]?.int64 } ?? []
    #expect(ids == ids.sorted().reversed())
    let ascending = try side.json("GET", "/events?sort=id%20asc&include=user").array ?? []
    #expect(ascending.compactMap { $0["id"]?.int64 } == ascending.compactMap { $0["id"]?.int64 }.sorted())
    #expect(ascending.allSatisfy { $0["user"]?["id"] == -3 })
    let one = try #require(ascending.first?["id"]?.identifier)
    #expect(try side.json("GET", "/events/\(one)")["type"] == "customer.created")
  }

  @Test("an unknown object type is 400")
  func unknownType() throws { #expect(try invoiced().answer("GET", "/events?type=wool").status == 400) }

  @Test("an edit at Invoiced's own pages is a member's")
  func edit() throws {
    let side = invoiced()
    let request = HTTPRequest(
      method: "POST", target: "/customers", headers: ["Content-Type": "application/json"],
      body: Array(#"{"name":"A"}"#.utf8))
    #expect(side.edit(request, now: noon).response?.status == 201)
    #expect(try side.json("GET", "/events?from=team").array?.count == 1)
    #expect(side.stats.requests("POST") == 0)
  }
}
