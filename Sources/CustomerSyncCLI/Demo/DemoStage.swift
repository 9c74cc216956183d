import EventLoop
import Glibc
import HTTP
import HTTPClient
import JSON
import Logging
import Mapping
import Sandbox
import Service

/// Both simulated systems and the service in this process, on free loopback ports, with a store in a temporary
/// directory.
final class DemoStage: Sendable {
  let mapping: Mapping
  let sandbox: RunningSandbox
  let service: SyncService
  /// From the call to the service's listening.
  let startTime: Duration
  let directory: TemporaryDirectory
  private let client: HTTPClient
  private let loop: EventLoop

  var publicURL: String { "http://127.0.0.1:\(service.publicPort)" }
  var adminURL: String { "http://127.0.0.1:\(service.adminPort)" }
  var configurationFile: String { "\(directory.path)/customer-sync.yaml" }

  private init(
    mapping: Mapping, sandbox: RunningSandbox, service: SyncService, startTime: Duration,
    directory: TemporaryDirectory, loop: EventLoop, client: HTTPClient
  ) {
    self.mapping = mapping
    self.sandbox = sandbox
    self.service = service
    self.startTime = startTime
    self.directory = directory
    self.loop = loop
    self.client = client
  }

  static func open() async throws -> DemoStage {
    guard let directory = TemporaryDirectory(prefix: "customer-sync-demo-") else {
      throw DemoError("can't make a temporary directory: \(String(cString: strerror(errno))); set TMPDIR")
    }
    do { return try await open(in: directory) } catch {
      directory.remove()
      throw error
    }
  }

  private static func open(in directory: TemporaryDirectory) async throws -> DemoStage {
    let options = SandboxOptions()
    let loop = try EventLoop()
    let sandbox = try await Sandbox.start(options, loop: loop)
    do {
      let client = try HTTPClient(loop: loop)
      let (mapping, configuration) = try read(in: directory, configurationText(options, sandbox))
      let logger = Logger(label: "customer-sync") { _ in ConsoleLog(LogSettings(configuration.log)) }
      let clock = ContinuousClock()
      let start = clock.now
      let service = try await SyncService.start(configuration, mapping: mapping, logger: logger)
      let stage = DemoStage(
        mapping: mapping, sandbox: sandbox, service: service, startTime: clock.now - start, directory: directory,
        loop: loop, client: client)
      sandbox.invoiced.system.setWebhookURL("\(stage.publicURL)/webhooks/invoiced")
      sandbox.pms.system.setWebhookURL("\(stage.publicURL)/callbacks/pms")
      // With the ports that the system chose, so that the other commands find the service.
      _ = directory.write(
        configurationText(options, sandbox, ports: (service.publicPort, service.adminPort)), to: "customer-sync.yaml")
      return stage
    } catch {
      await sandbox.stop()
      loop.stop()
      throw error
    }
  }

  func close() async {
    await service.drain(within: .seconds(5))
    await sandbox.stop()
    client.shutdown()
    loop.stop()
    directory.remove()
  }

  private static func read(
    in directory: TemporaryDirectory, _ text: String
  ) throws -> (Mapping, Configuration) {
    let (file, mappingFile) = ("\(directory.path)/customer-sync.yaml", "\(directory.path)/mapping.yaml")
    let mappingText = String(decoding: PackageResources.default_mapping_yaml, as: UTF8.self)
    guard directory.write(mappingText, to: "mapping.yaml"), directory.write(text, to: "customer-sync.yaml") else {
      throw DemoError("can't write to \(directory.path): \(String(cString: strerror(errno))); set TMPDIR")
    }
    let (configuration, diagnostics) = Configuration.read(text: text, file: file, environment: [:])
    let (mapping, problems) = MappingLoader.load(mappingFile)
    guard let configuration, let mapping else {
      throw DemoError((diagnostics + problems).map(\.description).joined(separator: "\n"))
    }
    return (mapping, configuration)
  }

  private static func configurationText(
    _ options: SandboxOptions, _ sandbox: RunningSandbox, ports: (public: Int, admin: Int) = (0, 0)
  ) -> String {
    """
    listen: "127.0.0.1:\(ports.public)"
    admin: { listen: "127.0.0.1:\(ports.admin)" }
    store: sqlite:customer-sync.db
    mapping: mapping.yaml
    log: { level: error }
    invoiced:
      url: \(sandbox.invoiced.url)
      api_key: \(options.invoiced.apiKey)
      webhook: { secrets: ["\(options.invoiced.webhookSecret)"] }
    pms:
      url: \(sandbox.pms.url)
      auth: { type: bearer, token: "\(options.pms.token)" }
      callback: { signature: { scheme: standard-webhooks, secrets: ["\(options.pms.callbackSecret)"] } }
    retry: { first: 100ms, most: 1s }
    breaker: { probe: 500ms }
    confirm: 1s

    """
  }

  // MARK: What the two systems hold, and what their users do

  func system(_ side: Side) -> any SimulatedSystem {
    switch side {
    case .invoiced: sandbox.invoiced.system
    case .pms: sandbox.pms.system
    }
  }

  func records(_ side: Side) -> [JSONValue] { system(side).customers }

  func record(_ side: Side, _ id: String) -> JSONValue? {
    records(side).first { $0["id"]?.identifier == id }
  }

  /// - Parameter silent: Without a webhook.
  func create(_ record: JSONValue, on side: Side, silent: Bool = false) throws -> JSONValue {
    switch side {
    case .invoiced: try sandbox.invoiced.create(record, silent: silent)
    case .pms: try sandbox.pms.create(record, silent: silent)
    }
  }

  /// Sets one property, as a user of that side would: what stands beside it in the same object stays.
  func set(_ path: JSONPath, to value: JSONValue, of id: String, on side: Side) throws {
    guard case .key(let top)? = path.components.first, var record = record(side, id) else { return }
    record.set(value, at: path)
    let patch = JSONValue.object(JSONObject([(key: top, value: record[top] ?? .null)]))
    switch side {
    case .invoiced: try sandbox.invoiced.update(id, patch)
    case .pms: try sandbox.pms.update(id, patch)
    }
  }

  /// Requests that would change something, answered or not, since the start.
  func writes(to side: Side) -> Int {
    let stats = system(side).stats
    return ["POST", "PATCH", "PUT", "DELETE"].reduce(0) { $0 + stats.requests($1) }
  }

  /// Webhooks on their way to the service.
  var webhooksUnderWay: Int { Side.allCases.reduce(0) { $0 + system($1).stats.pending } }

  /// What the service's admin listener says of it.
  func status() async throws -> JSONValue { try await admin("GET", "status") }

  /// Has the service walk both sides, as the command of that name does, and returns what came of it.
  func walk(_ name: String, _ body: JSONValue) async throws -> JSONValue {
    var walk = try await admin("POST", name, body)
    let id = walk["id"]
    while walk["id"] == id, walk["state"] != "done", walk["state"] != "failed" {
      try await Task.sleep(for: .milliseconds(2))
      walk = try await admin("GET", name)
    }
    return walk
  }

  func audit() async throws -> JSONValue { try await admin("GET", "audit") }

  private func admin(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
    var headers: HTTPHeaders = [:]
    if body != nil { headers["Content-Type"] = "application/json" }
    let answer = try await client.send(
      HTTPRequest(
        method: method, target: "\(adminURL)/admin/v1/\(path)", headers: headers, body: body?.serialized ?? []))
    return try JSONValue(parsing: answer.body)
  }
}

/// Why the demo can't go on.
struct DemoError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
