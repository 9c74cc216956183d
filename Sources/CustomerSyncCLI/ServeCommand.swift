import ArgumentParser
import EventLoop
import Glibc
import HTTPServer
import Logging
import Mapping
import Service

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the service until SIGTERM or SIGINT.",
    discussion: """
      Takes Invoiced's webhooks and the PMS's callbacks in, and keeps both sides in sync. SIGTERM and SIGINT drain it; \
      a second one ends it at once. SIGHUP reads configuration, mapping, secrets and certificates anew.

      EXAMPLE
        customer-sync serve --config customer-sync.yaml
      """)

  @OptionGroup var options: ConfigurationOptions

  init() {}

  /// `serve`, `serve --config FILE` or `serve --config=FILE`; nil for any other words.
  init?(plain words: [String]) {
    guard words.first == "serve" else { return nil }
    var options = ConfigurationOptions()
    switch (words.count, words.dropFirst().first) {
    case (1, _): options.config = ConfigurationOptions.standardFile
    case (2, let word?) where word.hasPrefix("--config=") && word.count > 9: options.config = String(word.dropFirst(9))
    case (3, "--config"?) where !words[2].hasPrefix("-"): options.config = words[2]
    default: return nil
    }
    self.options = options
  }

  func run() async throws {
    let (files, problems) = load()
    guard var configuration = files?.configuration, let mapping = files?.mapping else {
      for problem in problems { Console.message(problem.description) }
      throw ExitCode.misconfigured
    }
    Self.raiseFileLimit()
    let log = LogSettings(configuration.log)
    let logger = Logger(label: "customer-sync") { _ in ConsoleLog(log) }
    Self.log(problems, logger)
    let signals: Signals
    let service: SyncService
    do {
      signals = try Signals([SIGTERM, SIGINT, SIGHUP])
      service = try await SyncService.start(configuration, mapping: mapping, logger: logger)
    } catch let error as ServiceError {
      Console.message("error: \(error)")
      if case .misconfigured = error { throw ExitCode.misconfigured }
      throw ExitCode.failure
    }
    logger.info(
      "ready",
      metadata: [
        "listen": "\(ListenAddress(host: configuration.listen.host, port: service.publicPort))",
        "admin": "\(ListenAddress(host: configuration.admin.listen.host, port: service.adminPort))",
        "store": "\(configuration.store)",
      ])
    for await signal in signals.stream {
      if signal == SIGHUP {
        configuration = reload(service, configuration, log, logger) ?? configuration
        continue
      }
      logger.info("draining", metadata: ["drain": "\(configuration.drain.components.seconds)s"])
      signals.exitOnNext()
      await service.drain(within: configuration.drain)
      logger.info("stopped")
      return
    }
  }

  /// Each connection is an open file, and shells allow 1,024 of them unless they are asked for more.
  private static func raiseFileLimit() {
    var limit = rlimit()
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(files, &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(files, &limit)
  }

  /// A broken file changes nothing.
  private func reload(
    _ service: SyncService, _ old: Configuration, _ log: LogSettings, _ logger: Logger
  ) -> Configuration? {
    let (files, problems) = load()
    Self.log(problems, logger)
    guard let (configuration, mapping) = files else {
      logger.error(
        "the old configuration stays in force", metadata: [LogKey.reason: "the new one has the errors logged above"])
      return nil
    }
    do throws(ServiceError) {
      try service.reload(configuration, mapping: mapping)
      log.replace(configuration.log)
      logger.info("configuration, mapping, secrets and certificates were read anew")
      let fixed = [
        ("listen", old.listen != configuration.listen),
        ("admin.listen", old.admin.listen != configuration.admin.listen),
        ("store", old.store != configuration.store),
      ]
      for (name, isOther) in fixed where isOther {
        logger.warning("what changed here counts from the next start on", metadata: ["key": "\(name)"])
      }
      return configuration
    } catch {
      logger.error("the old configuration stays in force", metadata: [LogKey.reason: "\(error)"])
    }
    return nil
  }

  private func load() -> (files: (configuration: Configuration, mapping: Mapping)?, problems: [Diagnostic]) {
    let (configuration, diagnostics) = options.loadConfiguration()
    return ConfigurationOptions.completed(configuration, diagnostics)
  }

  /// In the log's own form: a reader of JSON lines gets nothing else.
  private static func log(_ problems: [Diagnostic], _ logger: Logger) {
    for problem in problems {
      var metadata: Logger.Metadata = [:]
      if let position = problem.position { metadata[LogKey.file] = "\(position)" }
      if let flow = problem.flow { metadata[LogKey.flow] = "\(flow)" }
      if !problem.advice.isEmpty { metadata[LogKey.nextStep] = "\(problem.advice)" }
      logger.log(
        level: problem.severity == .error ? .error : .warning, "\(problem.message)", metadata: metadata)
    }
  }
}

/// The process's signals as a stream.
final class Signals: Sendable {
  let stream: AsyncStream<Int32>
  private let loop: EventLoop
  private let isLeaving = Latch()

  init(_ signals: [Int32]) throws(EventLoopError) {
    loop = try EventLoop()
    let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
    self.stream = stream
    let isLeaving = isLeaving
    for signal in signals {
      try loop.onSignal(signal) {
        if signal != SIGHUP && isLeaving.isSet { _exit(130) }
        continuation.yield(signal)
      }
    }
  }

  /// A further SIGTERM or SIGINT ends the process at once.
  func exitOnNext() { isLeaving.set() }
}
