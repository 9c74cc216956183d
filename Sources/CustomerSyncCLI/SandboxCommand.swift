import ArgumentParser
import EventLoop
import Glibc
import HTTPServer
import Sandbox

struct SandboxCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sandbox",
    abstract: "Runs the simulated systems: Invoiced and a PMS, both with their API at the root.",
    discussion: """
      Runs until SIGINT or SIGTERM. Both keep everything in memory; the same seed gives the same customers and faults.

      EXAMPLE:
        customer-sync sandbox --customers 200 \\
          --webhook-url http://127.0.0.1:8080/webhooks/invoiced \\
          --callback-url http://127.0.0.1:8080/callbacks/pms
        curl -u sandbox-key: http://127.0.0.1:8601/customers?per_page=1
        curl -H 'Authorization: Bearer sandbox-token' \\
          http://127.0.0.1:8602/customers

      FAULTS:
        flaky        latency, 5xx, 429, resets, lost answers
        lossy        webhooks lost, doubled, late, out of order
        normalising  the PMS trims, rounds and folds
        lying        lists leave out or repeat rows, stale reads, a wrong clock
        outage       windows of 503 or refusal
        worst        all of them

      WHILE IT RUNS, on either port, without credentials:
        GET  /_sandbox/stats
        POST /_sandbox/clear-stats
        POST /_sandbox/faults    {"profiles": ["flaky"]}
        POST /_sandbox/webhooks  {"lose": 1, "url": "http://..."}
        POST /_sandbox/outage    {"on": true, "kind": "503"} or "refused"
        POST /_sandbox/fail      {"next": 2, "status": 500}
        POST /_sandbox/fail      {"next": 1, "status": 0, "method": "POST",
                                  "after": true}   the write, without its answer
        POST /_sandbox/latency   {"milliseconds": 100}
        POST /_sandbox/clock     {"advance": 3600}
        ?silent=1 on any write   a change without an event
      """)

  @Option(help: ArgumentHelp("Where Invoiced listens.", valueName: "host:port"))
  var invoiced: ListenAddress = ListenAddress(host: "127.0.0.1", port: 8601)

  @Option(help: ArgumentHelp("Where the PMS listens.", valueName: "host:port"))
  var pms: ListenAddress = ListenAddress(host: "127.0.0.1", port: 8602)

  @Option(
    name: .customLong("webhook-url"),
    help: ArgumentHelp("Where Invoiced sends its webhooks; none are sent without it.", valueName: "url"))
  var webhookURL: String?

  @Option(
    name: .customLong("callback-url"),
    help: ArgumentHelp("Where the PMS sends its callbacks; none are sent without it.", valueName: "url"))
  var callbackURL: String?

  @Option(help: ArgumentHelp("How many made-up customers Invoiced has from the start.", valueName: "n"))
  var customers = 0

  @Option(help: ArgumentHelp("What customers and faults are drawn from.", valueName: "n"))
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp("Profiles, separated by commas: \(profiles).", valueName: "profile,..."),
    transform: SandboxCommand.faults)
  var faults: Set<FaultProfile> = []

  @Option(
    help: ArgumentHelp(
      "Seconds until a failed webhook comes again, in place of Invoiced's hour and the PMS's own schedule.",
      valueName: "seconds"))
  var retryAfter: Double?

  private static let profiles = FaultProfile.allCases.map(\.rawValue).joined(separator: ", ")

  private static func faults(_ text: String) throws -> Set<FaultProfile> {
    try Set(
      text.split(separator: ",").map { name in
        guard let profile = FaultProfile(rawValue: String(name)) else {
          throw ValidationError("no such profile: \(name). Choose from \(profiles).")
        }
        return profile
      })
  }

  func validate() throws {
    guard 0...5_000_000 ~= customers else { throw ValidationError("--customers takes 0 to 5000000.") }
    for url in [webhookURL, callbackURL].compactMap({ $0 }) {
      guard url.hasPrefix("http://") || url.hasPrefix("https://") else {
        throw ValidationError("\(url) is no http or https URL.")
      }
    }
    if let retryAfter, !(0.001...86_400 ~= retryAfter) {
      throw ValidationError("--retry-after takes 0.001 to 86400 seconds.")
    }
  }

  func run() async throws {
    var options = SandboxOptions(invoicedAddress: invoiced, pmsAddress: pms)
    options.invoiced.webhookURL = webhookURL
    options.pms.callbackURL = callbackURL
    options.customers = customers
    options.seed = seed
    options.faults = faults
    if let retryAfter { options.retryWebhooks(after: .milliseconds(Int64(retryAfter * 1000))) }

    let loop = try EventLoop()
    let (signals, continuation) = AsyncStream.makeStream(of: Int32.self)
    for number in [SIGINT, SIGTERM] { try loop.onSignal(number) { continuation.yield(number) } }
    let sandbox = try await Sandbox.start(options, loop: loop)
    Self.say(
      """
      Invoiced  \(sandbox.invoiced.url)  API key \(options.invoiced.apiKey), \
      webhook secret \(options.invoiced.webhookSecret), \(customers) customers
                webhooks to \(webhookURL ?? "nobody (--webhook-url)")
      PMS       \(sandbox.pms.url)  bearer \(options.pms.token), callback secret \(options.pms.callbackSecret)
                callbacks to \(callbackURL ?? "nobody (--callback-url)")
      Faults    \(faults.isEmpty ? "none" : faults.map(\.rawValue).sorted().joined(separator: ", ")), seed \(seed)
      Ctrl-C ends it.

      """)
    for await _ in signals { break }
    await sandbox.stop()
    loop.stop()
  }

  /// To standard error, at once.
  private static func say(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}

extension ListenAddress: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
  public var defaultValueDescription: String { description }
}
