import HTTP
import JSON
import SeededRandom
import Synchronization

/// How a simulated PMS is set up.
public struct PMSOptions: Sendable {
  public var token = "sandbox-token"
  /// A Standard Webhooks secret.
  public var callbackSecret = "whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="
  /// Where callbacks go; nil for none.
  public var callbackURL: String?
  /// Callbacks carry only the record's id in `data`.
  public var callbacksCarryOnlyID = false
  /// Milliseconds that every request takes.
  public var latency: Int64 = 0
  /// Milliseconds by which its clock is ahead of the time that it is told.
  public var clockSkew: Int64 = 0
  public var retries = RetryDelays.standard
  public var faults: Set<FaultProfile> = []

  public init() {}
}

/// A simulated PMS with the REST API that the configuration's defaults describe, at the root (`/customers`).
public final class PMSSandbox: SimulatedSystem {
  private let state: Mutex<PMSState>

  /// - Parameter generator: Everything that is random (faults, event ids) is drawn from it.
  public init(_ options: PMSOptions = PMSOptions(), generator: SeededGenerator) {
    state = Mutex(PMSState(options, generator: generator))
  }

  public func handle(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    state.withLock { $0.handle(request, now: now) }
  }

  public func edit(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    state.withLock { $0.edit(request, now: now) }
  }

  public func outgoing(_ delivery: Delivery, now: Int64) -> HTTPRequest? {
    state.withLock { $0.outgoing(delivery, now: now) }
  }

  public func settled(_ delivery: Delivery, _ outcome: DeliveryOutcome, now: Int64) -> [Delivery] {
    state.withLock { $0.settled(delivery, outcome, now: now) }
  }

  public var stats: SandboxStats { state.withLock { $0.currentStats } }

  public func loseNextWebhooks(_ count: Int) { state.withLock { $0.outbox.loseNext = count } }

  public func setWebhookURL(_ url: String) { state.withLock { $0.webhookTarget = (url, true) } }

  public func setOutage(_ outage: Outage?) { state.withLock { $0.switches.outage = outage } }

  public func setFaults(_ profiles: Set<FaultProfile>) { state.withLock { $0.faults.profiles = profiles } }

  public func clearStats() { state.withLock { $0.clearStats() } }

  /// The records as a read shows them now, in the order of their creation.
  public var customers: [JSONValue] {
    state.withLock { state in state.order.compactMap { state.records[$0].map { .object($0.object) } } }
  }
}

struct PMSRecord: Sendable {
  var object: JSONObject
  var version: Int64
  /// What a lagging read still shows.
  var former: (object: JSONObject, version: Int64)?
  var changedAt: Int64
  /// The clock's milliseconds at the last change, as `updated_at` shows them.
  var updatedAt: Int64
}

struct PMSState: Sendable {
  let options: PMSOptions
  var generator: SeededGenerator
  var faults: Faults
  var switches = Switches()
  var records: [String: PMSRecord] = [:]
  /// Ids in the order of their creation.
  var order: [String] = []
  var deleted: Set<String> = []
  var index = PropertyIndex()
  var outbox = Outbox(firstID: 1)
  /// Idempotency key to the request's fingerprint and its answer.
  var stored: [String: (request: [UInt8], response: HTTPResponse)] = [:]
  var stats = SandboxStats()
  var lastID: Int64 = 0
  var lastStamp: Int64 = 0
  var target: (url: String, enabled: Bool)?
  var outgoing: [Delivery] = []
  var answerDelay: Int64 = 0

  init(_ options: PMSOptions, generator: SeededGenerator) {
    self.options = options
    self.generator = generator.stream(30)
    faults = Faults(options.faults, generator: generator.stream(31))
    faults.fixedSkew = options.clockSkew
    target = options.callbackURL.map { ($0, true) }
  }

  var currentStats: SandboxStats {
    var now = stats
    (now.sent, now.failed, now.lost, now.pending) = (outbox.sent, outbox.failed, outbox.lost, outbox.pending)
    now.records = records.count
    return now
  }

  mutating func clearStats() {
    stats = SandboxStats()
    outbox.clearCounters()
  }
}

extension PMSState: Administrated {
  var webhookTarget: (url: String, enabled: Bool)? {
    get { target }
    set { target = newValue }
  }

  func extraPage(_ method: String, _ segments: [String], _ body: JSONValue) -> JSONValue? { nil }
}

/// Which records have a value at a path: made the first time a path is searched by, and kept since.
struct PropertyIndex: Sendable {
  private var paths: [String: JSONPath] = [:]
  private var entries: [String: [String: Set<String>]] = [:]

  /// Ids with exactly that text there, in no order; nil for what is no path.
  mutating func find(_ path: String, _ value: String, in records: [String: PMSRecord]) -> Set<String>? {
    if entries[path] == nil {
      guard let parsed = JSONPath(path) else { return nil }
      paths[path] = parsed
      entries[path] = [:]
      for (id, record) in records { note(record.object, id, under: path, parsed, isThere: true) }
    }
    return entries[path]?[Self.key(value)] ?? []
  }

  mutating func replace(_ id: String, _ old: JSONObject?, with new: JSONObject?) {
    for (path, parsed) in paths {
      if let old { note(old, id, under: path, parsed, isThere: false) }
      if let new { note(new, id, under: path, parsed, isThere: true) }
    }
  }

  private mutating func note(_ object: JSONObject, _ id: String, under path: String, _ parsed: JSONPath, isThere: Bool)
  {
    guard let text = Self.text(JSONValue.object(object)[parsed]) else { return }
    if isThere {
      entries[path]?[Self.key(text), default: []].insert(id)
    } else {
      entries[path]?[Self.key(text)]?.remove(id)
    }
  }

  /// Keys are compared as bytes, which Swift's strings aren't.
  private static func key(_ text: String) -> String { text.utf8.allSatisfy { $0 < 0x80 } ? text : Query.encode(text) }

  private static func text(_ value: JSONValue?) -> String? {
    switch value {
    case .string(let text): text
    case .number(let number): number.text
    case .bool(let flag): flag ? "true" : "false"
    case .null, .array, .object, nil: nil
    }
  }
}
