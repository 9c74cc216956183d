import Connectors
import HTTP
import Logging
import Mapping
import Store
import Sync

/// The engine by itself, without listeners or clients of its own: on whatever store, sides, clock and executor it is
/// handed. A simulation runs it this way.
extension Engine {
  package convenience init(
    _ configuration: Configuration, mapping: Mapping, store: any Store, connectors: [Side: any Connector],
    clock: any ServiceClock, random: RandomSource, logger: Logger, executor: any TaskExecutor
  ) {
    self.init(
      context: EngineContext(
        store: store, connectors: connectors, reader: EventReader(pmsRecord: configuration.pms.callback.record),
        mapping: mapping, settings: EngineSettings(configuration), clock: clock, random: random, metrics: Metrics(),
        logger: logger, executor: executor))
  }

  /// What the admin API answers, as the commands ask it.
  package func answer(_ request: HTTPRequest) async -> HTTPResponse {
    await AdminAPI(core: ServiceCore(context: context, engine: self)).answer(request)
  }

  /// Why no call goes to a side now; nil while they do.
  package func closedReason(_ side: Side) -> String? { context.gate(side).closedReason }
}
