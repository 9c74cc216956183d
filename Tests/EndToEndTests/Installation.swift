import EventLoop
import Foundation
import HTTP
import HTTPClient
import HTTPServer
import JSON
import Sandbox
import Signatures

/// Both simulated systems in this process, and the program's configuration beside its store.
final class Installation: Sendable {
  let folder: Folder
  let sandbox: RunningSandbox
  let options: SandboxOptions
  let client: HTTPClient
  let publicPort: Int
  let adminPort: Int
  private let loop: EventLoop

  var publicURL: String { "http://127.0.0.1:\(publicPort)" }

  init(customers: Int = 0) async throws {
    folder = try Folder()
    loop = try EventLoop()
    client = try HTTPClient(loop: loop, configuration: HTTPClientConfiguration(timeout: .seconds(10)))
    (publicPort, adminPort) = (try Self.freePort(), try Self.freePort())
    var options = SandboxOptions()
    options.customers = customers
    options.retryWebhooks(after: .milliseconds(200))
    options.invoiced.webhookURL = "http://127.0.0.1:\(publicPort)/webhooks/invoiced"
    options.pms.callbackURL = "http://127.0.0.1:\(publicPort)/callbacks/pms"
    self.options = options
    sandbox = try await Sandbox.start(options, loop: loop)
    let mapping = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../deploy/mapping.yaml")
    try folder.write(String(contentsOf: mapping, encoding: .utf8), "mapping.yaml")
    try folder.write(configuration(), "customer-sync.yaml")
  }

  func close() async {
    await sandbox.stop()
    client.shutdown()
    loop.stop()
  }

  func configuration(extra: String = "") -> String {
    """
    listen: "127.0.0.1:\(publicPort)"
    admin: { listen: "127.0.0.1:\(adminPort)" }
    store: sqlite:customer-sync.db
    mapping: mapping.yaml
    invoiced:
      url: \(sandbox.invoiced.url)
      api_key: \(options.invoiced.apiKey)
      webhook: { secrets: ["\(options.invoiced.webhookSecret)"] }
    pms:
      url: \(sandbox.pms.url)
      auth: { type: bearer, token: "\(options.pms.token)" }
      callback: { signature: { scheme: standard-webhooks, secrets: ["\(options.pms.callbackSecret)"] } }
    retry: { first: 50ms, most: 500ms }
    breaker: { probe: 200ms }
    confirm: 300ms
    \(extra)

    """
  }

  /// Starts `serve`, without waiting for it.
  func launch(environment: [String: String] = [:]) throws -> Program.Run {
    try Program.Run(["serve"], in: folder.url, environment: environment)
  }

  /// Starts `serve` and waits until it is ready.
  func serve() async throws -> Program.Run {
    let run = try launch()
    guard try await eventually({ try await self.isReady || !run.isRunning }), run.isRunning else {
      throw EndToEndError("serve did not become ready: \(run.standardError)")
    }
    return run
  }

  var isReady: Bool {
    get async throws { (try? await get("\(publicURL)/readyz"))?.status == 200 }
  }

  func get(_ url: String) async throws -> HTTPResponse {
    try await client.send(HTTPRequest(method: "GET", target: url))
  }

  func admin(_ path: String) async throws -> JSONValue {
    try JSONValue(parsing: try await get("http://127.0.0.1:\(adminPort)/admin/v1/\(path)").body)
  }

  /// Sends an Invoiced webhook as it would; the answer, or nil where none came.
  func post(event id: String, type: String = "customer.updated", record: JSONValue) async throws -> HTTPResponse? {
    let now = Int64(Date().timeIntervalSince1970)
    let body = """
      {"id":\(id),"timestamp":\(now),"type":"\(type)","data":{"object":\(record.text),"previous":{}}}
      """
    let bytes = Array(body.utf8)
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    let signature = try signatureHeaders(
      scheme: .invoiced, secret: Secret(options.invoiced.webhookSecret), id: id, timestamp: now, body: bytes)
    for (name, value) in signature { headers.add(name, value) }
    return try? await client.send(
      HTTPRequest(method: "POST", target: "\(publicURL)/webhooks/invoiced", headers: headers, body: bytes))
  }

  /// Waits until nothing is under way and both sides' counts of writes have stood still.
  func settle() async throws -> Bool {
    var (last, since) = ([-1, -1], ContinuousClock.now)
    return try await eventually(within: 40) {
      let pending = sandbox.invoiced.system.stats.pending + sandbox.pms.system.stats.pending
      let inbox = try? await admin("status")["inbox"]?.int64
      let now = [writes(sandbox.invoiced.system.stats), writes(sandbox.pms.system.stats)]
      if pending > 0 || inbox != 0 || now != last { (last, since) = (now, ContinuousClock.now) }
      return ContinuousClock.now - since >= .milliseconds(300)
    }
  }

  func writes(_ stats: SandboxStats) -> Int {
    ["POST", "PATCH", "PUT", "DELETE"].reduce(0) { $0 + stats.requests($1) }
  }

  /// A port that was free a moment ago, below those from which the system takes the ports of outgoing connections:
  /// nobody gets it by chance while the program is down.
  private static func freePort() throws -> Int {
    let loop = try EventLoop()
    defer { loop.stop() }
    for port in (10_000..<32_000).shuffled().prefix(100) {
      let address = ListenAddress(host: "127.0.0.1", port: port)
      let server = try? HTTPServer(configuration: HTTPServerConfiguration(address: address), loop: loop) {
        $1.respond(HTTPResponse(status: 404))
      }
      if let server { return server.port }
    }
    throw EndToEndError("no port is free")
  }
}

struct EndToEndError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
