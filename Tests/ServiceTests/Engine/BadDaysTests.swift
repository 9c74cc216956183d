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
  @Test("both sides create the same customer at once: one pair, and no record twice")
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
    }
  }

  @Test("the echo of a create arrives before the create's answer: one record, one link")
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
    }
  }

  @Test("a create's answer is lost: looked up not before `confirm`, then linked and never sent again")
  func createAnswerLost() async throws {
    try await EngineBench.run { bench in
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST", once.take() else { return nil }
        _ = try bench.transport.carryOut(request, side)
        throw .unanswered(host: "pms.test", cause: "reset")
      }
      bench.pms.loseNextWebhooks(5)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(30))
      #expect(try await bench.links().isEmpty, "`confirm` has not passed")
      try await bench.pass(.seconds(60))
      #expect(bench.pms.customers.count == 1)
      #expect(bench.pms.stats.requests("POST") == 1)
      #expect(try await bench.links().count == 1)
    }
  }

  @Test("a create answered 500 after it was done: looked up, then linked")
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
      #expect(bench.invoiced.stats.requests("POST") == 1)
      #expect(try await bench.links().count == 1)
      #expect(bench.pms.customers.count == 1)
    }
  }

  @Test("a stale webhook after a newer one changes nothing")
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
      #expect(bench.writes(.pms) == before)
    }
  }

  @Test("two edits within one second of Invoiced's clock: the later one arrives", arguments: [false, true])
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
    }
  }

  @Test("the PMS trims a name: agreed, and not written back")
  func trimmedName() async throws {
    try await EngineBench.run { bench in
      bench.pms.setFaults([.normalising])
      let (id, partner) = try await bench.linked(["name": "  Acme AS ", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.pms, partner)["name"] == "Acme AS")
      #expect(try bench.record(.invoiced, id)["name"] == "  Acme AS ")
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try await bench.look(.pms, partner)
      try await bench.look(.invoiced, id)
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
    }
  }

  @Test("the PMS refuses one property silently: parked for that property alone after a second look")
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
    }
  }

  @Test("1.10 against 1.1: the same")
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
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("NFC against NFD: the same, and sent as it was received")
  func unicodeForms() async throws {
    try await EngineBench.run { bench in
      let decomposed = "A\u{30A}se AS"
      let (_, partner) = try await bench.linked(["name": .string(decomposed), "number": "A-1", "type": "company"])
      let sent = try #require(bench.record(.pms, partner)["name"]?.string)
      #expect(Array(sent.utf8) == Array(decomposed.utf8))
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(.pms, partner, ["name": "\u{C5}se AS"])
      try await bench.pass(.seconds(10))
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
    }
  }

  @Test("\"\" against null against missing: one value", arguments: [JSONValue.string(""), .null])
  func nothings(nothing: JSONValue) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(.pms, partner, ["notes": nothing, "x": 1])
      try bench.change(.invoiced, id, ["city": nothing, "phone": "1"])
      try await bench.pass(.seconds(10))
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
    }
  }

  @Test("an enum value without counterpart: the record is parked whole, and goes by itself when it is corrected")
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
    }
  }

  @Test("a flow whose `where` no longer fits: the link ends and both records are kept apart")
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
    }
  }

  @Test("credentials revoked for an hour: paused at the first 401, and everything goes on when they are good again")
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
    }
  }

  @Test("the PMS is down for two virtual days and more: nothing is given up, and all arrives")
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
    }
  }
}
