import Documents
import HTTPServer
import Mapping
import Signatures

/// Reads the whole file (contract section 3).
struct ConfigurationReader {
  let file: String
  let directory: String
  /// The files that it names are read too.
  let looksIntoFiles: Bool
  let problems: ProblemList

  func configuration(_ root: YAMLNode) -> Configuration? {
    guard let keys = KeyedReader(root, name: "the configuration", problems: problems) else { return nil }
    let sides = SideReader(directory: directory, looksIntoFiles: looksIntoFiles, problems: problems)
    let listen = keys.listenAddress("listen", ListenAddress(host: "0.0.0.0", port: 8080))
    let tls = tlsFiles(keys)
    let maxBody = keys.size("max_body", 1 << 20)
    let readTimeout = keys.duration("read_timeout", .seconds(10))
    let maxConnections = keys.integer("max_connections", least: 1) ?? 10_000
    let idleTimeout = keys.duration("idle_timeout", .seconds(60))
    let drain = keys.duration("drain", .seconds(20))
    let store = storeLocation(keys)
    let retention = keys.section("retention").map { section in
      defer { section.finish() }
      return Configuration.Retention(
        events: section.duration("events", .seconds(30 * 86_400)),
        history: section.duration("history", .seconds(365 * 86_400)))
    }
    let mapping = keys.required("mapping", advice: "write 'mapping: mapping.yaml'")
      .flatMap { keys.text(of: $0, key: "mapping") }.map { FilePaths.resolve($0, in: directory) }
    let log = keys.section("log").map { section in
      defer { section.finish() }
      return Configuration.Log(
        level: section.choice("level", Configuration.Log.Level.self) ?? .info,
        format: section.choice("format", Configuration.Log.Format.self) ?? .text)
    }
    let admin = admin(keys)
    let invoiced = keys.section("invoiced").flatMap { sides.invoiced($0) }
    let pms = keys.section("pms").flatMap { sides.pms($0) }
    let reconcile = keys.section("reconcile").map { section in
      defer { section.finish() }
      return Configuration.Reconcile(
        every: section.duration("every", .seconds(300)), full: section.duration("full", .seconds(86_400)))
    }
    let retry = retry(keys)
    let breaker = keys.section("breaker").map { section in
      defer { section.finish() }
      return Configuration.Breaker(
        failures: section.integer("failures", least: 1) ?? 5, probe: section.duration("probe", .seconds(10)))
    }
    let deleteGuard = keys.section("delete_guard").map { section in
      defer { section.finish() }
      return Configuration.DeleteGuard(
        most: section.integer("most") ?? 20, share: section.share("share", 0.05),
        window: section.duration("window", .seconds(3600)))
    }
    let loopGuard = keys.section("loop_guard").map { section in
      defer { section.finish() }
      return Configuration.LoopGuard(
        pushes: section.integer("pushes", least: 1) ?? 20, window: section.duration("window", .seconds(600)))
    }
    let confirm = keys.duration("confirm", .seconds(60))
    keys.finish()
    guard let store, let retention, let mapping, let log, let admin, let invoiced, let pms, let reconcile, let retry,
      let breaker, let deleteGuard, let loopGuard
    else { return nil }
    return Configuration(
      file: file, listen: listen, tls: tls, maxBody: maxBody, readTimeout: readTimeout, maxConnections: maxConnections,
      idleTimeout: idleTimeout, drain: drain, store: store, retention: retention, mapping: mapping, log: log,
      admin: admin,
      invoiced: invoiced, pms: pms, reconcile: reconcile, retry: retry, breaker: breaker, deleteGuard: deleteGuard,
      loopGuard: loopGuard, confirm: confirm)
  }

  private func tlsFiles(_ keys: KeyedReader) -> Configuration.TLSFiles? {
    guard let section = keys.section("tls") else { return nil }
    let certificate = section.path("certificate", in: directory)
    let key = section.path("key", in: directory)
    let clientCA = section.path("client_ca", in: directory)
    section.finish()
    if let certificate, let key {
      do throws(HTTPServerError) {
        if looksIntoFiles { try TLSConfiguration(certificate: certificate, key: key, clientCA: clientCA).check() }
      } catch {
        problems.error(
          at: section.position, "tls: \(error)",
          advice: "name PEM files that belong together, and that this user may read")
      }
      return .init(certificate: certificate, key: key, clientCA: clientCA)
    }
    if certificate != nil || key != nil || clientCA != nil {
      let missing = certificate == nil ? "certificate" : "key"
      problems.error(
        at: section.position, "tls has no '\(missing)', which a TLS listener needs",
        advice: "give both 'certificate' and 'key', or leave out 'tls'")
    }
    return nil
  }

  private func storeLocation(_ keys: KeyedReader) -> StoreLocation? {
    guard let node = keys.optional("store") else {
      return .sqlite(path: FilePaths.resolve("customer-sync.db", in: directory))
    }
    guard let text = keys.text(of: node, key: "store") else { return nil }
    if text.hasPrefix("sqlite:"), text.utf8.count > "sqlite:".utf8.count {
      return .sqlite(path: FilePaths.resolve(String(text.dropFirst("sqlite:".count)), in: directory))
    }
    if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") { return .postgres(url: Secret(text)) }
    // The text may be a URL with a password.
    problems.error(
      at: node.position, "'store' is neither an SQLite file nor a PostgreSQL URL",
      advice: "write 'sqlite:FILE' or 'postgres://user@host/db'")
    return nil
  }

  private func admin(_ keys: KeyedReader) -> Configuration.Admin? {
    guard let section = keys.section("admin") else { return nil }
    let listen = section.listenAddress("listen", ListenAddress(host: "127.0.0.1", port: 9090))
    let isWritten = section.optional("token") != nil
    let token = section.optional("token").flatMap { section.secret(of: $0, key: "token") }
    section.finish()
    if !isWritten, !listen.isLoopback {
      problems.error(
        at: section.position(of: "listen"),
        "admin.listen is \(listen), which other machines reach, and there is no admin.token",
        advice: "write 'token: ${CUSTOMER_SYNC_ADMIN_TOKEN}', or listen on 127.0.0.1")
    }
    return Configuration.Admin(listen: listen, token: token)
  }

  private func retry(_ keys: KeyedReader) -> Configuration.Retry? {
    guard let section = keys.section("retry") else { return nil }
    let retry = Configuration.Retry(
      first: section.duration("first", .seconds(1)), most: section.duration("most", .seconds(900)),
      giveUp: section.duration("give_up", .seconds(48 * 3600)))
    section.finish()
    if retry.most < retry.first {
      problems.error(
        at: section.position, "retry.most is shorter than retry.first",
        advice: "write 'retry: { first: 1s, most: 15m }'")
    }
    return retry
  }
}
