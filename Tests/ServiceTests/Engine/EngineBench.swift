import Connectors
import Documents
import Foundation
import HTTP
import HTTPClient
import JSON
import Logging
import Mapping
import Sandbox
import SeededRandom
import Store
import Sync
import Synchronization
import Testing

@testable import Service

/// The real engine, intake, connectors and store between both simulated systems, on a clock that a test moves.
final class EngineBench: Sendable {
  let clock = ManualClock(Timestamp(milliseconds: 1_772_366_400_000))
  let invoiced: InvoicedSandbox
  let pms: PMSSandbox
  let transport: LocalTransport
  let store: SQLiteStore
  private let configuration: Configuration
  private let logger: Logger
  private let running: Mutex<Running>
  private let notices = Mutex((expected: 0, seen: 0))

  private struct Running: Sendable {
    var context: EngineContext
    var engine: Engine
    var work: Task<Void, Never>
    var intake: Intake
    var endpoints: [Side: EventEndpoint]
  }

  static let rows = """
    - { invoiced: name, pms: name, type: string }
    - { invoiced: number, pms: customer_number, type: string }
    - { invoiced: city, pms: address.city, type: string }
    - { invoiced: notes, pms: notes, type: string }
    - { invoiced: credit_limit, pms: credit.limit, type: decimal }
    - { invoiced: metadata.segment, pms: segment, type: string }
    """

  /// One flow, with `lines` in place of or beside what is usual.
  static func mapping(_ lines: String = "", rows: String = EngineBench.rows, where condition: Bool = true) -> String {
    let invoiced = condition ? "{ object: customer, where: { type: company } }" : "{ object: customer }"
    let pms = condition ? "{ entity: customer, where: { kind: company } }" : "{ entity: customer }"
    var text = "flows:\n  - name: companies\n    invoiced: \(invoiced)\n    pms: \(pms)\n"
    if !lines.contains("match:") { text += "    match: [{ invoiced: number, pms: customer_number }]\n" }
    if !lines.contains("reference:") {
      text += "    reference: { invoiced: metadata.pms_id, pms: invoiced_id }\n"
    }
    for line in lines.split(separator: "\n") { text += "    \(line)\n" }
    text += "    properties:\n"
    for line in rows.split(separator: "\n") { text += "      \(line)\n" }
    return text
  }

  static func read(_ mapping: String) throws -> Mapping {
    let (read, diagnostics) = MappingDocument.read(text: mapping, file: "mapping.yaml")
    return try #require(read, "\(diagnostics)")
  }

  static func run(
    _ mapping: String = EngineBench.mapping(), settings: String = "", pmsSettings: String = "",
    logger: Logger = EngineBench.silent, _ body: (EngineBench) async throws -> Void
  ) async throws {
    let bench = try EngineBench(mapping, settings, pmsSettings, logger)
    do { try await body(bench) } catch {
      await bench.close()
      throw error
    }
    await bench.close()
  }

  static let silent = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }

  private init(_ mapping: String, _ settings: String, _ pmsSettings: String, _ logger: Logger) throws {
    self.logger = logger
    var (invoicedOptions, pmsOptions) = (InvoicedOptions(), PMSOptions())
    invoicedOptions.webhookURL = "http://service.test/webhooks/invoiced"
    pmsOptions.callbackURL = "http://service.test/callbacks/pms"
    let generator = SeededGenerator(seed: 7)
    invoiced = InvoicedSandbox(invoicedOptions, generator: generator.stream(1))
    pms = PMSSandbox(pmsOptions, generator: generator.stream(2))
    transport = LocalTransport(clock: clock, invoiced: invoiced, pms: pms)
    store = try SQLiteStore(inMemory: { _ in })
    let callback = #"callback: { signature: { secrets: ["whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="] } }"#
    let text = """
      mapping: mapping.yaml
      invoiced:
        url: http://invoiced.test
        api_key: sandbox-key
        webhook: { secrets: [sandbox-webhook-secret] }
      pms:
        url: http://pms.test
        \(pmsSettings.contains("auth:") ? "" : "auth: { type: bearer, token: sandbox-token }")
        \(pmsSettings.contains("callback:") ? "" : callback)
      \(pmsSettings)
      \(settings)
      """
    let (read, problems) = Configuration.read(text: text, file: "/customer-sync.yaml", environment: [:])
    configuration = try #require(read, "\(problems)")
    let first = try Self.start(
      configuration, try Self.read(mapping), clock: clock, transport: transport, store: store, random: 1,
      logger: logger, notices: { _ in })
    running = Mutex(first)
    let heard = try heardIntake(first)
    running.withLock { $0.intake = heard }
  }

  private static func start(
    _ configuration: Configuration, _ mapping: Mapping, clock: ManualClock, transport: LocalTransport,
    store: SQLiteStore, random seed: UInt64, logger: Logger, notices: @escaping @Sendable (RecordKey) -> Void
  ) throws -> Running {
    let generator = Mutex(SeededGenerator(seed: seed))
    let random = RandomSource { count in
      generator.withLock { generator in
        (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 24) }
      }
    }
    let context = EngineContext(
      store: store,
      connectors: [
        .invoiced: InvoicedConnector(
          url: configuration.invoiced.url, apiKey: configuration.invoiced.apiKey, transport: transport,
          now: { clock.now }),
        .pms: PMSConnector(configuration.pms.endpoint, transport: transport, now: { clock.now }),
      ],
      reader: EventReader(pmsRecord: configuration.pms.callback.record), mapping: mapping,
      settings: EngineSettings(configuration), clock: clock, random: random, metrics: Metrics(), logger: logger)
    let engine = Engine(context: context)
    var endpoints: [Side: EventEndpoint] = [:]
    for endpoint in try EventEndpoint.all(configuration) { endpoints[endpoint.side] = endpoint }
    return Running(
      context: context, engine: engine, work: Task { await engine.run(walksBySchedule: false) },
      intake: Intake(store: store, clock: clock, metrics: context.metrics, logger: logger, accepted: notices),
      endpoints: endpoints)
  }

  private func heardIntake(_ now: Running) throws -> Intake {
    Intake(store: store, clock: clock, metrics: now.context.metrics, logger: now.context.logger) { [self] key in
      now.engine.notify(key)
      notices.withLock { $0.seen += 1 }
    }
  }

  var context: EngineContext { running.withLock { $0.context } }
  var engine: Engine { running.withLock { $0.engine } }

  /// Stops the engine as a crash would between two steps, and starts another one on the same store.
  func restart(_ mapping: String? = nil) async throws {
    let old = running.withLock { $0 }
    old.work.cancel()
    await old.engine.stop()
    await old.work.value
    let read = try mapping.map { try Self.read($0) } ?? old.context.mapping
    var new = try Self.start(
      configuration, read, clock: clock, transport: transport, store: store, random: 2, logger: logger,
      notices: { _ in })
    new.intake = try heardIntake(new)
    let started = new
    running.withLock { $0 = started }
  }

  func reload(_ mapping: String) async throws {
    let context = context
    context.replace(
      EngineContext.InForce(
        mapping: try Self.read(mapping),
        connectors: [.invoiced: context.connector(.invoiced), .pms: context.connector(.pms)], reader: context.reader,
        settings: context.settings))
    engine.reloaded()
    try await pass()
  }

  func close() async {
    let old = running.withLock { $0 }
    old.work.cancel()
    await old.engine.stop()
    await old.work.value
    await store.close()
  }

  // MARK: Time

  /// Lets time pass: webhooks are delivered and work is done when it is due.
  func pass(_ duration: Duration = .zero, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let end = clock.now.adding(duration)
    while true {
      try await quiet(sourceLocation)
      if try await deliver() { continue }
      let next = [clock.next, transport.nextDelivery.map { Timestamp(milliseconds: $0) }].compactMap(\.self).min()
      guard let next, next <= end else { break }
      clock.advance(to: next)
    }
    clock.advance(to: end)
    try await quiet(sourceLocation)
  }

  /// The engine has nothing to do until the time moves on: its four watchers sleep, and so do its workers.
  private func quiet(_ sourceLocation: SourceLocation) async throws {
    let engine = engine
    var calm = 0
    for attempt in 0..<20_000 {
      let isHeard = notices.withLock { $0.seen == $0.expected }
      calm = isHeard && engine.isIdle && clock.sleeping >= 4 ? calm + 1 : 0
      // A watcher that was just woken sleeps until its turn comes: it is given some.
      if calm == 5 { return }
      if calm > 0 || attempt < 100 { await Task.yield() } else { try await Task.sleep(for: .milliseconds(1)) }
    }
    Issue.record("the engine does not come to rest", sourceLocation: sourceLocation)
    throw CancellationError()
  }

  /// Sends the webhooks that are due; false when none is.
  @discardableResult
  func deliver() async throws -> Bool {
    let due = transport.takeDeliveries()
    for (side, delivery) in due {
      let system: any SimulatedSystem = side == .invoiced ? invoiced : pms
      guard let request = system.outgoing(delivery, now: clock.now.milliseconds) else { continue }
      let status = await receive(request, from: side)
      let later = system.settled(delivery, .answered(status: status), now: clock.now.milliseconds)
      transport.add(later, of: side)
    }
    return !due.isEmpty
  }

  /// The next such request is carried out, and its answer lost.
  func loseAnswer(to method: String, of side: Side) {
    let once = Times(1)
    transport.add { [transport] asked, request async throws(HTTPClientError) in
      guard asked == side, request.method == method, once.take() else { return nil }
      _ = try transport.carryOut(request, asked)
      throw .unanswered(host: "\(side.rawValue).test", cause: "reset")
    }
  }

  /// Webhooks that are due, kept back by the test.
  func withhold() -> [HTTPRequest] {
    transport.takeDeliveries().compactMap { side, delivery in
      let system: any SimulatedSystem = side == .invoiced ? invoiced : pms
      return system.outgoing(delivery, now: clock.now.milliseconds)
    }
  }

  @discardableResult
  func receive(_ request: HTTPRequest, from side: Side) async -> Int {
    let (intake, endpoint) = running.withLock { ($0.intake, $0.endpoints[side]!) }
    let response = await withCheckedContinuation { (continuation: CheckedContinuation<HTTPResponse, Never>) in
      notices.withLock { $0.expected += 1 }
      intake.receive(request, at: endpoint) { continuation.resume(returning: $0) }
    }
    let text = String(decoding: response.body, as: UTF8.self)
    if !text.contains("accepted") { notices.withLock { $0.expected -= 1 } }
    return response.status
  }

  // MARK: What people do on either side

  @discardableResult
  func edit(_ side: Side, _ method: String, _ path: String, _ body: JSONValue? = nil) throws -> JSONValue {
    let system: any SimulatedSystem = side == .invoiced ? invoiced : pms
    let answer = system.edit(
      HTTPRequest(
        method: method, target: path, headers: ["Content-Type": "application/json"], body: body?.serialized ?? []),
      now: clock.now.milliseconds)
    transport.add(answer.deliveries, of: side)
    let response = try #require(answer.response)
    try #require(200..<300 ~= response.status, "\(String(decoding: response.body, as: UTF8.self))")
    return (try? JSONValue(parsing: response.body)) ?? .null
  }

  func change(_ side: Side, _ id: String, _ patch: JSONValue, silent: Bool = false) throws {
    try edit(side, "PATCH", "/customers/\(id)\(silent ? "?silent=1" : "")", patch)
  }

  /// A customer of Invoiced and what became of it in the PMS, linked and at rest.
  func linked(_ record: JSONValue = ["name": "Acme AS", "number": "A-1", "type": "company"]) async throws -> (
    invoiced: String, pms: String
  ) {
    let made = try edit(.invoiced, "POST", "/customers", record)
    try await pass(.seconds(5))
    let id = try #require(made["id"]?.identifier)
    let link = try #require(
      await store.links(ListQuery(limit: 1000)).items.last { $0.invoiced.text == id }, "they were linked")
    return (id, link.pms.text)
  }

  func record(_ side: Side, _ id: String) throws -> JSONValue {
    let records = side == .invoiced ? invoiced.customers : pms.customers
    return try #require(records.first { $0["id"]?.identifier == id }, "\(side.rawValue):\(id)")
  }

  /// Looks at a record as a person's retry or a listing would let it.
  func look(_ side: Side, _ id: String) async throws {
    let key = RecordKey(side, RecordID(id))
    _ = try await store.append(NewEvent.look(at: key, now: clock.now, context.random))
    engine.notify(key)
    try await pass()
  }

  // MARK: What came of it

  /// Writes that the service made on a side.
  func writes(_ side: Side) -> Int {
    let stats = side == .invoiced ? invoiced.stats : pms.stats
    return ["POST", "PATCH", "PUT", "DELETE"].reduce(0) { $0 + stats.requests($1) }
  }

  /// All of them, by side and method: "invoiced PATCH 1, pms POST 1".
  var tally: String {
    let counts = [("invoiced", invoiced.stats), ("pms", pms.stats)].flatMap { side, stats in
      ["POST", "PATCH", "PUT", "DELETE"].filter { stats.requests($0) > 0 }
        .map { "\(side) \($0) \(stats.requests($0))" }
    }
    return counts.joined(separator: ", ")
  }

  /// Walks both sides' records while the time passes.
  @discardableResult
  func walk(_ request: WalkRequest = .reconcile(full: true)) async throws -> WalkRun.Progress {
    let run = engine.walks.start(request)
    for _ in 0..<10_000 where !run.isOver {
      try await pass(.milliseconds(100))
      await Task.yield()
    }
    try await pass()
    try #require(run.isOver)
    return run.progress
  }

  func holds(_ kind: Hold.Kind = .parked) async throws -> [Hold] {
    try await store.holds(kind, ListQuery(limit: 1000)).items
  }

  /// All that waits for a change or a person.
  func waiting() async throws -> [Hold] {
    var all: [Hold] = []
    for kind in Hold.Kind.allCases { all += try await holds(kind) }
    return all
  }

  func links() async throws -> [Link] { try await store.links(ListQuery(limit: 1000)).items }

  func history() async throws -> [HistoryEntry] { try await store.history(ListQuery(limit: 1000)).items.reversed() }

  /// The admin API's answer, as the commands ask it.
  @discardableResult
  func admin(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
    let api = AdminAPI(core: ServiceCore(context: context, engine: engine))
    let response = await api.answer(
      HTTPRequest(
        method: method, target: "/admin/v1/\(path)", headers: ["Content-Type": "application/json"],
        body: body?.serialized ?? []))
    try #require(200..<300 ~= response.status, "\(String(decoding: response.body, as: UTF8.self))")
    return try JSONValue(parsing: response.body)
  }
}
