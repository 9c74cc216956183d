import JSON
import Service
import Testing

@Suite("Taking events in", .timeLimit(.minutes(2))) struct IntakeTests {
  private static let event = PublicListenerTests.event
  private static let change = PublicListenerTests.change

  @Test("a webhook's signature that is missing or wrong is 401; hex counts in either case")
  func webhookSignatures() async throws {
    try await RunningService.run { service async throws in
      let body = Array(Self.event.utf8)
      let name = "X-Invoiced-Signature"
      let right = RunningService.invoiced(body)[0].value
      let other = RunningService.invoiced(Array("other".utf8))[0].value
      func post(_ values: String..., as name: String = name) async throws -> Answer {
        try await service.call(
          "POST", "/webhooks/invoiced", values.map { (name, $0) } + RunningService.type("application/json"), body)
      }
      for values in [
        [], [""], [other], [String(right.dropLast())], [String(right.dropLast(2))], [right + "00"], ["sha256=" + right],
        [String(repeating: "z", count: 64)], [right, other], [other, right],
      ] {
        let headers = values.map { (name, $0) } + RunningService.type("application/json")
        let answer = try await service.call("POST", "/webhooks/invoiced", headers, body)
        #expect(answer.status == 401, "\(values)")
        #expect(try PublicListenerTests.problem(answer).status == 401)
      }
      // Signed as other bytes, however like they are.
      let padded = try await service.call(
        "POST", "/webhooks/invoiced", [(name, right)] + RunningService.type("application/json"), body + [10])
      #expect(padded.status == 401)
      for answer in [
        try await post(right.uppercased()), try await post(right, right), try await post(right, as: name.lowercased()),
      ] {
        #expect(answer.status == 200)
      }
    }
  }

  @Test("a callback's signature, id and timestamp must be there, fit, and be of now")
  func callbackSignatures() async throws {
    try await RunningService.run { service async throws in
      let body = Array(Self.change.utf8)
      let right = RunningService.pms(body)
      func post(_ headers: [(name: String, value: String)]) async throws -> Int {
        try await service.call("POST", "/callbacks/pms", headers + RunningService.type("application/json"), body).status
      }
      for name in right.map(\.name) {
        #expect(try await post(right.filter { $0.name != name }) == 401, "without \(name)")
        #expect(try await post(right + [(name, "x")]) == 401, "two of \(name)")
        #expect(try await post(right.map { $0.name == name ? (name, "x") : $0 }) == 401, "another \(name)")
      }
      #expect(try await post(RunningService.pms(body, secondsAgo: 400)) == 401)
      #expect(try await post(RunningService.pms(body, secondsAgo: -400)) == 401)
      #expect(try await post(RunningService.invoiced(body)) == 401)
      #expect(try await post(RunningService.pms(body, secondsAgo: 200)) == 200)
      #expect(try await post(right + right) == 200)
    }
  }

  static let unreadable: [(what: String, body: [UInt8])] = [
    ("nothing", []),
    ("no JSON", Array("hello".utf8)),
    ("cut short", Array(PublicListenerTests.event.utf8.dropLast(9))),
    ("two values", Array((PublicListenerTests.event + PublicListenerTests.event).utf8)),
    ("not UTF-8", Array(#"{"id":1,"type":"customer.updated","x":""#.utf8) + [0xff, 0xfe] + Array(#""}"#.utf8)),
    ("nesting", Array(String(repeating: "[", count: 10_000).utf8) + Array(String(repeating: "]", count: 10_000).utf8)),
    ("a list", Array("[1]".utf8)),
    ("no members", Array("{}".utf8)),
  ]

  @Test("of Invoiced, an authentic body that can't be read is kept, parked and answered 200")
  func unreadableWebhooks() async throws {
    try await RunningService.run { service async throws in
      let bodies =
        Self.unreadable.map(\.body)
        + [
          #"{"type":"customer.updated","data":{"object":{"id":1}}}"#,
          #"{"id":null,"type":"customer.updated","data":{"object":{"id":1}}}"#,
          #"{"id":true,"type":"customer.updated","data":{"object":{"id":1}}}"#,
          #"{"id":"","type":"customer.updated","data":{"object":{"id":1}}}"#,
          #"{"id":1,"data":{"object":{"id":1}}}"#,
          #"{"id":1,"type":{},"data":{"object":{"id":1}}}"#,
          #"{"id":1,"type":"customer.updated"}"#,
          #"{"id":1,"type":"customer.updated","data":{"object":{}}}"#,
          #"{"id":1,"type":"customer.updated","data":{"object":{"id":null}}}"#,
          #"{"id":1,"type":"customer.updated","data":{"object":[]}}"#,
        ].map { Array($0.utf8) }
      for body in bodies + bodies.suffix(1) {
        let answer = try await service.webhook(body)
        #expect(answer.status == 200, "\(String(decoding: body.prefix(80), as: UTF8.self))")
        #expect(answer.body == #"{"status":"parked"}"#)
      }
      let parked = try await service.admin("events?state=parked&limit=1000")
      #expect(parked["items"]?.array?.count == bodies.count)
      #expect(parked["items"]?.array?.allSatisfy { $0["reason"]?.string?.isEmpty == false } == true)
    }
  }

  @Test("such an event is listed with what is parked, once, until it is discarded; no retry will read it")
  func unreadableIsListed() async throws {
    try await RunningService.run { service async throws in
      for _ in 0..<2 { #expect(try await service.webhook(Array("hello".utf8)).status == 200) }
      let items = try #require(await service.admin("parked")["items"]?.array)
      let entry = try #require(items.first)
      #expect(items.count == 1)
      #expect(entry["cause"] == "unreadable")
      #expect(entry["side"] == "invoiced")
      #expect(entry["reason"]?.string?.contains("not JSON") == true)
      #expect(try await service.admin("status")["parked"] == 1)
      let id = try #require(entry["id"]?.identifier)
      #expect(try await service.admin("POST", "parked/\(id)/retry").status == 409)
      #expect(try await service.admin("POST", "parked/\(id)/discard").status == 200)
      #expect(try await service.admin("parked")["items"] == [])
      #expect(try await service.admin("events?state=parked")["items"] == [])
    }
  }

  @Test("the PMS is told 400, and nothing is kept")
  func unreadableCallbacks() async throws {
    try await RunningService.run { service async throws in
      let bodies =
        Self.unreadable.map(\.body)
        + [
          #"{"data":{"id":"C-1"}}"#, #"{"type":"","data":{"id":"C-1"}}"#, #"{"type":5.5e,"data":{"id":"C-1"}}"#,
          #"{"type":"customer.updated"}"#, #"{"type":"customer.updated","data":{"id":null}}"#,
          #"{"type":"customer.updated","data":"C-1"}"#,
        ].map { Array($0.utf8) }
      for body in bodies {
        let answer = try await service.callback(body)
        #expect(answer.status == 400, "\(String(decoding: body.prefix(80), as: UTF8.self))")
        #expect(try PublicListenerTests.problem(answer).detail.isEmpty == false)
      }
      #expect(try await service.admin("events")["items"]?.array?.count == 0)
      #expect(try await service.callback(Self.change).status == 200)
    }
  }

  @Test("an event's id is the exact text of its JSON value")
  func identifiers() async throws {
    try await RunningService.run { service async throws in
      let digits = String(repeating: "7", count: 400)
      for (json, text) in [
        ("12", "12"), ("-12", "-12"), ("1.50", "1.50"), ("1e3", "1e3"), ("9007199254740993", "9007199254740993"),
        ("18446744073709551617", "18446744073709551617"), (digits, digits), (#""evt_1""#, "evt_1"),
        (#""a\/b\u00e9""#, "a/b\u{e9}"), (#""\ud83d\ude00""#, "\u{1f600}"),
      ] {
        let answer = try await service.webhook(
          #"{"id":\#(json),"type":"customer.updated","data":{"object":{"id":9007199254740993,"n":\#(digits)}}}"#)
        let body = try JSONValue(parsing: Array(answer.body.utf8))
        #expect(answer.status == 200 && body["status"] == "accepted" && body["event"] == .string(text), "\(json)")
      }
      let items = try await service.admin("events?limit=1000")["items"]?.array ?? []
      #expect(items.count == 10 && items.allSatisfy { $0["invoiced_id"] == "9007199254740993" })
    }
  }

  @Test("a repeated id is a duplicate on its side, and new on the other")
  func duplicates() async throws {
    try await RunningService.run { service async throws in
      #expect(try await service.webhook(Self.event).body == #"{"status":"accepted","event":"7"}"#)
      #expect(try await service.webhook(Self.event).body == #"{"status":"duplicate","event":"7"}"#)
      let other = #"{"id":7,"type":"customer.deleted","data":{"object":{"id":2}}}"#
      #expect(try await service.webhook(other).body == #"{"status":"duplicate","event":"7"}"#)
      #expect(try await service.callback(Self.change, id: "7").body == #"{"status":"accepted","event":"7"}"#)
      #expect(try await service.callback(Self.change, id: "7").body == #"{"status":"duplicate","event":"7"}"#)
      #expect(try await service.admin("events")["items"]?.array?.count == 2)
    }
  }

  @Test("a type that no flow uses is ignored, whether it names a record or not")
  func ignored() async throws {
    try await RunningService.run { service async throws in
      for (id, body) in [
        ("1", #"{"id":1,"type":"invoice.created","data":{"object":{"id":1}}}"#),
        ("2", #"{"id":2,"type":"invoice.created"}"#), ("3", #"{"id":3,"type":"Customer.Updated"}"#),
      ] {
        #expect(try await service.webhook(body).body == #"{"status":"ignored","event":"\#(id)"}"#)
      }
      #expect(
        try await service.callback(#"{"type":"project.created"}"#, id: "p").body == #"{"status":"ignored","event":"p"}"#
      )
    }
  }
}
