import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import SeededRandom
import Synchronization

/// Between the service and the two sides, both ways: the one place where calls and webhooks are delayed, lost,
/// doubled and refused.
final class Network: Sendable {
  static let hosts: [Side: String] = [.invoiced: "invoiced.simulation", .pms: "pms.simulation"]

  private struct CallKey: Hashable {
    var side: Side
    var isWrite: Bool
    var ordinal: Int
  }
  private struct WebhookKey: Hashable {
    var side: Side
    var ordinal: Int
  }

  private struct State: Sendable {
    var calls: [CallKey: Int] = [:]
    var webhooks: [Side: Int] = [:]
    var latency: SeededGenerator
    var former: [String: Former] = [:]
  }

  /// What a record looked like before its last write.
  private struct Former: Sendable {
    var response: HTTPResponse
    var until: Int64
  }

  private let timeline: Timeline
  private let trace: Trace
  private let brief: Brief
  private let systems: [Side: any SimulatedSystem]
  private let surroundings: Surroundings
  private let start: Int64
  private let calmAt: Int64
  private let faults: [CallKey: CallFault.Kind]
  private let webhookFaults: [WebhookKey: WebhookFault.Kind]
  private let outages: [OutageWindow]
  private let observer: any NetworkObserver
  private let state: Mutex<State>

  /// How old a former value may be for a read to show it.
  private static let lag: Int64 = 3000

  init(
    _ scenario: Scenario, systems: [Side: any SimulatedSystem], timeline: Timeline, trace: Trace,
    generator: SeededGenerator, observer: any NetworkObserver
  ) {
    self.timeline = timeline
    self.trace = trace
    brief = Brief(scenario.mapping)
    self.systems = systems
    self.observer = observer
    surroundings = scenario.surroundings
    start = timeline.now
    calmAt = timeline.now + scenario.calmAt
    outages = scenario.outages
    faults = Dictionary(
      scenario.faults.map { (CallKey(side: $0.side, isWrite: $0.isWrite, ordinal: $0.ordinal), $0.kind) }
    ) { first, _ in first }
    webhookFaults = Dictionary(
      scenario.webhookFaults.map { (WebhookKey(side: $0.side, ordinal: $0.ordinal), $0.kind) }
    ) { first, _ in first }
    state = Mutex(State(latency: generator))
  }

  private func system(_ side: Side) -> any SimulatedSystem {
    guard let system = systems[side] else { preconditionFailure("both sides are simulated") }
    return system
  }

  private func draw(_ most: Int64) -> Int64 { state.withLock { $0.latency.number(in: 1...max(1, most)) } }
  private var isCalm: Bool { timeline.now >= calmAt }

  // MARK: The service's calls

  /// What became of a call, as the caller learns it.
  typealias Outcome = Result<HTTPResponse, HTTPClientError>

  func send(
    _ request: HTTPRequest, timeout: Duration?, from process: SimulatedProcess
  ) async throws(HTTPClientError) -> HTTPResponse {
    guard let side = Side.allCases.first(where: { request.target.hasPrefix("http://\(Self.hosts[$0] ?? "")/") }) else {
      throw .invalidURL(reason: "\(request.target) is no address of the simulation")
    }
    let outcome: Outcome? = await process.wait { waiter in
      depart(request.relative, to: side, patience: timeout ?? .seconds(30)) { waiter.resume($0) }
    }
    guard let outcome else { throw .cancelled }
    return try outcome.get()
  }

  private func depart(
    _ request: HTTPRequest, to side: Side, patience: Duration, _ answer: @escaping @Sendable (Outcome) -> Void
  ) {
    let host = Self.hosts[side] ?? ""
    let isWrite = request.method != "GET"
    let ordinal = state.withLock { state in
      let key = CallKey(side: side, isWrite: isWrite, ordinal: 0)
      state.calls[key, default: 0] += 1
      return state.calls[key] ?? 0
    }
    let fault = fault(of: CallKey(side: side, isWrite: isWrite, ordinal: ordinal))
    if isWrite {
      observer.departs(request, to: side, isDisturbed: fault != nil)
      switch fault {
      case .refused, .lostRequest, .gateway, .tooMany: break
      default: observer.underWay(request, to: side, by: 1)
      }
    }
    trace.note(
      "call", request.body + request.target.utf8,
      "  \(side.rawValue) <- \(line(request))\(fault.map { "   !! \($0)" } ?? "")")
    let (there, back) = (draw(surroundings.latency), draw(surroundings.latency))
    let arrival = timeline.now + there
    let patience = timeline.now + patience.components.seconds * 1000
    let timedOut = Outcome.failure(.unanswered(host: host, cause: "it timed out"))

    switch fault {
    case .refused:
      later(arrival, answer, .failure(.notSent(host: host, cause: "the connection is refused")))
    case .lostRequest:
      later(patience, answer, timedOut)
    case .lostAnswer:
      timeline.schedule(at: arrival) { _ = self.arrive(request, at: side, .none) }
      later(patience, answer, timedOut)
    case .arrivesLate(let delay):
      timeline.schedule(at: patience + delay) { _ = self.arrive(request, at: side, .none) }
      later(patience, answer, timedOut)
    case .gateway(let status):
      later(
        arrival + back, answer,
        .success(
          HTTPResponse(
            status: status, headers: ["Content-Type": "text/html"], body: Array("<h1>\(status)</h1>".utf8))))
    case .tooMany(let seconds):
      var response = HTTPResponse(status: 429, headers: ["Content-Type": "application/json"], body: Array("{}".utf8))
      if let seconds { response.headers["Retry-After"] = "\(seconds)" }
      later(arrival + back, answer, .success(response))
    case .slow, .stale, .missingRow, .doubledRow, .emptyPage, .serverError, nil:
      let wait = if case .slow(let span) = fault { back + span } else { back }
      timeline.schedule(at: arrival) {
        let (outcome, delay) = self.arrive(request, at: side, fault)
        let due = self.timeline.now + delay + wait
        if due > patience {
          self.later(patience, answer, timedOut)
        } else {
          self.later(due, answer, outcome)
        }
      }
    }
  }

  private func fault(of call: CallKey) -> CallFault.Kind? {
    let since = timeline.now - start
    if let outage = outages.first(where: { $0.side == call.side && $0.from <= since && since < $0.until }) {
      return outage.isRefusing ? .refused : .gateway(503)
    }
    return isCalm ? nil : faults[call]
  }

  private func later(_ time: Int64, _ answer: @escaping @Sendable (Outcome) -> Void, _ outcome: Outcome) {
    timeline.schedule(at: time) { answer(outcome) }
  }

  /// The side has the request in its hands.
  private func arrive(_ request: HTTPRequest, at side: Side, _ fault: CallFault.Kind?) -> (Outcome, delay: Int64) {
    let system = system(side)
    let isWrite = request.method != "GET"
    if !isWrite, fault == .stale, let former = former(of: request, on: side) {
      trace.note("stale", [], "     the answer shows a former value")
      return (.success(former), 0)
    }
    if isWrite { keepFormer(request, on: side) }
    if case .serverError(let carriedOut) = fault {
      let order: JSONValue = ["next": 1, "status": 500, "after": .bool(carriedOut)]
      _ = system.handle(
        HTTPRequest(method: "POST", target: "/_sandbox/fail", body: order.serialized), now: timeline.now)
    }
    if isWrite { observer.underWay(request, to: side, by: -1) }
    let before = isWrite ? record(request, on: side) : nil
    let count = isWrite ? system.customers.count : 0
    let answer = system.handle(request, now: timeline.now)
    if isWrite {
      let customers = system.customers
      let made = customers.count > count ? customers.last : nil
      observer.arrived(request, at: side, before: before, made: made)
    }
    dispatch(answer.deliveries, of: side)
    guard var response = answer.response else {
      return (.failure(.unanswered(host: Self.hosts[side] ?? "", cause: "the connection was reset")), answer.delay)
    }
    if !isWrite, let fault, request.isWalk { response.body = FalsePage.altered(response.body, by: fault) }
    trace.note(
      "answer", response.body, "  \(side.rawValue) -> \(response.status) \(self.brief.text(response.body))")
    return (.success(response), answer.delay)
  }

  private func line(_ request: HTTPRequest) -> String {
    "\(request.method) \(request.target)" + (request.body.isEmpty ? "" : " " + brief.text(request.body))
  }

  // MARK: Reads that lag behind

  private func record(_ request: HTTPRequest, on side: Side) -> JSONValue? {
    guard request.method != "POST" else { return nil }
    let id = request.path.split(separator: "/").last.map(String.init)
    return system(side).customers.first { $0["id"]?.identifier == id }
  }

  private func keepFormer(_ request: HTTPRequest, on side: Side) {
    guard request.method == "PATCH" else { return }
    let read = HTTPRequest(method: "GET", target: String(request.path), headers: request.headers)
    guard let response = system(side).handle(read, now: timeline.now).response, response.status == 200 else { return }
    let former = Former(response: response, until: timeline.now)
    state.withLock { $0.former["\(side.rawValue)\(request.path)"] = former }
  }

  private func former(of request: HTTPRequest, on side: Side) -> HTTPResponse? {
    let now = timeline.now
    return state.withLock { state in
      guard let former = state.former["\(side.rawValue)\(request.path)"], now - former.until < Self.lag else {
        return nil
      }
      return former.response
    }
  }

  // MARK: What people do

  /// An edit at a side's own pages; the record as it is kept then, nil where the side refuses it.
  func edit(_ method: String, _ path: String, _ body: JSONValue?, on side: Side, isSilent: Bool) -> JSONValue? {
    let request = HTTPRequest(
      method: method, target: isSilent ? path + "?silent=1" : path, headers: ["Content-Type": "application/json"],
      body: body?.serialized ?? [])
    if method == "PATCH" {
      let credentials: HTTPHeaders = [
        "Authorization": side == .pms ? "Bearer \(PMSOptions().token)" : "Bearer \(InvoicedOptions().apiKey)"
      ]
      keepFormer(HTTPRequest(method: "PATCH", target: path, headers: credentials), on: side)
    }
    let answer = system(side).edit(request, now: timeline.now)
    dispatch(answer.deliveries, of: side)
    guard let response = answer.response, 200..<300 ~= response.status else {
      trace.note(
        "refused", answer.response?.body ?? [], "     refused: \(self.brief.text(answer.response?.body ?? []))")
      return nil
    }
    return (try? JSONValue(parsing: response.body)) ?? .null
  }

  // MARK: Webhooks

  private func dispatch(_ deliveries: [Delivery], of side: Side) {
    for delivery in deliveries {
      let ordinal = state.withLock { state in
        state.webhooks[side, default: 0] += 1
        return state.webhooks[side] ?? 0
      }
      var due = max(delivery.due, timeline.now) + draw(surroundings.webhookLatency)
      switch isCalm ? nil : webhookFaults[WebhookKey(side: side, ordinal: ordinal)] {
      case .lost:
        trace.note("lost", [], "     a webhook of \(side.title) is lost")
        _ = system(side).settled(delivery, .cancelled, now: timeline.now)
        continue
      case .doubled(let gap): deliver(delivery, of: side, at: due + gap, isCopy: true)
      case .delayed(let span): due += span
      case nil: break
      }
      deliver(delivery, of: side, at: due, isCopy: false)
    }
  }

  private func deliver(_ delivery: Delivery, of side: Side, at due: Int64, isCopy: Bool) {
    timeline.schedule(at: due) {
      let system = self.system(side)
      guard let request = system.outgoing(delivery, now: self.timeline.now) else { return }
      self.trace.note(
        "webhook", request.body, "  \(side.rawValue) => webhook \(self.brief.text(request.body))")
      self.observer.receive(request, from: side) { status in
        if isCopy { return }
        self.trace.note("received", [UInt8(truncatingIfNeeded: status)], "     answered \(status)")
        let outcome: DeliveryOutcome = status == 0 ? .failed("no connection") : .answered(status: status)
        for next in system.settled(delivery, outcome, now: self.timeline.now) {
          self.deliver(next, of: side, at: next.due, isCopy: false)
        }
      }
    }
  }
}

/// What looks on, and takes webhooks in.
protocol NetworkObserver: Sendable {
  /// The service sends a write, which something befalls where `isDisturbed`.
  func departs(_ request: HTTPRequest, to side: Side, isDisturbed: Bool)
  /// A write is on its way to a side, or has arrived.
  func underWay(_ request: HTTPRequest, to side: Side, by change: Int)
  /// A side has answered a write of the service's; `before` is the record as it stood, `made` a new one.
  func arrived(_ request: HTTPRequest, at side: Side, before: JSONValue?, made: JSONValue?)
  /// `answer` is given the status, 0 where nobody listens.
  func receive(_ request: HTTPRequest, from side: Side, _ answer: @escaping @Sendable (Int) -> Void)
}

/// The network as one run of the service sees it.
struct SimulatedTransport: HTTPTransport {
  let network: Network
  let process: SimulatedProcess

  nonisolated(nonsending) func send(
    _ request: HTTPRequest, timeout: Duration?
  ) async throws(HTTPClientError) -> HTTPResponse {
    try await network.send(request, timeout: timeout, from: process)
  }
}

/// Lies about listings: rows left out, doubled, or all of them gone.
private enum FalsePage {
  static func altered(_ body: [UInt8], by fault: CallFault.Kind) -> [UInt8] {
    guard var page = try? JSONValue(parsing: body), var rows = page.array ?? page["data"]?.array, !rows.isEmpty else {
      return body
    }
    switch fault {
    case .missingRow(let index): rows.remove(at: index % rows.count)
    case .doubledRow(let index): rows.insert(rows[index % rows.count], at: index % rows.count)
    case .emptyPage: rows = []
    case .refused, .lostRequest, .lostAnswer, .arrivesLate, .gateway, .tooMany, .serverError, .slow, .stale:
      return body
    }
    if page.array != nil { return JSONValue.array(rows).serialized }
    page.set(.array(rows), at: JSONPath([.key("data")]))
    return page.serialized
  }
}

extension HTTPRequest {
  /// A page of everything, or of what has changed; a search that leaves its only hit out can't be found out.
  fileprivate var isWalk: Bool {
    let names = (query ?? "").split(separator: "&").map { $0.prefix { $0 != "=" } }
    let paging: Set<Substring> = ["page", "per_page", "sort", "updated_after", "updated_since"]
    return path == "/customers" && names.allSatisfy(paging.contains)
  }

  /// With the path alone as its target, as a server sees it.
  fileprivate var relative: HTTPRequest {
    var request = self
    let path = target.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }
    request.target = String(path)
    return request
  }

}
