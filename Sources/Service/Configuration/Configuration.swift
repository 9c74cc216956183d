import Documents
import HTTPServer
import Mapping
import Signatures

/// `customer-sync.yaml` as it was read: contract section 3, every default in place.
public struct Configuration: Sendable {
  /// The file it came from; relative paths in it were resolved against that file's directory.
  public var file: String
  public var listen: ListenAddress
  public var tls: TLSFiles?
  /// Bytes of a request's body.
  public var maxBody: Int
  /// From a request's first byte to its last.
  public var readTimeout: Duration
  public var maxConnections: Int
  public var idleTimeout: Duration
  /// How long shutting down waits for what has begun.
  public var drain: Duration
  public var store: StoreLocation
  public var retention: Retention
  /// The path of `mapping.yaml`.
  public var mapping: String
  public var log: Log
  public var admin: Admin
  public var invoiced: InvoicedConfiguration
  public var pms: PMSConfiguration
  public var reconcile: Reconcile
  public var retry: Retry
  public var breaker: Breaker
  public var deleteGuard: DeleteGuard
  public var loopGuard: LoopGuard
  /// After how long doubtful news is asked again.
  public var confirm: Duration

  public struct TLSFiles: Sendable, Hashable {
    public var certificate: String
    public var key: String
    /// Callers must present a certificate that one of these has signed; nil where none is asked for.
    public var clientCA: String?

    public init(certificate: String, key: String, clientCA: String? = nil) {
      self.certificate = certificate
      self.key = key
      self.clientCA = clientCA
    }
  }

  public struct Retention: Sendable, Hashable {
    public var events: Duration
    public var history: Duration

    public init(events: Duration, history: Duration) {
      self.events = events
      self.history = history
    }
  }

  public struct Log: Sendable, Hashable {
    public enum Level: String, Sendable, CaseIterable { case trace, debug, info, notice, warning, error, critical }
    public enum Format: String, Sendable, CaseIterable { case text, json }
    public var level: Level
    public var format: Format

    public init(level: Level, format: Format) {
      self.level = level
      self.format = format
    }
  }

  public struct Admin: Sendable {
    public var listen: ListenAddress
    /// Nil only where `listen` is a loopback address.
    public var token: Secret?

    public init(listen: ListenAddress, token: Secret? = nil) {
      self.listen = listen
      self.token = token
    }
  }

  public struct Reconcile: Sendable, Hashable {
    public var every: Duration
    public var full: Duration

    public init(every: Duration, full: Duration) {
      self.every = every
      self.full = full
    }
  }

  public struct Retry: Sendable, Hashable {
    public var first: Duration
    public var most: Duration
    public var giveUp: Duration

    public init(first: Duration, most: Duration, giveUp: Duration) {
      self.first = first
      self.most = most
      self.giveUp = giveUp
    }
  }

  public struct Breaker: Sendable, Hashable {
    public var failures: Int
    public var probe: Duration

    public init(failures: Int, probe: Duration) {
      self.failures = failures
      self.probe = probe
    }
  }

  /// Rule 14.
  public struct DeleteGuard: Sendable, Hashable {
    public var most: Int
    /// Of the flow's links, from 0 to 1.
    public var share: Double
    public var window: Duration

    public init(most: Int, share: Double, window: Duration) {
      self.most = most
      self.share = share
      self.window = window
    }
  }

  /// Rule 20.
  public struct LoopGuard: Sendable, Hashable {
    public var pushes: Int
    public var window: Duration

    public init(pushes: Int, window: Duration) {
      self.pushes = pushes
      self.window = window
    }
  }

  public init(
    file: String, listen: ListenAddress, tls: TLSFiles? = nil, maxBody: Int, readTimeout: Duration, maxConnections: Int,
    idleTimeout: Duration, drain: Duration, store: StoreLocation, retention: Retention, mapping: String, log: Log,
    admin: Admin, invoiced: InvoicedConfiguration, pms: PMSConfiguration, reconcile: Reconcile, retry: Retry,
    breaker: Breaker, deleteGuard: DeleteGuard, loopGuard: LoopGuard, confirm: Duration
  ) {
    self.file = file
    self.listen = listen
    self.tls = tls
    self.maxBody = maxBody
    self.readTimeout = readTimeout
    self.maxConnections = maxConnections
    self.idleTimeout = idleTimeout
    self.drain = drain
    self.store = store
    self.retention = retention
    self.mapping = mapping
    self.log = log
    self.admin = admin
    self.invoiced = invoiced
    self.pms = pms
    self.reconcile = reconcile
    self.retry = retry
    self.breaker = breaker
    self.deleteGuard = deleteGuard
    self.loopGuard = loopGuard
    self.confirm = confirm
  }
}

/// Where the store is.
public enum StoreLocation: Sendable, Equatable, CustomStringConvertible {
  case sqlite(path: String)
  /// A `postgres://` URL, which may hold a password.
  case postgres(url: Secret)

  /// For people: the file, or that it is PostgreSQL.
  public var description: String {
    switch self {
    case .sqlite(let path): "sqlite:\(path)"
    case .postgres: "postgres://(redacted)"
    }
  }
}

extension Configuration {
  /// Reads the file; `environment` holds the variables that `${NAME}` means. The configuration is nil when a diagnostic
  /// is an error. No diagnostic holds a secret.
  public static func load(
    file: String, environment: [String: String]
  ) -> (configuration: Configuration?, diagnostics: [Diagnostic]) {
    switch TextFile.read(file) {
    case .success(let text): read(text: text, file: file, environment: environment, looksIntoFiles: true)
    case .failure(let failure):
      (nil, [Diagnostic(.error, at: failure.position, failure.message, advice: failure.advice)])
    }
  }

  /// Reads the text of a configuration file that stands, or would stand, at `file`.
  /// - Parameter looksIntoFiles: Certificates and keys that it names are read too, and must be some.
  public static func read(
    text: String, file: String, environment: [String: String], looksIntoFiles: Bool = false
  ) -> (configuration: Configuration?, diagnostics: [Diagnostic]) {
    let problems = ProblemList()
    guard let root = YAMLDocument.read(text: text, file: file, into: problems) else {
      return (nil, problems.diagnostics)
    }
    let directory = FilePaths.directory(of: file)
    let variables = VariableResolver(environment: environment, directory: directory, problems: problems)
    let reader = ConfigurationReader(
      file: file, directory: directory, looksIntoFiles: looksIntoFiles, problems: problems)
    let configuration = reader.configuration(variables.resolved(root))
    return (problems.hasErrors ? nil : configuration, problems.diagnostics)
  }
}
