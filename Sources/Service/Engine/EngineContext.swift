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
  let connectors: [Side: any Connector]
  let gates: [Side: SideGate]
  let reader: EventReader
  let settings: EngineSettings
  let clock: any ServiceClock
  let random: RandomSource
  let metrics: Metrics
  let logger: Logger
  private let current: Mutex<Mapping>

  /// The mapping in force; exchanged when it is read anew.
  var mapping: Mapping {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }

  init(
    store: any Store, connectors: [Side: any Connector], reader: EventReader, mapping: Mapping,
    settings: EngineSettings, clock: any ServiceClock, random: RandomSource, metrics: Metrics, logger: Logger
  ) {
    self.store = store
    self.connectors = connectors
    self.reader = reader
    self.settings = settings
    self.clock = clock
    self.random = random
    self.metrics = metrics
    self.logger = logger
    current = Mutex(mapping)
    gates = [
      .invoiced: SideGate(
        side: .invoiced, limits: settings.invoiced, breakerFailures: settings.breakerFailures, clock: clock),
      .pms: SideGate(side: .pms, limits: settings.pms, breakerFailures: settings.breakerFailures, clock: clock),
    ]
  }

  func connector(_ side: Side) -> any Connector { connectors[side]! }
  func gate(_ side: Side) -> SideGate { gates[side]! }
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
