import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Synchronization
import Testing

@testable import Service

extension HTTPRequest {
  var json: JSONValue? { try? JSONValue(parsing: body) }
}

extension HTTPResponse {
  static func answer(_ status: Int, _ body: JSONValue = [:]) -> HTTPResponse {
    HTTPResponse(status: status, headers: ["Content-Type": "application/json"], body: body.serialized)
  }
}

/// Does a thing as often as it is let.
final class Times: Sendable {
  private let left: Mutex<Int>
  init(_ count: Int) { left = Mutex(count) }
  func take() -> Bool {
    left.withLock { left in
      left -= 1
      return left >= 0
    }
  }
}

@Suite("bad days")
struct BadDaysTests {
  @Test("both sides create the same customer at once")
  func sameCustomerAtOnce() async throws {
    try await EngineBench.run { bench in
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme AS", "number": "A-1", "type": "company"])
      try bench.edit(
        .pms, "POST", "/customers", ["name": "Acme AS", "customer_number": "A-1", "kind": "company"])
      try await bench.pass(.seconds(200))
      #expect(bench.invoiced.customers.count == 1)
      #expect(bench.pms.customers.count == 1)
      #expect(try await bench.links().count == 1)
      #expect(try await bench.holds().isEmpty)
      #expect(bench.tally == "invoiced PATCH 1, pms PATCH 1", "the references, and nothing else")
    }
  }

  @Test("both sides create the same customer at once, and no search shows it: asked for by its id, one pair")
  func sameCustomerUnsearchable() async throws {
    try await EngineBench.run { bench in
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard request.method == "GET", request.target.contains("?") else { return nil }
        // Invoiced is not to be had until the PMS's record has been looked at; the PMS's search never finds anything.
        if side == .invoiced { return HTTPResponse(status: 503) }
        return HTTPResponse(status: 200, body: Array(#"{"data":[]}"#.utf8))
      }
      try bench.edit(.pms, "POST", "/customers", ["name": "Acme AS", "customer_number": "A-1", "kind": "company"])
      try await bench.pass()
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme AS", "number": "A-1", "type": "company"])
      bench.transport.removeHooks()
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "GET", request.target.contains("?") else { return nil }
        return HTTPResponse(status: 200, body: Array(#"{"data":[]}"#.utf8))
      }
      try await bench.pass(.seconds(200))
      #expect(bench.pms.customers.count == 1 && bench.invoiced.customers.count == 1)
      #expect(try await bench.links().count == 1)
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("a search that leaves the match out once: found by the look after the claim, and no create is sent")
  func searchLiesOnce() async throws {
    try await EngineBench.run { bench in
      try bench.edit(
        .pms, "POST", "/customers?silent=1", ["name": "Acme AS", "customer_number": "A-1", "kind": "company"])
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.target.contains("customer_number="), once.take() else { return nil }
        return HTTPResponse(status: 200, body: Array(#"{"data":[]}"#.utf8))
      }
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme AS", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(5))
      #expect(bench.pms.customers.count == 1 && bench.pms.stats.requests("POST") == 0)
      #expect(try await bench.links().count == 1)
      #expect(try await bench.store.unsettledPushes().isEmpty)
    }
  }

  @Test("a create's answer is lost, and so is the record in the first look for it: a second look finds it")
  func lookupLies() async throws {
    try await EngineBench.run { bench in
      let (once, lies) = (Times(1), Times(2))
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms else { return nil }
        if request.method == "POST", once.take() {
          _ = try bench.transport.carryOut(request, side)
          throw .unanswered(host: "pms.test", cause: "reset")
        }
        guard bench.pms.stats.requests("POST") == 1, request.target.contains("?"), lies.take() else { return nil }
        return HTTPResponse(status: 200, body: Array(#"{"data":[]}"#.utf8))
      }
      bench.pms.loseNextWebhooks(5)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 1 && bench.pms.stats.requests("POST") == 1)
      #expect(try await bench.links().count == 1)
    }
  }

  @Test("the echo of a create arrives before the create's answer")
  func echoBeforeAnswer() async throws {
    try await EngineBench.run { bench in
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST" else { return nil }
        let response = try bench.transport.carryOut(request, side)
        _ = try? await bench.deliver()
        return response
      }
      let (id, partner) = try await bench.linked()
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 1)
      #expect(bench.invoiced.customers.count == 1)
      #expect(try bench.record(.pms, partner)["invoiced_id"]?.identifier == id)
      #expect(try await bench.holds().isEmpty)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
    }
  }

  @Test("the create's answer is lost")
  func createAnswerLost() async throws {
    try await EngineBench.run { bench in
      bench.loseAnswer(to: "POST", of: .pms)
      bench.pms.loseNextWebhooks(5)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(30))
      #expect(try await bench.links().isEmpty, "`confirm` has not passed")
      try await bench.pass(.seconds(60))
      #expect(bench.pms.customers.count == 1)
      #expect(try await bench.links().count == 1)
      #expect(bench.invoiced.customers.count == 1)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
    }
  }

  @Test("the create answered 500 after it was done")
  func createAnswered500() async throws {
    try await EngineBench.run { bench in
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .invoiced, request.method == "POST", once.take() else { return nil }
        _ = try bench.transport.carryOut(request, side)
        return .answer(500)
      }
      try bench.edit(.pms, "POST", "/customers", ["name": "Acme", "customer_number": "A-1", "kind": "company"])
      try await bench.pass(.seconds(150))
      #expect(bench.invoiced.customers.count == 1)
      #expect(try await bench.links().count == 1)
      #expect(bench.pms.customers.count == 1)
      #expect(bench.tally == "invoiced POST 1, pms PATCH 1")
    }
  }

  @Test("a stale webhook arrives after a newer one")
  func staleWebhook() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["city": "Oslo"])
      let late = bench.withhold()
      try await bench.pass(.seconds(10))
      try bench.change(.invoiced, id, ["city": "Bergen"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      let before = bench.writes(.pms)
      for request in late { await bench.receive(request, from: .invoiced) }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      #expect(try bench.record(.invoiced, id)["city"] == "Bergen")
      #expect(bench.writes(.pms) == before)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1, pms PATCH 1")
    }
  }

  @Test("two edits within one second of Invoiced's clock", arguments: [false, true])
  func twoEditsInOneSecond(reversed: Bool) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try bench.change(.invoiced, id, ["city": "Bergen"])
      let both = bench.withhold()
      for request in reversed ? both.reversed() : both {
        await bench.receive(request, from: .invoiced)
        try await bench.pass()
      }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      #expect(try bench.record(.invoiced, id)["city"] == "Bergen")
      #expect(bench.invoiced.customers.count == 1 && bench.pms.customers.count == 1)
      // Where they come one by one, the first may have been pushed before the second was heard of.
      #expect(
        ["invoiced PATCH 1, pms POST 1, pms PATCH 1", "invoiced PATCH 1, pms POST 1, pms PATCH 2"]
          .contains(bench.tally), "\(bench.tally)")
    }
  }

  @Test("the PMS trims a name")
  func trimmedName() async throws {
    try await EngineBench.run { bench in
      bench.pms.setFaults([.normalising])
      let (id, partner) = try await bench.linked(["name": "  Acme AS ", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.pms, partner)["name"] == "Acme AS")
      #expect(try bench.record(.invoiced, id)["name"] == "  Acme AS ")
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
      try await bench.look(.pms, partner)
      try await bench.look(.invoiced, id)
      _ = try await bench.walk()
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("the PMS refuses one property silently")
  func silentRefusal() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH", var body = request.json?.object else { return nil }
        body["notes"] = JSONValue?.none
        var rest = request
        rest.body = JSONValue.object(body).serialized
        return try bench.transport.carryOut(rest, side)
      }
      try bench.change(.invoiced, id, ["notes": "secret", "city": "Oslo"])
      try await bench.pass(.seconds(30))
      #expect(try await bench.holds().isEmpty, "`confirm` has not passed")
      try await bench.pass(.seconds(60))
      let holds = try await bench.holds()
      #expect(holds.map(\.property) == ["notes"])
      #expect(holds.map(\.cause) == [.refused])
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try bench.record(.invoiced, id)["notes"] == "secret")
      let before = bench.writes(.pms)
      try bench.change(.invoiced, id, ["city": "Bergen"])
      try await bench.pass(.seconds(120))
      #expect(bench.writes(.pms) == before + 1, "the other properties go on, the refused one isn't sent again")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      #expect(try bench.record(.pms, partner)["notes"]?.isNull ?? true)
      _ = try await bench.walk()
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1, pms PATCH 2")
    }
  }

  @Test("`1.10` against `1.1`")
  func decimals() async throws {
    try await EngineBench.run { bench in
      let credit = try JSONValue(parsing: Array("1.10".utf8))
      let made = try bench.edit(
        .pms, "POST", "/customers",
        ["name": "Acme", "customer_number": "A-1", "kind": "company", "credit": ["limit": credit]])
      try await bench.pass(.seconds(10))
      #expect(bench.invoiced.customers.first?["credit_limit"]?.identifier == "1.1")
      let partner = try #require(made["id"]?.identifier)
      #expect(try bench.record(.pms, partner)["credit"]?["limit"]?.identifier == "1.10", "its own form stays")
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(.pms, partner, ["credit": ["limit": try JSONValue(parsing: Array("1.100".utf8))]])
      try await bench.pass(.seconds(10))
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
      #expect(bench.tally == "invoiced POST 1, pms PATCH 1")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("NFC against NFD")
  func unicodeForms() async throws {
    try await EngineBench.run { bench in
      let decomposed = "A\u{30A}se AS"
      let (id, partner) = try await bench.linked(["name": .string(decomposed), "number": "A-1", "type": "company"])
      let sent = try #require(bench.record(.pms, partner)["name"]?.string)
      #expect(Array(sent.utf8) == Array(decomposed.utf8))
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(.pms, partner, ["name": "\u{C5}se AS"])
      try await bench.pass(.seconds(10))
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
      #expect(Array(try bench.record(.invoiced, id)["name"]?.string?.utf8 ?? "".utf8) == Array(decomposed.utf8))
    }
  }

  @Test("\"\" against null against missing", arguments: [JSONValue.string(""), .null])
  func nothings(nothing: JSONValue) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(.pms, partner, ["notes": nothing, "x": 1])
      try bench.change(.invoiced, id, ["city": nothing, "phone": "1"])
      try await bench.pass(.seconds(10))
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
      #expect(try bench.record(.pms, partner)["notes"]?.string ?? "" == "")
    }
  }

  @Test("an enum value without counterpart")
  func enumWithoutCounterpart() async throws {
    let rows =
      EngineBench.rows
      + "\n- { invoiced: language, pms: locale, type: string, convert: { values: { en: en-GB, nb: nb-NO } } }"
    try await EngineBench.run(EngineBench.mapping(rows: rows)) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["language": "fr", "city": "Oslo"])
      try await bench.pass(.seconds(10))
      let hold = try #require(await bench.holds().first)
      #expect(hold.cause == .misfit)
      for part in ["language", "fr", "companies"] { #expect(hold.reason.contains(part)) }
      #expect(try bench.record(.pms, partner)["address"]?["city"] == nil, "whole or not at all")
      try bench.change(.invoiced, id, ["language": "nb"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try bench.record(.pms, partner)["locale"] == "nb-NO")
      #expect(try await bench.holds().isEmpty)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1, pms PATCH 1")
    }
  }

  @Test("a flow whose `where` no longer fits")
  func leaves() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["type": "person"])
      try await bench.pass(.seconds(120))
      #expect(try await bench.links().map(\.state) == [.ended])
      try bench.change(.pms, partner, ["notes": "still here"])
      try await bench.pass(.seconds(120))
      #expect(bench.invoiced.customers.count == 1, "nothing is created beside it")
      #expect(try bench.record(.invoiced, id)["notes"]?.isNull ?? true)
      #expect(bench.pms.customers.count == 1)
      _ = try await bench.walk()
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
    }
  }

  @Test("credentials revoked for an hour")
  func revokedCredentials() async throws {
    try await EngineBench.run(settings: "breaker: { probe: 60s }") { bench in
      let (id, partner) = try await bench.linked()
      bench.transport.add { side, _ async throws(HTTPClientError) in
        side == .pms ? .answer(401, ["detail": "revoked"]) : nil
      }
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(3600))
      #expect(bench.context.gate(.pms).pause?.byPerson == false)
      #expect(try await bench.holds().isEmpty)
      bench.transport.removeHooks()
      try await bench.pass(.seconds(180))
      #expect(bench.context.gate(.pms).pause == nil)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      #expect(try await bench.holds().isEmpty)
      #expect(bench.tally == "invoiced PATCH 1, pms POST 1, pms PATCH 1")
    }
  }

  @Test("the PMS down for two virtual days")
  func downForTwoDays() async throws {
    try await EngineBench.run(settings: "breaker: { probe: 30m }") { bench in
      var pairs: [(invoiced: String, pms: String)] = []
      for number in 1...4 {
        pairs.append(
          try await bench.linked(["name": "Acme", "number": .string("A-\(number)"), "type": "company"]))
      }
      bench.pms.setOutage(.unavailable)
      for pair in pairs { try bench.change(.invoiced, pair.invoiced, ["city": "Oslo"]) }
      try await bench.pass(.seconds(52 * 3600))
      #expect(bench.context.gate(.pms).isBreakerOpen)
      #expect(try await bench.holds().isEmpty)
      bench.pms.setOutage(nil)
      try await bench.pass(.seconds(3600))
      for pair in pairs { #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo") }
      #expect(try await bench.holds().isEmpty)
      #expect(bench.pms.customers.count == 4 && bench.invoiced.customers.count == 4)
      // What was sent while it was down was counted there too.
      #expect(bench.invoiced.stats.requests("PATCH") == 4 && bench.pms.stats.requests("POST") == 4)
    }
  }
}
