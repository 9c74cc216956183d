import EventLoop
import HTTPClient
import HTTPServer
import SeededRandom

/// How both simulated systems are started.
public struct SandboxOptions: Sendable {
  /// Port 0 lets the system choose.
  public var invoicedAddress: ListenAddress
  public var pmsAddress: ListenAddress
  /// Their `faults` are set by `faults` below.
  public var invoiced = InvoicedOptions()
  public var pms = PMSOptions()
  /// How many made-up customers Invoiced has from the start.
  public var customers = 0
  /// Everything random comes from it: customers, ids, faults.
  public var seed: UInt64 = 1
  public var faults: Set<FaultProfile> = []

  public init(
    invoicedAddress: ListenAddress = ListenAddress(host: "127.0.0.1", port: 0),
    pmsAddress: ListenAddress = ListenAddress(host: "127.0.0.1", port: 0)
  ) {
    self.invoicedAddress = invoicedAddress
    self.pmsAddress = pmsAddress
  }

  /// Lets failed webhooks of both sides come again after `gap`, in place of Invoiced's hour and the PMS's own schedule.
  public mutating func retryWebhooks(after gap: Duration) {
    let (seconds, attoseconds) = gap.components
    let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
    invoiced.retries.gaps = [milliseconds]
    pms.retries.gaps = [milliseconds]
  }
}

/// Both simulated systems, on their ports, until they are stopped.
public final class RunningSandbox: Sendable {
  public let invoiced: SandboxSide<InvoicedSandbox>
  public let pms: SandboxSide<PMSSandbox>
  public var invoicedPort: Int { invoiced.port }
  public var pmsPort: Int { pms.port }
  private let client: HTTPClient
  private let ownLoop: EventLoop?

  init(_ options: SandboxOptions, loop given: EventLoop?) throws(SandboxError) {
    let generator = SeededGenerator(seed: options.seed)
    var (invoicedOptions, pmsOptions) = (options.invoiced, options.pms)
    (invoicedOptions.faults, pmsOptions.faults) = (options.faults, options.faults)
    let loop: EventLoop
    do { loop = try given ?? EventLoop() } catch { throw .cannotStart(String(describing: error)) }
    ownLoop = given == nil ? loop : nil
    do {
      client = try HTTPClient(loop: loop, configuration: HTTPClientConfiguration(timeout: .seconds(30)))
      let account = InvoicedSandbox(invoicedOptions, generator: generator.stream(1))
      account.fill(options.customers, now: SandboxClock().now)
      invoiced = try SandboxSide(account, on: options.invoicedAddress, client: client, loop: loop)
      pms = try SandboxSide(
        PMSSandbox(pmsOptions, generator: generator.stream(2)), on: options.pmsAddress, client: client, loop: loop)
    } catch {
      ownLoop?.stop()
      throw .cannotStart(String(describing: error))
    }
  }

  /// Answers what is being asked, drops webhooks that wait, and closes the ports.
  public func stop() async {
    await invoiced.stop()
    await pms.stop()
    client.shutdown()
    ownLoop?.stop()
  }
}

public enum Sandbox {
  /// Starts both systems.
  /// - Parameter loop: Where they run; a loop of their own where none is given.
  public static func start(
    _ options: SandboxOptions, loop: EventLoop? = nil
  ) async throws(SandboxError) -> RunningSandbox {
    try RunningSandbox(options, loop: loop)
  }
}
