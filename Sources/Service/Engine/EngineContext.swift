import Connectors
import JSON
import Logging
import Mapping
import Signatures
import Store
import Sync
import Synchronization

/// What every worker works with.
final class EngineContext: Sendable {
  let store: any Store
  private let invoicedGate: SideGate
  private let pmsGate: SideGate
  var gates: [Side: SideGate] { [.invoiced: invoicedGate, .pms: pmsGate] }
  let deletions: DeletionKeeper
  let arrivals = Arrivals()
  let askedToWait = AskedToWait()
  let clock: any ServiceClock
  let random: RandomSource
  let metrics: Metrics
  let logger: Logger
  /// Where the engine's own tasks run; nil for Swift's pool. A simulation hands in one that it steps itself.
  let executor: (any TaskExecutor)?
  private let current: Mutex<InForce>

  /// What is exchanged as one when the configuration is read anew; work in hand ends with what it began with.
  struct InForce: Sendable {
    let mapping: Mapping
    let digests: FlowDigests
    let connectors: [Side: any Connector]
    let reader: EventReader
    let settings: EngineSettings

    init(
      mapping: Mapping, connectors: [Side: any Connector], reader: EventReader, settings: EngineSettings
    ) {
      self.mapping = mapping
      digests = FlowDigests(mapping)
      self.connectors = connectors
      self.reader = reader
      self.settings = settings
    }
  }

  var mapping: Mapping { current.withLock { $0.mapping } }
  /// What its flows say.
  var digests: FlowDigests { current.withLock { $0.digests } }
  var reader: EventReader { current.withLock { $0.reader } }
  var settings: EngineSettings { current.withLock { $0.settings } }

  init(
    store: any Store, connectors: [Side: any Connector], reader: EventReader, mapping: Mapping,
    settings: EngineSettings, clock: any ServiceClock, random: RandomSource, metrics: Metrics, logger: Logger,
    executor: (any TaskExecutor)? = nil
  ) {
    self.store = store
    deletions = DeletionKeeper(store: store)
    self.clock = clock
    self.random = random
    self.metrics = metrics
    self.logger = logger
    self.executor = executor
    current = Mutex(InForce(mapping: mapping, connectors: connectors, reader: reader, settings: settings))
    invoicedGate = SideGate(
      side: .invoiced, limits: settings.invoiced, breakerFailures: settings.breakerFailures, clock: clock)
    pmsGate = SideGate(side: .pms, limits: settings.pms, breakerFailures: settings.breakerFailures, clock: clock)
  }

  func replace(_ inForce: InForce) {
    current.withLock { $0 = inForce }
    for (side, gate) in gates {
      gate.replace(limits: inForce.settings.limits(side), breakerFailures: inForce.settings.breakerFailures)
    }
  }

  func connector(_ side: Side) -> any Connector { current.withLock { $0.connectors[side]! } }
  func gate(_ side: Side) -> SideGate {
    switch side {
    case .invoiced: invoicedGate
    case .pms: pmsGate
    }
  }
}

/// Randomness that is handed in: jitter and idempotency keys.
public struct RandomSource: Sendable {
  private let bytes: @Sendable (Int) -> [UInt8]

  public init(bytes: @escaping @Sendable (Int) -> [UInt8]) { self.bytes = bytes }

  /// The system's cryptographic generator.
  public static let system = RandomSource { Random.bytes($0) }

  /// 0 to 1, both included.
  func fraction() -> Double {
    let value = bytes(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    return Double(value) / Double(UInt32.max)
  }

  /// 32 hexadecimal digits, fresh for each logical write (Invoiced takes 6 to 64 bytes).
  func idempotencyKey() -> String { Hex.encode(bytes(16)) }
}

/// Where each side's events keep what the engine needs of them.
public struct EventReader: Sendable {
  /// The record in a PMS callback's body; nil when callbacks carry only the id.
  public var pmsRecord: JSONPath?

  public init(pmsRecord: JSONPath?) { self.pmsRecord = pmsRecord }

  /// The record that an event's body carries; nil where it carries none.
  func record(in body: JSONValue, side: Side, origin: EventOrigin) -> JSONValue? {
    switch (origin, side) {
    case (.backfill, _), (.reconcile, _): body
    case (_, .invoiced): body[Self.invoicedObject]
    case (_, .pms): pmsRecord.flatMap { body[$0] }
    }
  }

  /// The old values of what an Invoiced event changed (reference section 8.1: inside `data`, once at the top).
  func previous(in body: JSONValue) -> JSONValue? { body["data"]?["previous"] ?? body["previous"] }

  private static let invoicedObject = JSONPath([.key("data"), .key("object")])
}
