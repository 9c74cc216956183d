import HTTP
import HTTPServer
import JSON
import Logging
import Mapping
import Signatures
import Store
import Sync

/// Takes an event in: checks its signature, stores it, and only then answers (rules 1 to 4).
public final class Intake: Sendable {
  private let store: any Store
  private let clock: any ServiceClock
  private let metrics: Metrics
  private let logger: Logger
  /// Called when an event is durable and waits for work.
  private let accepted: @Sendable (RecordKey) -> Void

  public init(
    store: any Store, clock: any ServiceClock, metrics: Metrics, logger: Logger,
    accepted: @escaping @Sendable (RecordKey) -> Void
  ) {
    self.store = store
    self.clock = clock
    self.metrics = metrics
    self.logger = logger
    self.accepted = accepted
  }

  /// Answers one POST; `answer` runs once, here or where the store delivers.
  package func receive(
    _ request: HTTPRequest, at endpoint: EventEndpoint, answer: @escaping @Sendable (HTTPResponse) -> Void
  ) {
    let now = clock.now
    let side = endpoint.side
    let verdict = endpoint.verifier.verify(
      body: request.body, headers: request.headers.all, now: now.milliseconds / 1000)
    if case .invalid(let reason) = verdict {
      metrics.received(side, .rejected)
      logger.warning(
        "a call was refused",
        metadata: [
          LogKey.side: "\(side.rawValue)", LogKey.address: "\(request.remoteAddress)", LogKey.reason: "\(reason)",
        ])
      answer(.problem(401, detail: "The signature is missing or wrong, or its timestamp is too far from now."))
      return
    }
    guard Self.isJSON(request.headers["Content-Type"]) else {
      metrics.received(side, .rejected)
      answer(.problem(415, detail: "Content-Type must be application/json."))
      return
    }
    let event: NewEvent
    do throws(EventEndpoint.Unreadable) { event = try endpoint.event(in: request, at: now) } catch {
      refuse(request, endpoint, error.reason, now, answer)
      return
    }
    #if SABOTAGE
      if Sabotage.breaks(.answersBeforeStoring) { return stored(event, .success(.accepted(id: 0)), answer) }
    #endif
    store.append(event) { result in self.stored(event, result, answer) }
  }

  private func stored(
    _ event: NewEvent, _ result: Result<Receipt, StoreError>, _ answer: @Sendable (HTTPResponse) -> Void
  ) {
    switch result {
    case .success(.duplicate):
      metrics.received(event.side, .duplicate)
      answer(.outcome("duplicate", event: event.eventID))
    case .success(.forgotten):
      metrics.received(event.side, .ignored)
      answer(.outcome("ignored", event: event.eventID))
    case .success(.accepted):
      if event.state == .ignored {
        metrics.received(event.side, .ignored)
        answer(.outcome("ignored", event: event.eventID))
        return
      }
      metrics.received(event.side, .accepted)
      answer(.outcome("accepted", event: event.eventID))
      if let record = event.record { accepted(RecordKey(event.side, record)) }
    case .failure(let error): unavailable(event.side, error, answer)
    }
  }

  private func unavailable(_ side: Side, _ error: StoreError, _ answer: (HTTPResponse) -> Void) {
    metrics.received(side, .unavailable)
    logger.error(
      "an event could not be stored",
      metadata: [
        LogKey.side: "\(side.rawValue)", LogKey.error: "\(error)",
        LogKey.nextStep: "the sender tries again; see that the store's disk has room and is writable",
      ])
    answer(.problem(503, detail: "The event could not be stored. Send it again.", headers: ["Retry-After": "5"]))
  }

  /// The PMS is told; from Invoiced, which would switch the endpoint off over one such event, it is kept and parked.
  private func refuse(
    _ request: HTTPRequest, _ endpoint: EventEndpoint, _ reason: String, _ now: Timestamp,
    _ answer: @escaping @Sendable (HTTPResponse) -> Void
  ) {
    guard endpoint.side == .invoiced else {
      metrics.received(endpoint.side, .rejected)
      answer(.problem(400, detail: "The body can't be read as an event: \(reason)."))
      return
    }
    let event = endpoint.unreadable(request, reason: reason, at: now)
    let (metrics, logger) = (metrics, logger)
    store.append(event) { result in
      switch result {
      case .failure(let error): self.unavailable(.invoiced, error, answer)
      case .success:
        metrics.received(.invoiced, .parked)
        logger.warning(
          "an event can't be read and is parked",
          metadata: [
            LogKey.event: "\(event.eventID)", LogKey.reason: "\(reason)",
          ])
        answer(.json(#"{"status":"parked"}"#))
      }
    }
  }

  /// `application/json`, whatever its parameters and case (RFC 9110 section 8.3).
  static func isJSON(_ contentType: String?) -> Bool {
    guard let contentType else { return false }
    if contentType.isSameASCII("application/json") { return true }
    let end = contentType.utf8.firstIndex(of: UInt8(ascii: ";")) ?? contentType.endIndex
    var type = contentType[..<end]
    while let last = type.utf8.last, last == 0x20 || last == 0x09 { type = Substring(type.utf8.dropLast()) }
    return type.isSameASCII("application/json")
  }
}

extension HTTPResponse {
  private static let jsonHeaders: HTTPHeaders = ["Content-Type": "application/json"]

  static func json(_ text: String, status: Int = 200) -> HTTPResponse {
    HTTPResponse(status: status, headers: jsonHeaders, body: Array(text.utf8))
  }

  static func json(_ value: JSONValue, status: Int = 200) -> HTTPResponse {
    HTTPResponse(status: status, headers: jsonHeaders, body: value.serialized)
  }

  static func outcome(_ status: String, event: String) -> HTTPResponse {
    var body: [UInt8] = []
    body.reserveCapacity(64)
    body.append(contentsOf: #"{"status":""#.utf8)
    body.append(contentsOf: status.utf8)
    body.append(contentsOf: #"","event":"#.utf8)
    body.append(contentsOf: JSONValue.string(event).serialized)
    body.append(UInt8(ascii: "}"))
    return HTTPResponse(status: 200, headers: jsonHeaders, body: body)
  }
}
