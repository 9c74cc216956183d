public import EventLoop
public import HTTP

/// An HTTP/1.1 and HTTP/2 client on libcurl, whose connections are kept, and run on the loop's thread.
///
/// It follows no redirect, verifies TLS, uses the environment's proxies (never for this machine itself), and sends no
/// request twice that isn't idempotent. Usable from any thread. Shut it down before its loop stops.
public final class HTTPClient: HTTPTransport {
  private let loop: EventLoop
  private let configuration: HTTPClientConfiguration
  private let multi: Multi

  /// Throws when the `ca` file holds no certificate.
  public init(
    loop: EventLoop, configuration: HTTPClientConfiguration = HTTPClientConfiguration()
  ) throws(HTTPClientError) {
    self.loop = loop
    self.configuration = configuration
    multi = try Multi(loop: loop, configuration: configuration, trust: TrustStore(ca: configuration.ca))
  }

  deinit { shutdown() }

  public nonisolated(nonsending) func send(
    _ request: HTTPRequest, timeout: Duration? = nil
  ) async throws(HTTPClientError) -> HTTPResponse {
    let exchange = try Exchange(
      request, timeout: timeout ?? configuration.timeout, configuration: configuration)
    let (loop, multi) = (loop, multi)
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let start = { @Sendable in if exchange.resume(to: continuation) { multi.start(exchange) } }
        if loop.isCurrentThread { start() } else { loop.finish(start) }
      }
    } onCancel: {
      loop.finish { multi.abandon(exchange, because: .cancelled) }
    }
    return try outcome.get()
  }

  /// Ends what is in flight with an error, closes all connections, and refuses what comes later.
  public func shutdown() {
    loop.finish { [multi] in multi.close() }
  }
}
