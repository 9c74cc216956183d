import Connectors
import HTTPServer
import Logging
import Mapping
import Store
import Sync
import Synchronization

/// What works on the store, with or without listeners: the commands use it too while no service runs.
public final class ServiceCore: Sendable {
  public let engine: Engine
  let context: EngineContext
  /// Names this opening of the store: a command knows by it whether the service it speaks to has the store that the
  /// command means. Nil for a store that no other process can open.
  let instance: String?
  private let sides: Mutex<SideConnections?>

  public var store: any Store { context.store }
  public var metrics: Metrics { context.metrics }

  /// Opens the store; `purpose` names the command to whoever finds it in use, and `deliver` says where calls whose
  /// events are durable get their answers.
  public convenience init(
    _ configuration: Configuration, mapping: Mapping, logger: Logger, purpose: String,
    deliver: @escaping SQLiteStore.Delivery = { $0() }
  ) throws(ServiceError) {
    try self.init(configuration, mapping: mapping, logger: logger, purpose: purpose, deliver: deliver) { connector, _ in
      connector
    }
  }

  /// - Parameter through: What the engine speaks to, in place of a side's own connector.
  init(
    _ configuration: Configuration, mapping: Mapping, logger: Logger, purpose: String,
    deliver: @escaping SQLiteStore.Delivery = { $0() }, through: (any Connector, any ServiceClock) -> any Connector
  ) throws(ServiceError) {
    let metrics = Metrics()
    let store: any Store
    let random = RandomSource.system
    let instance = random.idempotencyKey()
    self.instance = instance
    switch configuration.store {
    case .sqlite(let path):
      do throws(StoreError) {
        store = try SQLiteStore(path: path, holder: purpose, instance: instance, deliver: deliver) { sample in
          metrics.committed(seconds: sample.duration.seconds, batch: sample.batch)
        }
      } catch {
        if case .inUse = error { throw .storeInUse("\(error)") }
        throw .failed("\(error)")
      }
    case .postgres:
      throw .misconfigured("store: this build keeps its store in SQLite only; write sqlite:FILE")
    }
    let clock = SystemClock()
    let connections = try SideConnections(configuration, clock: clock)
    sides = Mutex(connections)
    context = EngineContext(
      store: store, connectors: connections.connectors.mapValues { through($0, clock) },
      reader: EventReader(pmsRecord: configuration.pms.callback.record), mapping: mapping,
      settings: EngineSettings(configuration), clock: clock, random: random, metrics: metrics, logger: logger)
    engine = Engine(context: context)
  }

  /// For an engine that runs already, on connectors of its own.
  init(context: EngineContext, engine: Engine) {
    self.context = context
    self.engine = engine
    instance = nil
    sides = Mutex(nil)
  }

  /// Lets no call through to a side that a person paused, also after a restart.
  public func restorePauses() async throws(ServiceError) {
    for side in Side.allCases {
      do throws(StoreError) {
        if let text = try await store.value(SideGate.pauseName(side)) {
          context.gate(side).restore(SideGate.Pause(kept: text, now: context.clock.now))
        }
        if let text = try await store.value(SideGate.alarmName(side)) {
          context.gate(side).raiseAlarm(SideGate.Pause(kept: text, byPerson: false, now: context.clock.now))
        }
      } catch {
        throw .failed("\(error)")
      }
    }
  }

  /// Connections that a new configuration asks for; nothing uses them before `take(over:)`.
  func connections(_ configuration: Configuration) throws(ServiceError) -> SideConnections {
    guard let current = sides.withLock({ $0 }) else { return try SideConnections(configuration, clock: context.clock) }
    return try current.renewed(configuration, clock: context.clock)
  }

  /// From now on work begins with another configuration and mapping; what is in hand ends with the old ones.
  func take(over configuration: Configuration, _ mapping: Mapping, _ connections: SideConnections) {
    sides.withLock { $0 = connections }
    context.replace(
      EngineContext.InForce(
        mapping: mapping, connectors: connections.connectors,
        reader: EventReader(pmsRecord: configuration.pms.callback.record), settings: EngineSettings(configuration)))
    engine.reloaded()
  }

  public func close() async {
    sides.withLock { $0 }?.close()
    await context.store.close()
  }
}

extension EngineSettings {
  package init(_ configuration: Configuration) {
    self.init()
    invoiced = SideLimits(
      concurrency: configuration.invoiced.concurrency, rate: configuration.invoiced.rate?.perSecond)
    pms = SideLimits(concurrency: configuration.pms.concurrency, rate: configuration.pms.rate?.perSecond)
    retryFirst = configuration.retry.first
    retryMost = configuration.retry.most
    giveUp = configuration.retry.giveUp
    breakerFailures = configuration.breaker.failures
    breakerProbe = configuration.breaker.probe
    deletions = DeletionLimits(
      most: configuration.deleteGuard.most, share: configuration.deleteGuard.share,
      window: configuration.deleteGuard.window)
    loopPushes = configuration.loopGuard.pushes
    loopWindow = configuration.loopGuard.window
    confirm = configuration.confirm
    reconcileEvery = configuration.reconcile.every
    reconcileFull = configuration.reconcile.full
    keepEvents = configuration.retention.events
    keepHistory = configuration.retention.history
  }
}

extension Rate {
  var perSecond: Double { Double(count) / per.seconds }
}

extension HTTPServerConfiguration {
  init(public configuration: Configuration) {
    self.init(
      address: configuration.listen,
      tls: configuration.tls.map {
        TLSConfiguration(certificate: $0.certificate, key: $0.key, clientCA: $0.clientCA)
      })
    maxBody = configuration.maxBody
    readTimeout = configuration.readTimeout
    idleTimeout = configuration.idleTimeout
    maxConnections = configuration.maxConnections
  }

  init(admin configuration: Configuration) {
    self.init(address: configuration.admin.listen)
  }
}
