import HTTP
import JSON
import SeededRandom
import Synchronization

/// A simulated Invoiced account: customers, contacts, events, webhooks and idempotency keys, as the public API shows
/// them, with the API at the root (`/customers`).
public final class InvoicedSandbox: SimulatedSystem {
  private let state: Mutex<InvoicedState>

  /// - Parameter generator: Everything that is random (ids' gaps, tokens, faults) is drawn from it.
  public init(_ options: InvoicedOptions = InvoicedOptions(), generator: SeededGenerator) {
    state = Mutex(InvoicedState(options, generator: generator))
  }

  public func handle(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    state.withLock { $0.handle(request, now: now) }
  }

  public func edit(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    state.withLock { $0.edit(request, now: now) }
  }

  /// Creates customers made up from the generator, without events.
  public func fill(_ count: Int, now: Int64) {
    state.withLock { $0.fill(count, now: now) }
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

  /// Whether the webhook endpoint takes events (Invoiced switches it off by itself after a 410).
  public var isWebhookEnabled: Bool { state.withLock { $0.endpoints.contains { $0.enabled } } }

  /// The customers as a read shows them now, by id.
  public var customers: [JSONValue] {
    state.withLock { state in state.order.compactMap { state.customers[$0].map { .object($0.object) } } }
  }
}

/// How a side is out while it is.
public enum Outage: String, Sendable, Hashable, CaseIterable {
  case unavailable = "503"
  case refused
}

struct InvoicedCustomer: Sendable {
  var object: JSONObject
  /// What a lagging read still shows, and since when it is past (milliseconds).
  var former: JSONObject?
  var changedAt: Int64
  /// Set by `/_sandbox/customers/ID`: with invoices, a delete is refused.
  var invoices = 0
}

struct InvoicedState: Sendable {
  let options: InvoicedOptions
  var generator: SeededGenerator
  /// Apart from `generator`, so that one request more or less doesn't change later ids.
  var requestIDs: SeededGenerator
  var faults: Faults
  var switches = Switches()
  var customers: [Int64: InvoicedCustomer] = [:]
  /// Customers' ids, ascending.
  var order: [Int64] = []
  /// Folded number to customer.
  var numbers: [String: Int64] = [:]
  var contacts: [Int64: JSONObject] = [:]
  var contactsOf: [Int64: [Int64]] = [:]
  var events: [InvoicedEvent] = []
  /// Absorbed id to survivor, for the events' `related_to`.
  var absorbed: [Int64: Int64] = [:]
  var endpoints: [InvoicedEndpoint] = []
  var outbox: Outbox
  var stored: [String: StoredAnswer] = [:]
  /// When each request that is still being worked on will have ended.
  var inFlight: [Int64] = []
  var pages = PageCache()
  var stats = SandboxStats()
  var nextNumber = 1
  var lastCustomer: Int64 = 1_038_411
  var lastContact: Int64 = 551_208
  var lastEvent: Int64 = 90_417_732
  var lastStamp: Int64 = 0
  /// Webhooks that the request in hand has set off.
  var outgoing: [Delivery] = []
  /// The greatest delay that an overtaking webhook imposes on the answer in hand.
  var answerDelay: Int64 = 0

  init(_ options: InvoicedOptions, generator: SeededGenerator) {
    self.options = options
    self.generator = generator.stream(10)
    requestIDs = generator.stream(12)
    faults = Faults(options.faults, generator: generator.stream(11))
    faults.fixedSkew = options.clockSkew
    outbox = Outbox(firstID: 7_200_001)
    if let url = options.webhookURL {
      endpoints = [InvoicedEndpoint(id: 4201, url: url, secret: options.webhookSecret)]
    }
  }

  var reader: InvoicedReader { InvoicedReader(accountCountry: options.accountCountry) }

  var currentStats: SandboxStats {
    var now = stats
    (now.sent, now.failed, now.lost, now.pending) = (outbox.sent, outbox.failed, outbox.lost, outbox.pending)
    now.records = customers.count
    return now
  }

  mutating func clearStats() {
    stats = SandboxStats()
    outbox.clearCounters()
  }

  /// The account's clock in UNIX seconds. Set back, as by other faults, it stands still until it is right.
  mutating func stamp(_ now: Int64) -> Int64 {
    lastStamp = max(lastStamp, (now + faults.skew) / 1000)
    return lastStamp
  }
}

/// What a person switches on and off at `/_sandbox/`.
struct Switches: Sendable {
  var outage: Outage?
  var failures: Failures?
  /// Milliseconds that every request takes beside what the options say.
  var latency: Int64 = 0

  /// What the next so many requests get.
  struct Failures: Sendable {
    var count: Int
    /// Requests of other methods are let through; nil for all.
    var method: String?
    /// 0 resets the connection.
    var status: Int
    /// The request is carried out before it fails.
    var isAfter: Bool
  }
}

/// The answer that an idempotency key replays for 24 hours.
struct StoredAnswer: Sendable {
  let at: Int64
  let status: Int
  let body: [UInt8]
}
