import HTTP
import HTTPClient
import Mapping
import Sandbox
import Sync
import Synchronization

/// Calls the simulated systems without a network, and lets a test step between.
final class LocalTransport: HTTPTransport {
  /// What a test makes of a request: an answer of its own, a failure, or nil to let the next one have it.
  typealias Hook = @Sendable (Side, HTTPRequest) async throws(HTTPClientError) -> HTTPResponse?

  private let clock: ManualClock
  private let systems: [Side: any SimulatedSystem]
  private let state = Mutex((hooks: [Hook](), deliveries: [(side: Side, delivery: Delivery)]()))

  init(clock: ManualClock, invoiced: InvoicedSandbox, pms: PMSSandbox) {
    self.clock = clock
    systems = [.invoiced: invoiced, .pms: pms]
  }

  /// The hook that came last is asked first.
  func add(_ hook: @escaping Hook) { state.withLock { $0.hooks.insert(hook, at: 0) } }
  func removeHooks() { state.withLock { $0.hooks = [] } }

  /// Webhooks that are due, no longer kept here.
  func takeDeliveries() -> [(side: Side, delivery: Delivery)] {
    let now = clock.now.milliseconds
    return state.withLock { state in
      let due = state.deliveries.filter { $0.delivery.due <= now }
      state.deliveries.removeAll { $0.delivery.due <= now }
      return due
    }
  }

  var nextDelivery: Int64? { state.withLock { $0.deliveries.map(\.delivery.due).min() } }

  func add(_ deliveries: [Delivery], of side: Side) {
    state.withLock { $0.deliveries += deliveries.map { (side, $0) } }
  }

  nonisolated(nonsending) func send(
    _ request: HTTPRequest, timeout: Duration?
  ) async throws(HTTPClientError) -> HTTPResponse {
    let side: Side = request.target.hasPrefix("http://invoiced.test") ? .invoiced : .pms
    for hook in state.withLock({ $0.hooks }) {
      if let response = try await hook(side, request) { return response }
    }
    return try carryOut(request, side)
  }

  /// The request as the system takes it.
  func carryOut(_ request: HTTPRequest, _ side: Side) throws(HTTPClientError) -> HTTPResponse {
    var local = request
    let rest = request.target.drop { $0 != "/" }.dropFirst(2)
    local.target = String(rest.drop { $0 != "/" })
    let answer = systems[side]!.handle(local, now: clock.now.milliseconds)
    add(answer.deliveries, of: side)
    guard let response = answer.response else {
      throw .unanswered(host: "\(side.rawValue).test", cause: "the connection was reset")
    }
    return response
  }
}
