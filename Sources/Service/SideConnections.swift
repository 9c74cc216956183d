import Connectors
import EventLoop
import HTTPClient
import Mapping

/// The connectors of both sides, and the clients and the loop that they run on.
public final class SideConnections: Sendable {
  public var connectors: [Side: any Connector] { [.invoiced: invoiced, .pms: pms] }
  private let invoiced: InvoicedConnector
  private let pms: PMSConnector
  private let loop: EventLoop
  private let clients: [HTTPClient]

  public convenience init(
    _ configuration: Configuration, clock: any ServiceClock = SystemClock()
  ) throws(ServiceError) {
    let loop: EventLoop
    do { loop = try EventLoop() } catch { throw .failed("\(error)") }
    do throws(ServiceError) {
      try self.init(configuration, clock: clock, loop: loop)
    } catch {
      loop.stop()
      throw error
    }
  }

  private init(
    _ configuration: Configuration, clock: any ServiceClock, loop: EventLoop
  ) throws(ServiceError) {
    self.loop = loop
    do {
      let invoiced = try HTTPClient(
        loop: loop,
        configuration: HTTPClientConfiguration(
          timeout: configuration.invoiced.timeout, ca: configuration.invoiced.ca,
          maxConnectionsPerHost: configuration.invoiced.concurrency))
      let pms = try HTTPClient(
        loop: loop,
        configuration: HTTPClientConfiguration(
          timeout: configuration.pms.timeout, ca: configuration.pms.ca,
          maxConnectionsPerHost: configuration.pms.concurrency))
      clients = [invoiced, pms]
      self.invoiced = InvoicedConnector(
        url: configuration.invoiced.url, apiKey: configuration.invoiced.apiKey, timeout: configuration.invoiced.timeout,
        transport: invoiced, now: { clock.now })
      self.pms = PMSConnector(configuration.pms.endpoint, transport: pms, now: { clock.now })
    } catch {
      throw .failed("\(error)")
    }
  }

  /// Connections of another configuration, on the same loop. The old ones close by themselves when the last call that
  /// uses them has its answer.
  func renewed(_ configuration: Configuration, clock: any ServiceClock) throws(ServiceError) -> SideConnections {
    let renewed = try SideConnections(configuration, clock: clock, loop: loop)
    renewed.invoiced.keepTime(of: invoiced)
    renewed.pms.keepTime(of: pms)
    return renewed
  }

  /// Ends what is in flight, and the loop.
  public func close() {
    for client in clients { client.shutdown() }
    loop.stop()
  }
}
