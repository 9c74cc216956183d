import Mapping
import Sync
import Synchronization

/// The contract's metrics (section 7), and their Prometheus text (exposition format 0.0.4).
public final class Metrics: Sendable {
  public enum EventOutcome: Int, Sendable, CaseIterable {
    case accepted, duplicate, ignored, parked, rejected, unavailable
  }
  public enum PushOutcome: String, Sendable, CaseIterable { case ok, retried, parked }

  /// What each event received is counted in: found without hashing.
  private struct Received {
    var counts = Array(repeating: 0, count: EventOutcome.allCases.count)
    var recent = MinuteWindow()
  }

  private struct State {
    var fromInvoiced = Received()
    var fromPMS = Received()
    var pushes: [String: Int] = [:]
    var taken: [Side: [Push.Action: Int]] = [:]
    var pushSeconds: [Side: Histogram] = [:]
    var lagSeconds: [Side: Histogram] = [:]
    var commitSeconds = Histogram(bounds: Histogram.seconds)
    var commitBatch = Histogram(bounds: [1, 2, 5, 10, 20, 50, 100, 200, 500])
    var lastReconcile: Timestamp?
    var recent: [Side: Recent] = [:]

    subscript(received side: Side) -> Received {
      get { side == .invoiced ? fromInvoiced : fromPMS }
      _modify {
        switch side {
        case .invoiced: yield &fromInvoiced
        case .pms: yield &fromPMS
        }
      }
    }
  }

  private struct Recent {
    var pushes = MinuteWindow()
    var lag = MinuteWindow()
  }
  private let state = Mutex(State())

  public init() {}

  public func received(_ side: Side, _ outcome: EventOutcome) {
    let second = MinuteWindow.now
    state.withLock {
      $0[received: side].counts[outcome.rawValue] += 1
      $0[received: side].recent.add(at: second)
    }
  }

  func pushed(_ side: Side, _ action: Push.Action, _ outcome: PushOutcome, _ duration: Duration?) {
    state.withLock { state in
      let labels = #"side="\#(side.rawValue)",action="\#(action.rawValue)",outcome="\#(outcome.rawValue)""#
      state.pushes[labels, default: 0] += 1
      state.recent[side, default: Recent()].pushes.add(at: MinuteWindow.now)
      if outcome == .ok { state.taken[side, default: [:]][action, default: 0] += 1 }
      if let duration {
        state.pushSeconds[side, default: Histogram(bounds: Histogram.seconds)].add(duration.seconds)
      }
    }
  }

  func lag(_ side: Side, _ duration: Duration) {
    state.withLock {
      $0.lagSeconds[side, default: Histogram(bounds: Histogram.seconds)].add(duration.seconds)
      $0.recent[side, default: Recent()].lag.add(duration.seconds, at: MinuteWindow.now)
    }
  }

  public func committed(seconds: Double, batch: Int) {
    state.withLock {
      $0.commitSeconds.add(seconds)
      $0.commitBatch.add(Double(batch))
    }
  }

  /// The last minute of one side: calls received from it, writes sent to it, and the mean lag of its events in seconds.
  func lastMinute(_ side: Side) -> (events: Int, pushes: Int, lag: Double?) {
    let second = MinuteWindow.now
    return state.withLock { state in
      let recent = state.recent[side] ?? Recent()
      return (
        state[received: side].recent.count(at: second), recent.pushes.count(at: second), recent.lag.mean(at: second)
      )
    }
  }

  /// How many writes each side took since the start, by what was written.
  func pushesTaken() -> [Side: [Push.Action: Int]] { state.withLock { $0.taken } }

  public func reconciled(at time: Timestamp) { state.withLock { $0.lastReconcile = time } }

  /// What the store and the gates know at the moment of a scrape.
  struct Gauges: Sendable {
    var depth = 0
    var oldestSeconds = 0.0
    var parked = 0
    var conflicts = 0
    var heldDeletes = 0
    var links: [String: Int] = [:]
    var breakerOpen: [Side: Bool] = [:]
  }

  func text(_ gauges: Gauges) -> String {
    let state = state.withLock { $0 }
    var page = PrometheusText()
    page.family("customer_sync_events_received_total", "counter", "Events received, by what became of them")
    for side in Side.allCases {
      for outcome in EventOutcome.allCases {
        page.sample(
          "customer_sync_events_received_total", #"side="\#(side.rawValue)",outcome="\#(outcome)""#,
          Double(state[received: side].counts[outcome.rawValue]))
      }
    }
    page.gauge("customer_sync_inbox_depth", "Events waiting, running and retrying", Double(gauges.depth))
    page.gauge("customer_sync_inbox_oldest_seconds", "Age of the oldest of them", gauges.oldestSeconds)
    page.family("customer_sync_pushes_total", "counter", "Writes sent to a side")
    for side in Side.allCases {
      for action in Push.Action.allCases {
        for outcome in PushOutcome.allCases {
          let labels = #"side="\#(side.rawValue)",action="\#(action.rawValue)",outcome="\#(outcome.rawValue)""#
          page.sample("customer_sync_pushes_total", labels, Double(state.pushes[labels] ?? 0))
        }
      }
    }
    page.family("customer_sync_push_seconds", "histogram", "Time from sending a write to its answer")
    for side in Side.allCases {
      page.histogram(
        "customer_sync_push_seconds", #"side="\#(side.rawValue)""#,
        state.pushSeconds[side] ?? Histogram(bounds: Histogram.seconds))
    }
    page.family(
      "customer_sync_lag_seconds", "histogram", "Time from an event's receipt to its push, by the event's side")
    for side in Side.allCases {
      page.histogram(
        "customer_sync_lag_seconds", #"side="\#(side.rawValue)""#,
        state.lagSeconds[side] ?? Histogram(bounds: Histogram.seconds))
    }
    page.gauge("customer_sync_parked", "Work that waits for a change or a person", Double(gauges.parked))
    page.gauge("customer_sync_conflicts", "Properties that wait for a person's decision", Double(gauges.conflicts))
    page.gauge(
      "customer_sync_held_deletes", "Deletes that the mass-delete guard holds", Double(gauges.heldDeletes))
    page.family("customer_sync_links", "gauge", "Linked pairs")
    for (flow, count) in gauges.links.sorted(by: { $0.key < $1.key }) {
      page.sample("customer_sync_links", #"flow="\#(PrometheusText.escaped(flow))""#, Double(count))
    }
    page.family("customer_sync_breaker_open", "gauge", "1 while calls to a side are held back because it is down")
    for side in Side.allCases {
      page.sample(
        "customer_sync_breaker_open", #"side="\#(side.rawValue)""#, gauges.breakerOpen[side] == true ? 1 : 0)
    }
    page.family(
      "customer_sync_last_reconcile_timestamp_seconds", "gauge", "When the last reconcile ended; 0 before the first")
    page.sample(
      "customer_sync_last_reconcile_timestamp_seconds", "", Double(state.lastReconcile?.milliseconds ?? 0) / 1000)
    page.family("customer_sync_commit_seconds", "histogram", "Time of a commit of the store")
    page.histogram("customer_sync_commit_seconds", "", state.commitSeconds)
    page.family("customer_sync_commit_batch", "histogram", "Changes that shared a commit")
    page.histogram("customer_sync_commit_batch", "", state.commitBatch)
    return page.text
  }
}

struct Histogram: Sendable {
  static let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]

  let bounds: [Double]
  private(set) var counts: [Int]
  private(set) var sum = 0.0

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
  }

  mutating func add(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
    sum += value
  }
}

struct PrometheusText {
  private(set) var text = ""

  mutating func family(_ name: String, _ type: String, _ help: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  mutating func gauge(_ name: String, _ help: String, _ value: Double) {
    family(name, "gauge", help)
    sample(name, "", value)
  }

  mutating func sample(_ name: String, _ labels: String, _ value: Double) {
    text += labels.isEmpty ? "\(name) \(Self.number(value))\n" : "\(name){\(labels)} \(Self.number(value))\n"
  }

  mutating func histogram(_ name: String, _ labels: String, _ histogram: Histogram) {
    var total = 0
    let comma = labels.isEmpty ? "" : ","
    for (bound, count) in zip(histogram.bounds, histogram.counts) {
      total += count
      sample(name + "_bucket", #"\#(labels)\#(comma)le="\#(Self.number(bound))""#, Double(total))
    }
    total += histogram.counts.last ?? 0
    sample(name + "_bucket", #"\#(labels)\#(comma)le="+Inf""#, Double(total))
    sample(name + "_sum", labels, histogram.sum)
    sample(name + "_count", labels, Double(total))
  }

  static func escaped(_ value: String) -> String {
    var text = ""
    for character in value {
      switch character {
      case "\\": text += #"\\"#
      case "\"": text += #"\""#
      case "\n": text += #"\n"#
      default: text.append(character)
      }
    }
    return text
  }

  private static func number(_ value: Double) -> String {
    Int64(exactly: value).map(String.init) ?? "\(value)"
  }
}

extension Duration {
  /// In seconds, as a floating-point number.
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
