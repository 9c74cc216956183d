import EventLoop
import Foundation
import HTTP
import HTTPClient
import JSON
import Logging
import Sandbox
import Service
import Testing

/// The whole service against the simulated systems, in a directory of its own, and a client of its admin listener.
final class AdminBench: Sendable {
  static let token = "s3cret-admin-token"
  static let mapping = """
    flows:
      - name: companies
        title: Companies
        invoiced: { object: customer, where: { type: company } }
        pms: { entity: customer, where: { kind: company } }
        match:
          - { invoiced: number, pms: customer_number }
        reference: { invoiced: metadata.pms_id, pms: invoiced_id }
        conflict: manual
        properties:
          - { invoiced: name,   pms: name,            type: string }
          - { invoiced: number, pms: customer_number, type: string }
          - { invoiced: notes,  pms: notes,           type: string }

    """

  let directory: String
  let sandbox: RunningSandbox
  let service: SyncService
  let hasToken: Bool
  private let loop: EventLoop
  private let client: HTTPClient

  var base: String { "http://127.0.0.1:\(service.adminPort)" }
  /// For commands: names the port that the admin listener got.
  var configurationFile: String { directory + "/customer-sync.yaml" }

  /// - Parameters:
  ///   - flow: More lines of the flow.
  ///   - settings: More lines of the configuration.
  static func start(
    hasToken: Bool = true, in directory: String? = nil, sandbox known: RunningSandbox? = nil, flow: String = "",
    settings: String = ""
  ) async throws -> AdminBench {
    var options = SandboxOptions()
    options.retryWebhooks(after: .milliseconds(50))
    let sandbox: RunningSandbox
    if let known { sandbox = known } else { sandbox = try await Sandbox.start(options) }
    let place = try directory ?? Self.directory()
    return try await AdminBench(place, sandbox, hasToken, mapping + flow, settings)
  }

  static func directory() throws -> String {
    let place = NSTemporaryDirectory() + "/customer-sync-admin-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    return place
  }

  private init(
    _ directory: String, _ sandbox: RunningSandbox, _ hasToken: Bool, _ text: String, _ settings: String
  ) async throws {
    self.directory = directory
    self.sandbox = sandbox
    self.hasToken = hasToken
    loop = try EventLoop()
    client = try HTTPClient(loop: loop)
    try text.write(toFile: directory + "/mapping.yaml", atomically: true, encoding: .utf8)
    let file = directory + "/customer-sync.yaml"
    let urls = (invoiced: sandbox.invoiced.url, pms: sandbox.pms.url)
    try (Self.configuration(urls, admin: 0, hasToken) + settings).write(toFile: file, atomically: true, encoding: .utf8)
    let configuration = try #require(Configuration.load(file: file, environment: [:]).0)
    let mapping = try #require(MappingLoader.load(configuration.mapping).0)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    service = try await SyncService.start(configuration, mapping: mapping, logger: logger)
    try (Self.configuration(urls, admin: service.adminPort, hasToken) + settings)
      .write(toFile: file, atomically: true, encoding: .utf8)
    let target = "http://127.0.0.1:\(service.publicPort)"
    _ = try await send(
      "POST", sandbox.invoiced.url + "/_sandbox/webhooks", ["url": .string(target + "/webhooks/invoiced")])
    _ = try await send("POST", sandbox.pms.url + "/_sandbox/webhooks", ["url": .string(target + "/callbacks/pms")])
  }

  static func configuration(_ urls: (invoiced: String, pms: String), admin: Int, _ hasToken: Bool) -> String {
    """
    listen: 127.0.0.1:0
    store: sqlite:store.db
    mapping: mapping.yaml
    drain: 2s
    admin: { listen: "127.0.0.1:\(admin)"\(hasToken ? ", token: \(token)" : "") }
    invoiced:
      url: \(urls.invoiced)
      api_key: sandbox-key
      webhook: { secrets: [sandbox-webhook-secret] }
    pms:
      url: \(urls.pms)
      auth: { type: bearer, token: sandbox-token }
      callback: { signature: { scheme: standard-webhooks, secrets: ["whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="] } }

    """
  }

  func send(_ method: String, _ url: String, _ body: JSONValue? = nil, _ headers: HTTPHeaders = [:]) async throws
    -> HTTPResponse
  {
    var headers = headers
    if body != nil, headers["Content-Type"] == nil { headers["Content-Type"] = "application/json" }
    return try await client.send(
      HTTPRequest(method: method, target: url, headers: headers, body: body?.serialized ?? []))
  }

  /// With the token, under `/admin/v1/`.
  func admin(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> HTTPResponse {
    try await send(method, base + "/admin/v1/" + path, body, ["Authorization": "Bearer \(Self.token)"])
  }

  func items(_ path: String) async throws -> [JSONValue] {
    try await admin("GET", path).json["items"]?.array ?? []
  }

  /// Asks until there is what is waited for; the suite's time limit ends a wait in vain.
  func wait<Value: Sendable>(_ body: () async throws -> Value?) async throws -> Value {
    while true {
      if let value = try await body() { return value }
      try await Task.sleep(for: .milliseconds(10))
    }
  }

  /// A company on both sides, linked.
  func link(_ name: String = "Acme", number: String = "CUST-1") async throws -> JSONValue {
    _ = try sandbox.invoiced.create(["name": .string(name), "number": .string(number), "type": "company"])
    return try await wait { try await self.items("links?limit=100").last }
  }

  func stop() async {
    await service.drain(within: .seconds(2))
    await sandbox.stop()
    client.shutdown()
    loop.stop()
  }

  /// Runs `body` and takes everything down after it.
  static func with(
    hasToken: Bool = true, flow: String = "", settings: String = "", _ body: (AdminBench) async throws -> Void
  ) async throws {
    let bench = try await start(hasToken: hasToken, flow: flow, settings: settings)
    do {
      try await body(bench)
      await bench.stop()
    } catch {
      await bench.stop()
      throw error
    }
    try? FileManager.default.removeItem(atPath: bench.directory)
  }
}

extension HTTPResponse {
  var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
  var text: String { String(decoding: body, as: UTF8.self) }
}
