import EventLoop
import HTTP
import HTTPClient
import HTTPServer
import JSON

/// One simulated side on a port: answers its API, sends its webhooks, and takes edits as from its own users.
///
/// Beside the system's own pages, `POST /_sandbox/clock {"advance": SECONDS}` moves this side's time on.
public final class SandboxSide<System: SimulatedSystem>: Sendable {
  /// For what needs no network: counters, faults, outages, lost webhooks.
  public let system: System
  public let port: Int
  /// Without a path: `http://127.0.0.1:8601`.
  public let url: String
  private let server: HTTPServer
  private let pump: DeliveryPump
  private let clock: SandboxClock

  init(_ system: System, on address: ListenAddress, client: HTTPClient, loop: EventLoop) throws(HTTPServerError) {
    let clock = SandboxClock()
    let pump = DeliveryPump(system, client: client, loop: loop, clock: clock)
    server = try HTTPServer(configuration: HTTPServerConfiguration(address: address), loop: loop) {
      request, responder in
      if request.path == "/_sandbox/clock" {
        responder.respond(Self.moveClock(request, clock))
        return pump.run()
      }
      let answer = system.handle(request, now: clock.now)
      let finish = { @Sendable in
        switch answer.outcome {
        case .respond(let response): responder.respond(response)
        case .drop: responder.drop()
        }
      }
      if answer.delay > 0 { loop.schedule(after: .milliseconds(answer.delay), finish) } else { finish() }
      pump.add(answer.deliveries)
    }
    self.system = system
    self.pump = pump
    self.clock = clock
    port = server.port
    let isAny = address.host == "0.0.0.0" || address.host == "::"
    url = "http://\(ListenAddress(host: isAny ? "127.0.0.1" : address.host, port: server.port))"
  }

  private static func moveClock(_ request: HTTPRequest, _ clock: SandboxClock) -> HTTPResponse {
    let seconds = (try? JSONValue(parsing: request.body))?["advance"]?.int64
    if request.method == "POST" {
      guard let seconds, 0...31_536_000 ~= seconds else {
        return HTTPResponse(
          status: 400, headers: ["Content-Type": "application/json"],
          body: Array(#"{"error":"{\"advance\": SECONDS} expected, at most a year"}"#.utf8))
      }
      clock.advance(by: seconds * 1000)
    }
    let body: JSONValue = ["now": .string(Timestamp.rfc3339(clock.now))]
    return HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: body.serialized)
  }

  // MARK: Edits as by this side's own users

  /// Creates a customer and returns it as it is kept.
  /// - Parameter silent: No webhook tells of it.
  @discardableResult
  public func create(_ record: JSONValue, silent: Bool = false) throws(SandboxError) -> JSONValue {
    try edit("POST", "/customers", record, silent: silent)
  }

  /// Changes a customer (Invoiced: the properties given; PMS: by RFC 7396) and returns it as it is kept.
  @discardableResult
  public func update(_ id: String, _ patch: JSONValue, silent: Bool = false) throws(SandboxError) -> JSONValue {
    try edit("PATCH", "/customers/\(id)", patch, silent: silent)
  }

  public func delete(_ id: String, silent: Bool = false) throws(SandboxError) {
    try edit("DELETE", "/customers/\(id)", nil, silent: silent)
  }

  /// Any call of the API, as by one of this side's own users.
  @discardableResult
  public func edit(
    _ method: String, _ path: String, _ body: JSONValue?, silent: Bool = false
  ) throws(SandboxError) -> JSONValue {
    let answer = system.edit(
      HTTPRequest(
        method: method, target: silent ? path + "?silent=1" : path, headers: ["Content-Type": "application/json"],
        body: body?.serialized ?? []),
      now: clock.now)
    pump.add(answer.deliveries)
    guard let response = answer.response, 200..<300 ~= response.status else {
      let text = answer.response.map { String(decoding: $0.body, as: UTF8.self) } ?? "no answer"
      throw .refused("\(method) \(path)", status: answer.response?.status ?? 0, text)
    }
    return (try? JSONValue(parsing: response.body)) ?? .null
  }

  func stop() async {
    pump.stop()
    await server.drain(within: .seconds(1))
  }
}

public enum SandboxError: Error, Sendable, CustomStringConvertible {
  case cannotStart(String)
  /// An edit that the simulated system refuses.
  case refused(String, status: Int, String)

  public var description: String {
    switch self {
    case .cannotStart(let reason): "The sandbox can't start: \(reason)"
    case .refused(let call, let status, let text): "The sandbox refused \(call) with \(status): \(text)"
    }
  }
}
