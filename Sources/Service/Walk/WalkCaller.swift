import Connectors
import Mapping
import Sync

/// Calls a side for a walk or an audit. One answer in a million that fails doesn't break off what took an hour: a call
/// whose trouble may pass is made again, within a minute.
struct WalkCaller: Sendable {
  let context: EngineContext
  let side: Side
  /// Whether a closed gate ends it; what only reads may go on where pushes are paused.
  var keepsToGate = true

  private static let tries = 8
  private static let longestPause: Duration = .seconds(5)
  /// A side that asks for a longer pause is left alone until the next walk.
  private static let longestWait: Duration = .seconds(60)

  func call<Result: Sendable>(
    _ body: (any Connector) async throws(ConnectorError) -> Result
  ) async throws(WalkError) -> Result {
    var failures = 0
    while true {
      if Task.isCancelled { throw .cancelled }
      if keepsToGate { try await waitForGate() }
      do throws(ConnectorError) {
        return try await context.gate(side).call(for: nil) { () async throws(ConnectorError) in
          try await body(context.connector(side))
        }
      } catch {
        failures += 1
        guard let pause = pause(after: error, failures) else { throw .side(error) }
        try await sleep(pause)
      }
    }
  }

  /// Nil where another try is of no use.
  private func pause(after error: ConnectorError, _ failures: Int) -> Duration? {
    guard failures < Self.tries else { return nil }
    var asked: Duration = .zero
    switch error {
    case .notSent, .unanswered: break
    case .refused(_, let status, _, _, let after):
      guard ConnectorError.passes(status) else { return nil }
      asked = .seconds(after ?? 0)
    case .unreadable, .unsendable, .overtaken, .tooLarge, .cancelled: return nil
    }
    guard asked <= Self.longestWait else { return nil }
    let settings = context.settings
    return max(asked, min(settings.retryFirst * (1 << (failures - 1)), settings.retryMost, Self.longestPause))
  }

  /// A breaker may close in a moment; a pause lifts when someone sees to it.
  private func waitForGate() async throws(WalkError) {
    let gate = context.gate(side)
    let end = context.clock.now.adding(context.settings.breakerProbe * 3)
    while let reason = gate.closedReason {
      guard gate.pause == nil, context.clock.now < end else { throw .closed(side, reason) }
      try await sleep(min(context.settings.breakerProbe, .milliseconds(100)))
    }
  }

  private func sleep(_ duration: Duration) async throws(WalkError) {
    do { try await context.clock.sleep(for: duration) } catch { throw .cancelled }
  }
}
