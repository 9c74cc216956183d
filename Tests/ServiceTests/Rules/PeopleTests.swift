import HTTP
import HTTPClient
import JSON
import Logging
import Mapping
import Sandbox
import Store
import Sync
import Synchronization
import Testing

@testable import Service

/// Keeps all that is logged.
private final class LogSink: LogHandler, Sendable {
  private let kept: Mutex<[String]>
  private let level: Logger.Level

  init(_ level: Logger.Level) {
    kept = Mutex([])
    self.level = level
  }

  var lines: [String] { kept.withLock { $0 } }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { level }
    set {}
  }
  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    kept.withLock { $0.append("\(event.message) \(event.metadata ?? [:]) \(event.error.map { "\($0)" } ?? "")") }
  }
}

@Suite("rule 24: people's data and trust")
struct PeopleTests {
  private static let value = "Kari Nordmann 4711"

  /// A day with a link, an edit, a misfit, a refusal and a failure, all with a person's name in them.
  private func day(_ logger: Logger, _ body: (EngineBench, String, String) async throws -> Void) async throws {
    let rows =
      EngineBench.rows
      + "\n- { invoiced: language, pms: locale, type: string, convert: { values: { en: en-GB } } }"
    try await EngineBench.run(EngineBench.mapping(rows: rows), logger: logger) { bench in
      let (id, partner) = try await bench.linked([
        "name": .string(Self.value), "number": "A-1", "type": "company", "notes": .string(Self.value),
      ])
      try bench.change(.invoiced, id, ["language": "fr", "notes": .string(Self.value + " again")])
      try await bench.pass(.seconds(5))
      try bench.change(.invoiced, id, ["language": "en"])
      try await bench.pass(.seconds(5))
      let times = Times(3)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH", times.take() else { return nil }
        return .answer(500, ["detail": .string("could not save \(Self.value)")])
      }
      try bench.change(.invoiced, id, ["notes": .string(Self.value + " failing")])
      try await bench.pass(.seconds(60))
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH" else { return nil }
        return .answer(422, ["detail": .string("\(Self.value) is no note")])
      }
      try bench.change(.invoiced, id, ["notes": .string(Self.value + " refused")])
      try await bench.pass(.seconds(60))
      #expect(try await bench.holds().map(\.cause) == [.rejected])
      try await body(bench, id, partner)
    }
  }

  @Test("customers' values reach the log at trace only", arguments: [Logger.Level.debug, .trace])
  func log(level: Logger.Level) async throws {
    let sink = LogSink(level)
    try await day(Logger(label: "test") { _ in sink }) { _, _, _ in }
    #expect(!sink.lines.isEmpty)
    let telling = sink.lines.filter { $0.contains(Self.value) }
    #expect(telling.isEmpty == (level == .debug), "\(telling)")
  }

  @Test("secrets, and Invoiced's addresses that hold a token, are in no event, record, hold, history or log")
  func secrets() async throws {
    let sink = LogSink(.trace)
    try await day(Logger(label: "test") { _ in sink }) { bench, id, _ in
      #expect(try bench.record(.invoiced, id)["statement_url"]?.string?.isEmpty == false)
      _ = try await bench.walk()
      var kept = try await bench.store.events(ListQuery(limit: 1000)).items.map {
        String(decoding: $0.event.body, as: UTF8.self)
      }
      kept += try await bench.store.records(on: .invoiced, after: nil, limit: 100).map { $0.last?.record.text ?? "" }
      kept += try await bench.waiting().map { "\($0)" }
      kept += try await bench.history().map { "\($0)" }
      kept += sink.lines
      let url = try #require(bench.record(.invoiced, id)["statement_url"]?.string)
      for secret in [url, "sandbox-key", "sandbox-token", "sandbox-webhook-secret", "c2FuZGJveC1jYWxs"] {
        #expect(!kept.contains { $0.contains(secret) || $0.replacing("\\/", with: "/").contains(secret) }, "\(secret)")
      }
    }
  }

  @Test("a forgotten customer is erased everywhere, kept apart, and its late events are answered and not stored")
  func forget() async throws {
    try await day(EngineBench.silent) { bench, id, partner in
      bench.transport.removeHooks()
      try bench.change(.invoiced, id, ["notes": .string(Self.value + " late")])
      let late = bench.withhold()
      try await bench.admin("POST", "forget", ["invoiced_id": .string(id)])
      for request in late { #expect(await bench.receive(request, from: .invoiced) == 200) }
      try bench.change(.pms, partner, ["notes": "from the PMS"])
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      #expect(try await bench.links().isEmpty)
      #expect(try await bench.history().allSatisfy { !"\($0)".contains(Self.value) })
      #expect(
        try await bench.store.events(ListQuery(limit: 1000)).items.allSatisfy {
          !String(decoding: $0.event.body, as: UTF8.self).contains(Self.value)
        })
      for side in Side.allCases {
        #expect(try await bench.store.records(on: side, after: nil, limit: 100).allSatisfy { $0.last == nil })
      }
      #expect(try await bench.waiting().isEmpty)
      // Both records are still there, and nothing is made or written for them.
      #expect(bench.invoiced.customers.count == 1 && bench.pms.customers.count == 1)
      #expect(try bench.record(.pms, partner)["notes"] == "from the PMS")
      #expect(try bench.record(.invoiced, id)["notes"] == .string(Self.value + " late"))
    }
  }
}
