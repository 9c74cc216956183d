import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 10: no loss by normalising")
struct NearTests {
  private static func number(_ text: String) -> JSONValue { JSONNumber(validating: text).map { .number($0) } ?? .null }

  /// What the PMS makes of what is sent.
  private static let made: [(property: String, sent: JSONValue, path: String, kept: JSONValue)] = [
    ("notes", "a very long note", "notes", "a very"), ("city", "Oslo  Sentrum", "address.city", "Oslo Sentrum"),
    ("name", "Acme AS", "name", "ACME AS"), ("credit_limit", number("12.345"), "credit.limit", number("12.35")),
  ]

  @Test("a near value is never written back, by no event, no look and no restart", arguments: made)
  func near(property: String, sent: JSONValue, path: String, kept: JSONValue) async throws {
    let path = try #require(JSONPath(path))
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      bench.transport.add { [transport = bench.transport] side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH", var body = request.json, body[path] == sent else { return nil }
        body.set(kept, at: path)
        var rest = request
        rest.body = body.serialized
        return try transport.carryOut(rest, side)
      }
      if property == "name" { try bench.change(.invoiced, id, ["name": "Before"]) }
      try await bench.pass(.seconds(10))
      try bench.change(.invoiced, id, JSONValue.object(JSONObject([(property, sent)])))
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)[path] == kept)
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      for round in 0..<3 {
        if round == 2 { try await bench.restart() }
        try await bench.look(.pms, partner)
        try await bench.look(.invoiced, id)
        try await bench.pass(.seconds(3600))
      }
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
      #expect(try bench.record(.invoiced, id)[property] == sent)
      #expect(try await bench.holds().isEmpty)
      // An edit of another property takes nothing along.
      try bench.change(.pms, partner, ["segment": "gold"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.invoiced, id)["metadata"]?["segment"] == "gold")
      #expect(try bench.record(.invoiced, id)[property] == sent)
    }
  }
}
