import Connectors
import EventLoop
import HTTP
import HTTPServer
import Logging
import Mapping
import Signatures
import Store
import Sync

/// The whole service: its listeners, its engine, its store; started in order, drained in reverse.
public final class SyncService: Sendable {
  private let core: ServiceCore
  private let loops: [EventLoop]
  private let listener: PublicListener
  private let admin: AdminListener
  private let publicServer: HTTPServer
  private let adminServer: HTTPServer
  private let adminAddress: ListenAddress
  private let isDraining: Latch
  private let work: Task<Void, Never>

  /// The ports it listens on, of which the configuration may have said 0.
  public var publicPort: Int { publicServer.port }
  public var adminPort: Int { adminServer.port }

  /// Opens the store, binds both listeners, and starts working.
  public static func start(_ configuration: Configuration, mapping: Mapping, logger: Logger) async throws(ServiceError)
    -> SyncService
  {
    let loop: EventLoop
    do throws(EventLoopError) { loop = try EventLoop() } catch { throw .failed("\(error)") }
    do throws(ServiceError) {
      let core = try ServiceCore(
        configuration, mapping: mapping, logger: logger, purpose: "serve", deliver: { loop.execute($0) })
      do throws(ServiceError) {
        try await core.restorePauses()
        return try SyncService(core, configuration, loop)
      } catch {
        await core.close()
        throw error
      }
    } catch {
      loop.stop()
      throw error
    }
  }

  private init(_ core: ServiceCore, _ configuration: Configuration, _ publicLoop: EventLoop) throws(ServiceError) {
    self.core = core
    let isDraining = Latch()
    self.isDraining = isDraining
    let (context, engine) = (core.context, core.engine)
    let intake = Intake(store: context.store, clock: context.clock, metrics: context.metrics, logger: context.logger) {
      engine.notify($0)
    }
    let listener = PublicListener(intake: intake, endpoints: try EventEndpoint.all(configuration)) {
      await Readiness.now(context, isDraining: isDraining.isSet)
    }
    self.listener = listener
    let admin = AdminListener(core: core, token: configuration.admin.token)
    self.admin = admin
    adminAddress = configuration.admin.listen
    do {
      let adminLoop = try EventLoop()
      loops = [publicLoop, adminLoop]
      publicServer = try HTTPServer(
        configuration: HTTPServerConfiguration(public: configuration), loop: publicLoop,
        preflight: { listener.preflight($0, $1, $2) }, handler: { listener.handle($0, $1) })
      adminServer = try HTTPServer(
        configuration: HTTPServerConfiguration(admin: configuration), loop: adminLoop,
        asyncHandler: { await admin.answer($0) })
    } catch HTTPServerError.tls(let file, let reason) {
      throw .misconfigured("\(HTTPServerError.tls(file: file, reason: reason))")
    } catch {
      throw .failed("\(error)")
    }
    work = Task { await engine.run() }
  }

  /// Stops accepting, finishes what has begun, at most as long as the configuration's `drain`, and closes the store.
  public func drain(within limit: Duration) async {
    isDraining.set()
    await publicServer.drain(within: limit)
    work.cancel()
    let engine = core.engine
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await engine.stop() }
      group.addTask { try? await Task.sleep(for: limit) }
      await group.next()
      group.cancelAll()
    }
    await adminServer.drain(within: .seconds(1))
    await core.close()
    for loop in loops { loop.stop() }
  }

  /// Takes a new configuration and mapping over: all but the listeners' addresses and the store. Where any of it can't
  /// be used, all the old stays in force.
  public func reload(_ configuration: Configuration, mapping: Mapping) throws(ServiceError) {
    guard adminAddress.isLoopback || configuration.admin.token != nil else {
      throw .misconfigured(
        "admin.token is needed while the admin listener is on \(adminAddress.host), which is no loopback address")
    }
    let endpoints = try EventEndpoint.all(configuration)
    let connections = try core.connections(configuration)
    do throws(HTTPServerError) {
      try publicServer.reload(HTTPServerConfiguration(public: configuration))
    } catch {
      throw .failed("\(error)")
    }
    listener.replace(endpoints)
    admin.replace(token: configuration.admin.token)
    core.take(over: configuration, mapping, connections)
  }
}

/// Why the service can't start or go on.
public enum ServiceError: Error, Sendable, CustomStringConvertible {
  /// The configuration or the mapping is wrong: exit 78.
  case misconfigured(String)
  /// Another process has the store: exit 1.
  case storeInUse(String)
  /// A port in use, a store that can't be opened: exit 1.
  case failed(String)

  public var description: String {
    switch self {
    case .misconfigured(let reason), .storeInUse(let reason), .failed(let reason): reason
    }
  }
}

extension EventEndpoint {
  static func all(_ configuration: Configuration) throws(ServiceError) -> [EventEndpoint] {
    do throws(SignatureError) {
      return [try EventEndpoint(invoiced: configuration.invoiced), try EventEndpoint(pms: configuration.pms)]
    } catch {
      throw .misconfigured("\(error)")
    }
  }
}

extension Readiness {
  static func now(_ context: EngineContext, isDraining: Bool) async -> Readiness {
    var failing: [String] = []
    do throws(StoreError) { try await context.store.probe() } catch { failing.append("store") }
    if isDraining { failing.append("drain") }
    return Readiness(
      failing: failing, sides: context.gates.mapValues { $0.closedReason })
  }
}
