import Connectors
import EventLoop
import Foundation
import HTTP
import HTTPServer
import JSON
import Logging
import Mapping
import Sandbox
import Store
import Sync
import Synchronization
import Testing

@testable import Service

/// The engine on a store of its own against both simulated systems, whose webhooks go nowhere: what it knows, it knows by
/// walking.
final class WalkBench: Sendable {
  let directory: String
  let sandbox: RunningSandbox
  let core: ServiceCore
  private let work: Task<Void, Never>
  private let isClosed = Mutex(false)

  var invoiced: SandboxSide<InvoicedSandbox> { sandbox.invoiced }
  var pms: SandboxSide<PMSSandbox> { sandbox.pms }
  var store: any Store { core.store }

  private init(_ directory: String, _ sandbox: RunningSandbox, _ core: ServiceCore) {
    (self.directory, self.sandbox, self.core) = (directory, sandbox, core)
    work = Task { await core.engine.run(walksBySchedule: false) }
  }

  /// - Parameter entity: Settings of the PMS's entity.
  static func configuration(
    _ sandbox: RunningSandbox, _ directory: String, _ extra: String = "", entity: String = ""
  ) throws -> Configuration {
    let text = """
      store: sqlite:store.db
      mapping: mapping.yaml
      admin: { listen: "127.0.0.1:1" }
      invoiced:
        url: \(sandbox.invoiced.url)
        api_key: sandbox-key
        webhook: { secrets: [sandbox-webhook-secret] }
      pms:
        url: \(sandbox.pms.url)
        auth: { type: bearer, token: sandbox-token }
        callback: { signature: { scheme: standard-webhooks, secrets: ["whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="] } }
        entities: { customer: { \(entity) } }
      confirm: 50ms
      retry: { first: 20ms, most: 100ms }
      breaker: { probe: 100ms }
      \(extra)

      """
    try text.write(toFile: directory + "/customer-sync.yaml", atomically: true, encoding: .utf8)
    let file = directory + "/customer-sync.yaml"
    return try #require(Configuration.load(file: file, environment: [:]).0)
  }

  /// Opens the store in `directory` and sets the engine to work.
  static func open(
    _ sandbox: RunningSandbox, in directory: String, mapping text: String = AdminBench.mapping, entity: String = ""
  ) throws -> WalkBench {
    try text.write(toFile: directory + "/mapping.yaml", atomically: true, encoding: .utf8)
    let configuration = try configuration(sandbox, directory, entity: entity)
    let mapping = try #require(MappingLoader.load(configuration.mapping).0)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return WalkBench(
      directory, sandbox, try ServiceCore(configuration, mapping: mapping, logger: logger, purpose: "test"))
  }

  /// Stops the engine as a kill would leave it, and opens the store anew.
  func reopened(mapping: String = AdminBench.mapping) async throws -> WalkBench {
    await closeStore()
    return try Self.open(sandbox, in: directory, mapping: mapping)
  }

  func closeStore() async {
    let wasClosed = isClosed.withLock { isClosed in
      defer { isClosed = true }
      return isClosed
    }
    if wasClosed { return }
    work.cancel()
    await core.engine.rest()
    await work.value
    await core.close()
  }

  func stop() async {
    await closeStore()
    await sandbox.stop()
    try? FileManager.default.removeItem(atPath: directory)
  }

  static func with(
    customers: Int = 0, mapping: String = AdminBench.mapping, entity: String = "",
    _ body: (WalkBench) async throws -> Void
  ) async throws {
    var options = SandboxOptions()
    options.customers = customers
    let sandbox = try await Sandbox.start(options)
    let bench = try open(sandbox, in: try AdminBench.directory(), mapping: mapping, entity: entity)
    do {
      try await body(bench)
      await bench.stop()
    } catch {
      await bench.stop()
      throw error
    }
  }

  /// Walks, and waits until what was found is done.
  @discardableResult
  func walk(_ request: WalkRequest) async throws -> WalkRun.Progress {
    let run = core.engine.walks.start(request)
    while !run.isOver { try await Task.sleep(for: .milliseconds(5)) }
    return run.progress
  }

  func reconcile(full: Bool = false) async throws -> WalkRun.Progress { try await walk(.reconcile(full: full)) }

  var pushes: Int { Side.allCases.reduce(0) { $0 + writes($1) } }
  func writes(_ side: Side) -> Int {
    let stats = side == .invoiced ? invoiced.system.stats : pms.system.stats
    return ["POST", "PATCH", "PUT", "DELETE"].reduce(0) { $0 + stats.requests($1) }
  }

  /// A company on Invoiced that nobody told of.
  @discardableResult
  func company(_ number: Int, _ name: String? = nil) throws -> JSONValue {
    try invoiced.create(
      ["name": .string(name ?? "Company \(number)"), "number": .string("C-\(number)"), "type": "company"], silent: true)
  }

  /// Makes `place` that of a pass that was broken off just now, before a last page that is empty.
  func atTheEnd(_ place: inout PassPlace) async throws {
    place.newest = try await store.newestNumber()
    place.cursor = .init(text: #"{"target":"/customers?page=9&per_page=100","remembered":"","steps":0,"patience":0}"#)
    place.mapping = FlowDigests(core.context.mapping).text
    place.keptAt = core.context.clock.now
    place.began = core.context.clock.now
  }

  /// What the sandbox's page does.
  func page(_ side: Side, _ path: String, _ body: JSONValue) {
    let request = HTTPRequest(
      method: "POST", target: "/_sandbox/" + path, headers: ["Content-Type": "application/json"], body: body.serialized)
    _ = side == .invoiced ? invoiced.system.handle(request, now: 0) : pms.system.handle(request, now: 0)
  }
}

extension WalkRun.Progress {
  var pushed: Int { pushes.values.flatMap(\.values).reduce(0, +) }
}
