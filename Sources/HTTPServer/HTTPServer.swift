import EventLoop
import HTTP
import Synchronization

/// An HTTP/1.1 server on one address, by evhttp, on one event loop. What is malformed, too large or too slow it answers
/// itself, with `application/problem+json`; every other request, whatever its method, reaches the handler.
///
/// It serves until `drain` or `close` is called or it is released.
public final class HTTPServer: Sendable {
  /// Called on the loop's thread, and must not block; the responder may be used from any thread, then or later.
  public typealias Handler = @Sendable (HTTPRequest, HTTPResponder) -> Void

  /// What the application would say to a request, judged by its head alone: nil where it needs the body. Asked before a
  /// body is refused as too large or, at `Expect: 100-continue`, is called for; on the loop's thread.
  public typealias Preflight = @Sendable (_ method: String, _ path: String, _ remoteAddress: String) -> HTTPResponse?

  /// The port it listens on; the one that the system chose where the configuration says 0.
  public let port: Int
  private let core: ServerCore
  private let configuration: Mutex<HTTPServerConfiguration>

  /// Binds and starts. The loop must outlive the server's last request.
  public init(
    configuration: HTTPServerConfiguration, loop: EventLoop, preflight: @escaping Preflight = { _, _, _ in nil },
    handler: @escaping Handler
  ) throws(HTTPServerError) {
    let tls = try configuration.tls.map { (files) throws(HTTPServerError) in try TLSContext(files) }
    let socket = try ListeningSocket(configuration.address, sharesPort: configuration.sharesPort)
    port = socket.port
    self.configuration = Mutex(configuration)
    core = ServerCore(
      loop: loop, limits: Limits(configuration), tls: tls, preflight: preflight, handler: handler)
    core.start(listeningOn: socket.descriptor)
  }

  /// The same with a handler that may wait; each request gets a task of its own.
  public convenience init(
    configuration: HTTPServerConfiguration, loop: EventLoop, preflight: @escaping Preflight = { _, _, _ in nil },
    asyncHandler: @Sendable @escaping (HTTPRequest) async -> HTTPResponse
  ) throws(HTTPServerError) {
    try self.init(configuration: configuration, loop: loop, preflight: preflight) { request, responder in
      Task { responder.respond(await asyncHandler(request)) }
    }
  }

  deinit { close() }

  /// Reads certificate, key and authorities anew, for connections made from now on. Where they can't be used it throws,
  /// and the old ones stay.
  public func reloadTLS() throws(HTTPServerError) { try reload(configuration.withLock { $0 }) }

  /// Takes new limits and TLS files; the address stays what it was. Where the files can't be used it throws, and
  /// everything stays as it was.
  public func reload(_ new: HTTPServerConfiguration) throws(HTTPServerError) {
    let tls = try new.tls.map { (files) throws(HTTPServerError) in try TLSContext(files) }
    configuration.withLock { $0 = new }
    core.apply(Limits(new), tls: tls)
  }

  /// Stops accepting, closes idle connections, finishes the requests whose first byte has come, and returns when all
  /// are answered; after `limit` what is left is cut off.
  public func drain(within limit: Duration) async { await core.drain(within: limit) }

  /// Cuts everything off.
  public func close() { core.close() }
}

/// What may change while a server runs, in the units that the loop reckons with.
struct Limits: Sendable {
  var maxBody: Int
  var maxHeaderBytes: Int
  var maxConnections: Int
  var readTimeout: UInt64
  var idleTimeout: UInt64

  init(_ configuration: HTTPServerConfiguration) {
    maxBody = configuration.maxBody
    maxHeaderBytes = configuration.maxHeaderBytes
    maxConnections = max(1, configuration.maxConnections)
    readTimeout = nanoseconds(configuration.readTimeout)
    idleTimeout = nanoseconds(configuration.idleTimeout)
  }
}

private func nanoseconds(_ duration: Duration) -> UInt64 {
  let (seconds, attoseconds) = duration.components
  return UInt64(clamping: max(0, min(seconds, 1 << 31))) * 1_000_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000)
}
