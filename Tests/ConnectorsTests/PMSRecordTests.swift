import Connectors
import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Testing

@Suite("The PMS's records", .timeLimit(.minutes(1)))
struct PMSRecordTests {
  private static let root = "https://pms.test/api/v1"
  private let base = observed(.pms, "C-1", ["id": "C-1", "name": "A", "tags": ["x", "y"]], etag: "\"v1\"")

  @Test(
    "are fetched by ids that can't break out of the path",
    arguments: [
      ("C-1", "C-1"), ("a/b", "a%2Fb"), ("a?b=c#d", "a%3Fb%3Dc%23d"), ("../events", "..%2Fevents"),
      ("\u{f8}\u{1F600}", "%C3%B8%F0%9F%98%80"), ("%2e%2e", "%252e%252e"), ("a b\r\nX: y", "a%20b%0D%0AX%3A%20y"),
      ("9007199254740993", "9007199254740993"), ("{id}", "%7Bid%7D"), ("...", "..."),
    ])
  func ids(id: String, segment: String) async throws {
    let transport = ScriptedTransport { _, _ in .success(.json("{}", status: 404)) }
    let connector = PMSConnector.make(transport)
    #expect(try await connector.fetch(RecordID(id)) == .gone(status: 404))
    try await connector.delete(RecordID(id), etag: nil)
    #expect(transport.lines == ["GET", "DELETE"].map { "\($0) \(Self.root)/customers/\(segment)" })
  }

  @Test("have no id that is a folder", arguments: ["", ".", ".."])
  func folders(id: String) async {
    let transport = ScriptedTransport()
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport).fetch(RecordID(id))
    }
    #expect(error == .unsendable(.pms, property: nil, reason: "the id '\(id)' can't stand in a URL"))
    #expect(transport.asked.isEmpty)
  }

  @Test(
    "carry id, version and ETag",
    arguments: [
      (#"{"id":"C-1","updated_at":"2026-03-01T12:00:00.123456789Z"}"#, "C-1", Int64(1_772_366_400_123_456_789)),
      (#"{"id":9007199254740993,"updated_at":1772366400}"#, "9007199254740993", 1_772_366_400_000_000_000),
      (#"{"id":"C-1","updated_at":1772366400.5}"#, "C-1", 1_772_366_400_500_000_000),
      (#"{"id":"C-1","updated_at":-0.5}"#, "C-1", -500_000_000),
      (#"{"id":"C-1","updated_at":null}"#, "C-1", nil), (#"{"id":"C-1","updated_at":"yesterday"}"#, "C-1", nil),
      (#"{"id":"C-1","updated_at":99999999999999}"#, "C-1", nil),
    ])
  func versions(body: String, id: String, nanoseconds: Int64?) async throws {
    let transport = ScriptedTransport(.json(body, ["ETag": " \"v7\" "]))
    guard case .found(let seen) = try await PMSConnector.make(transport).fetch(RecordID(id)) else {
      Issue.record("not found")
      return
    }
    #expect(seen.key.id.text == id)
    #expect(seen.version?.nanoseconds == nanoseconds)
    #expect(seen.etag == "\"v7\"")
  }

  @Test("take and give no ETag where the configuration says so")
  func withoutETags() async throws {
    let transport = ScriptedTransport(.json(#"{"id":"C-1","name":"B"}"#, ["ETag": "\"v2\""]), HTTPResponse(status: 204))
    let connector = PMSConnector.make(transport, .none, PMSEntity(etag: false))
    let written = try await connector.update([set("name", "B")], of: base, idempotencyKey: "key-123456")
    #expect(written.observation?.etag == nil)
    try await connector.delete(RecordID("C-1"), etag: "\"v1\"")
    #expect(transport.asked.allSatisfy { $0.headers["If-Match"] == nil })
    #expect(!connector.abilities.hasETags)
  }

  @Test("are patched with just what changed, against the version that was seen")
  func patches() async throws {
    let transport = ScriptedTransport(.json(#"{"id":"C-1","name":"B"}"#, ["ETag": "\"v2\""]))
    var entity = PMSEntity()
    entity.update.contentType = "application/merge-patch+json"
    let written = try await PMSConnector.make(transport, .none, entity).update(
      [set("name", "B"), set("address.street", .null), set("tags[1]", "z")], of: base, idempotencyKey: "key-123456")
    #expect(transport.lines == ["PATCH \(Self.root)/customers/C-1"])
    #expect(transport.bodies == [["name": "B", "address": ["street": .null], "tags": ["x", "z"]]])
    let headers = transport.asked[0].headers
    #expect(headers["If-Match"] == "\"v1\"" && headers["Idempotency-Key"] == "key-123456")
    #expect(headers["Content-Type"] == "application/merge-patch+json")
    #expect(written.observation?.etag == "\"v2\"")
    #expect(written.observation?.source == .answer)
  }

  @Test("pass a refused precondition on")
  func precondition() async {
    let transport = ScriptedTransport(.json(#"{"title":"Precondition Failed"}"#, status: 412))
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport).update([set("name", "B")], of: base, idempotencyKey: "key-123456")
    }
    #expect(error == .refused(.pms, status: 412, message: "Precondition Failed", property: nil, retryAfter: nil))
  }

  @Test("are read before a write where no version was seen, and not overwritten where they changed")
  func readsFirst() async throws {
    let transport = ScriptedTransport(
      .json(#"{"id":"C-1","name":"A","x":1}"#, ["ETag": "\"v5\""]), .json(#"{"id":"C-1","name":"B"}"#),
      .json(#"{"id":"C-1","name":"theirs"}"#, ["ETag": "\"v6\""]))
    let connector = PMSConnector.make(transport)
    let row = observed(.pms, "C-1", ["id": "C-1", "name": "A"])
    let written = try await connector.update([set("name", "B")], of: row, idempotencyKey: "key-123456")
    #expect(transport.asked[1].headers["If-Match"] == "\"v5\"")
    #expect(written.before?.record["x"] == 1)
    let error = await failure { () throws(ConnectorError) in
      try await connector.update([set("name", "B")], of: row, idempotencyKey: "key-123457")
    }
    #expect(error?.status == 412)
    #expect(transport.lines.map { $0.prefix(3) } == ["GET", "PAT", "GET"])
  }

  @Test("aren't read before a write on a side that gives no ETags")
  func learnsETags() async throws {
    let transport = ScriptedTransport { _, _ in .success(.json(#"{"id":"C-1","name":"A"}"#)) }
    let connector = PMSConnector.make(transport)
    let row = observed(.pms, "C-1", ["id": "C-1", "name": "A"])
    for key in ["key-123456", "key-123457"] {
      _ = try await connector.update([set("name", "A")], of: row, idempotencyKey: key)
    }
    #expect(transport.lines.map { $0.prefix(3) } == ["GET", "PAT", "PAT"])
  }

  @Test("are put whole, as they are now with the changes laid in")
  func puts() async throws {
    let transport = ScriptedTransport(
      .json(
        #"{"customer":{"id":"C-1","name":"A","theirs":1.10,"address":{"zip":"1","street":"S"}}}"#, ["ETag": "\"v8\""]),
      .json(#"{"customer":{"id":"C-1","name":"B"}}"#))
    var entity = PMSEntity(envelope: "customer")
    entity.update.method = .put
    let seen = observed(.pms, "C-1", ["id": "C-1", "name": "A", "address": ["street": "S"]])
    let written = try await PMSConnector.make(transport, .none, entity)
      .update([set("name", "B"), set("address.street", .null)], of: seen, idempotencyKey: "key-123456")
    #expect(transport.lines.map { $0.prefix(3) } == ["GET", "PUT"])
    #expect(
      String(decoding: transport.asked[1].body, as: UTF8.self)
        == #"{"customer":{"id":"C-1","name":"B","theirs":1.10,"address":{"zip":"1","street":null}}}"#)
    #expect(transport.asked[1].headers["If-Match"] == "\"v8\"")
    #expect(written.before?.etag == "\"v8\"")
    #expect(written.observation?.record["name"] == "B")
  }

  @Test("are created in the envelope, with the side's own idempotency header")
  func creates() async throws {
    let transport = ScriptedTransport(.json(#"{"customer":{"id":5,"name":"A"}}"#, status: 201, ["ETag": "\"1\""]))
    let entity = PMSEntity(idempotencyHeader: "X-Request-Key", envelope: "customer")
    let written = try await PMSConnector.make(transport, .none, entity)
      .create(["name": "A"], idempotencyKey: "key-123456")
    #expect(transport.lines == ["POST \(Self.root)/customers"])
    #expect(transport.bodies == [["customer": ["name": "A"]]])
    #expect(transport.asked[0].headers["X-Request-Key"] == "key-123456")
    #expect(transport.asked[0].headers["If-Match"] == nil)
    #expect(written.id == RecordID("5") && written.observation?.etag == "\"1\"")
    let plain = ScriptedTransport(.json(#"{"id":5,"name":"A"}"#, status: 201))
    _ = try await PMSConnector.make(plain, .none, PMSEntity(idempotencyHeader: nil))
      .create(["name": "A"], idempotencyKey: "key-123456")
    #expect(plain.asked[0].headers["Idempotency-Key"] == nil)
  }

  @Test(
    "are not seen in an answer without them, which may still tell the id",
    arguments: [
      (HTTPResponse(status: 204), String?.none), (.json(#"{"id":5}"#, status: 201), "5"),
      (.json(#"{"id":"C-9","updated_at":"2026-03-01T12:00:00Z"}"#), "C-9"),
      (.json(#"{"id":5,"status":"created"}"#), "5"),
      (.json("null"), nil), (.json(#"{"ok":true}"#), nil), (.json(#""created""#), nil),
      (HTTPResponse(status: 201, headers: ["Location": "/api/v1/customers/a%2Fb?x=1"]), "a/b"),
      (HTTPResponse(status: 201, headers: ["Location": "https://pms.test/api/v1/customers/C-7/"]), "C-7"),
      (HTTPResponse(status: 201, headers: ["Location": "/api/v1/customers"]), nil),
      (HTTPResponse(status: 201, headers: ["Location": "https://evil.test/customers/C-7"]), nil),
      (.json(#"{"id":5}"#, status: 201, ["Location": "/api/v1/customers/6"]), "5"),
    ])
  func receipts(response: HTTPResponse, id: String?) async throws {
    let written = try await PMSConnector.make(ScriptedTransport(response))
      .create(["name": "A"], idempotencyKey: "key-123456")
    #expect(written.id?.text == id)
    #expect(written.observation == nil)
  }

  @Test("are not seen in an answer about another record")
  func otherRecord() async throws {
    let transport = ScriptedTransport(.json(#"{"id":"C-2","name":"B"}"#))
    let written = try await PMSConnector.make(transport)
      .update([set("name", "B")], of: base, idempotencyKey: "key-123456")
    #expect(written == Written(id: RecordID("C-1"), observation: nil))
  }

  @Test("are not known to be written by a page that answers 200")
  func pages() async {
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(ScriptedTransport(.html)).create(["name": "A"], idempotencyKey: "key-123456")
    }
    guard case .unreadable(.pms, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("are deleted against the version that was seen, and a 404 is done", arguments: [200, 202, 204, 404, 410])
  func deletes(status: Int) async throws {
    let transport = ScriptedTransport(HTTPResponse(status: status))
    try await PMSConnector.make(transport).delete(RecordID("C-1"), etag: "\"v1\"")
    #expect(transport.lines == ["DELETE \(Self.root)/customers/C-1"])
    #expect(transport.asked[0].headers["If-Match"] == "\"v1\"")
    #expect(transport.asked[0].headers["Idempotency-Key"] == nil)
  }

  @Test("are not known to be deleted by a page that answers 200")
  func deletedByPage() async {
    let deleted = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(ScriptedTransport(.html)).delete(RecordID("C-1"), etag: nil)
    }
    guard case .unreadable(.pms, _) = deleted else {
      Issue.record("\(String(describing: deleted))")
      return
    }
  }

  @Test("tell their id without the envelope too")
  func bareID() async throws {
    let transport = ScriptedTransport(.json(#"{"id":"C-9"}"#, status: 201))
    let written = try await PMSConnector.make(transport, .none, PMSEntity(envelope: "customer"))
      .create(["name": "A"], idempotencyKey: "key-123456")
    #expect(written == Written(id: RecordID("C-9"), observation: nil))
  }

  @Test("are read from a callback as from the API")
  func callbacks() {
    let connector = PMSConnector.make(ScriptedTransport())
    let seen = connector.observation(of: ["id": 5, "updated_at": 7], source: .payload, at: noon)
    #expect(seen?.key == RecordKey(.pms, RecordID("5")))
    #expect(seen?.version == Version(seconds: 7))
    #expect(connector.observation(of: ["name": "A"], source: .payload, at: noon) == nil)
  }
}
