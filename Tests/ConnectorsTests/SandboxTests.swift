import Connectors
import EventLoop
import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Signatures
import Sync
import Testing

@Suite("Against the sandbox, over sockets", .timeLimit(.minutes(1)))
final class SandboxTests {
  private let loop: EventLoop
  private let client: HTTPClient

  init() throws {
    loop = try EventLoop()
    client = try HTTPClient(loop: loop)
  }

  deinit {
    client.shutdown()
    loop.stop()
  }

  private func sandbox(customers: Int = 0) async throws -> RunningSandbox {
    var options = SandboxOptions()
    options.customers = customers
    return try await Sandbox.start(options)
  }

  private func invoiced(_ sandbox: RunningSandbox, key: String = "sandbox-key") -> InvoicedConnector {
    InvoicedConnector(url: sandbox.invoiced.url, apiKey: Secret(key), transport: client, now: { noon })
  }

  private func pms(_ sandbox: RunningSandbox, token: String = "sandbox-token") -> PMSConnector {
    PMSConnector(
      PMSEndpoint(url: sandbox.pms.url, authentication: .bearer(token: Secret(token))), transport: client,
      now: { noon })
  }

  @Test("Invoiced's customers are created, found, changed, listed and deleted")
  func invoicedLife() async throws {
    let sandbox = try await sandbox()
    let connector = invoiced(sandbox)
    let record: JSONValue = [
      "name": "\u{c5}se & S\u{f8}nn", "number": "N-1", "metadata": ["pms_id": "C/1 \u{f8}", "segment": "a"],
    ]
    let written = try await connector.create(record, idempotencyKey: "key-000001")
    let id = try #require(written.id)
    #expect(written.observation?.version != nil)
    for (property, value) in [("number", "N-1"), ("name", "\u{c5}se & S\u{f8}nn"), ("metadata.pms_id", "C/1 \u{f8}")] {
      #expect(try await connector.find(path(property), .string(value)).map(\.key.id) == [id], "\(property)")
    }
    #expect(try await connector.find(path("number"), "N-2").isEmpty)
    guard case .found(let base) = try await connector.fetch(id) else {
      Issue.record("not there")
      return
    }
    let changed = try await connector.update(
      [set("city", "Oslo"), set("metadata.segment", "b"), set("metadata.pms_id", .null), set("metadata.n", 5)],
      of: base, idempotencyKey: "key-000002")
    #expect(changed.observation?.record["metadata"] == ["segment": "b", "n": "5"])
    #expect(changed.observation?.record["city"] == "Oslo")
    #expect(changed.before?.record["metadata"]?["segment"] == "a")
    let events = try await connector.events(since: Timestamp(milliseconds: 0), relatedTo: id)
    #expect(events?.compactMap { $0["type"]?.string } == ["customer.created", "customer.updated"])
    #expect(!(events?.contains { $0.text.contains("statement_url") } ?? true))
    try await connector.delete(id, etag: nil)
    #expect(try await connector.fetch(id) == .gone(status: 404))
    try await connector.delete(id, etag: nil)
    #expect(connector.clockOffset != nil)
    await sandbox.stop()
  }

  @Test("Invoiced's list is followed to its end, whole and by changes")
  func invoicedLists() async throws {
    let sandbox = try await sandbox(customers: 230)
    let connector = invoiced(sandbox)
    #expect(Set(try await everything(connector)).count == 230)
    #expect(Set(try await everything(connector, since: Timestamp(milliseconds: 1000))).count == 230)
    #expect(try await everything(connector, since: Timestamp(milliseconds: 4_000_000_000_000)).isEmpty)
    #expect(try await connector.list(updatedSince: nil, cursor: nil).total == 230)
    await sandbox.stop()
  }

  @Test("Invoiced's refusals name the property, and its echo of our key stays masked")
  func invoicedRefusals() async throws {
    let sandbox = try await sandbox()
    let connector = invoiced(sandbox)
    _ = try await connector.create(["name": "A", "number": "N-1"], idempotencyKey: "key-000001")
    let taken = await failure { () throws(ConnectorError) in
      try await connector.create(["name": "B", "number": "N-1"], idempotencyKey: "key-000002")
    }
    guard case .refused(.invoiced, 400, _, "number", nil) = taken else {
      Issue.record("\(String(describing: taken))")
      return
    }
    let stranger = await failure { () throws(ConnectorError) in
      try await self.invoiced(sandbox, key: "not-the-sandbox-key").probe()
    }
    #expect(stranger?.status == 401)
    #expect(!(stranger?.description.contains("not-the-sandbox-key") ?? true))
    try await connector.probe()
    await sandbox.stop()
  }

  @Test("the PMS's records are created, found, changed by version, listed and deleted")
  func pmsLife() async throws {
    let sandbox = try await sandbox()
    let connector = pms(sandbox)
    let written = try await connector.create(
      ["name": "\u{c5}se", "address": ["street": "a&b=c"], "n": .number(JSONNumber(9_007_199_254_740_993))],
      idempotencyKey: "key-000001")
    let base = try #require(written.observation)
    #expect(base.etag != nil && base.version != nil)
    #expect(try await connector.find(path("address.street"), "a&b=c").map(\.key) == [base.key])
    #expect(try await connector.find(path("n"), .number(JSONNumber(9_007_199_254_740_993))).map(\.key) == [base.key])
    let changed = try await connector.update(
      [set("address.street", .null), set("name", "B")], of: base, idempotencyKey: "key-000002")
    #expect(changed.observation?.record["address"] == [:])
    let stale = await failure { () throws(ConnectorError) in
      try await connector.update([set("name", "C")], of: base, idempotencyKey: "key-000003")
    }
    #expect(stale?.status == 412)
    let row = try #require(try await connector.list(updatedSince: nil, cursor: nil).items.first)
    #expect(row.etag == nil)
    let again = try await connector.update([set("name", "C")], of: row, idempotencyKey: "key-000004")
    #expect(again.observation?.record["name"] == "C" && again.before?.record["name"] == "B")
    try await connector.delete(base.key.id, etag: again.observation?.etag)
    #expect(try await connector.fetch(base.key.id) == .gone(status: 410))
    await sandbox.stop()
  }

  @Test("the PMS's list is followed to its end, whole and by changes")
  func pmsLists() async throws {
    let sandbox = try await sandbox()
    let connector = pms(sandbox)
    for index in 0..<205 {
      _ = try await connector.create(["name": .string("N\(index)")], idempotencyKey: "key-\(100_000 + index)")
    }
    let ids = try await everything(connector)
    #expect(ids.count == 205 && Set(ids).count == 205)
    #expect(try await everything(connector, since: Timestamp(milliseconds: 1000)).count == 205)
    #expect(try await everything(connector, since: Timestamp(milliseconds: 4_000_000_000_000)).isEmpty)
    await sandbox.stop()
  }

  @Test("an outage is told apart from a refusal")
  func outages() async throws {
    let sandbox = try await sandbox()
    let connector = pms(sandbox)
    sandbox.pms.system.setOutage(.refused)
    let reset = await failure { () throws(ConnectorError) in try await connector.probe() }
    guard case .unanswered(.pms, _) = reset else {
      Issue.record("\(String(describing: reset))")
      return
    }
    sandbox.pms.system.setOutage(.unavailable)
    #expect(await failure { () throws(ConnectorError) in try await connector.probe() }?.status == 503)
    await sandbox.stop()
    let away = await failure { () throws(ConnectorError) in try await connector.probe() }
    guard case .notSent(.pms, _) = away else {
      Issue.record("\(String(describing: away))")
      return
    }
  }
}
