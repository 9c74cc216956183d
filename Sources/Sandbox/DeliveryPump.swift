import EventLoop
import HTTP
import HTTPClient
import Synchronization

/// Sends one side's webhooks when they are due, a few at a time and in no order, and asks the side what comes next.
final class DeliveryPump: Sendable {
  private struct State {
    var waiting = Heap()
    var inFlight = 0
    var timer: EventLoop.Timer?
    var isStopped = false
  }

  private let system: any SimulatedSystem
  private let client: any HTTPTransport
  private let loop: EventLoop
  private let clock: SandboxClock
  private let parallel: Int
  private let state = Mutex(State())

  init(
    _ system: any SimulatedSystem, client: any HTTPTransport, loop: EventLoop, clock: SandboxClock, parallel: Int = 5
  ) {
    self.system = system
    self.client = client
    self.loop = loop
    self.clock = clock
    self.parallel = parallel
  }

  func add(_ deliveries: [Delivery]) {
    guard !deliveries.isEmpty else { return }
    state.withLock { state in for delivery in deliveries { state.waiting.insert(delivery) } }
    run()
  }

  /// Starts what is due, and sets the timer for what is due next.
  func run() {
    let now = clock.now
    let (ready, old): ([Delivery], EventLoop.Timer?) = state.withLock { state in
      guard !state.isStopped else { return ([], nil) }
      var ready: [Delivery] = []
      while state.inFlight < parallel, let next = state.waiting.first, next.due <= now {
        state.waiting.removeFirst()
        state.inFlight += 1
        ready.append(next)
      }
      let old = state.timer
      state.timer = nil
      if state.inFlight < parallel, let next = state.waiting.first {
        state.timer = loop.schedule(after: .milliseconds(next.due - now)) { [weak self] in self?.run() }
      }
      return (ready, old)
    }
    old?.cancel()
    for delivery in ready { Task { await self.send(delivery) } }
  }

  private func send(_ delivery: Delivery) async {
    var outcome = DeliveryOutcome.cancelled
    if let request = system.outgoing(delivery, now: clock.now) {
      do throws(HTTPClientError) {
        outcome = .answered(status: try await client.send(request).status)
      } catch {
        outcome = .failed(String(describing: error))
      }
    }
    // A sending that the end of the sandbox cut off is no failure of its receiver.
    guard !state.withLock({ $0.isStopped }) else { return }
    let next = system.settled(delivery, outcome, now: clock.now)
    state.withLock { state in
      state.inFlight -= 1
      for delivery in next { state.waiting.insert(delivery) }
    }
    run()
  }

  func stop() {
    let timer = state.withLock { state in
      state.isStopped = true
      defer { state.timer = nil }
      return state.timer
    }
    timer?.cancel()
  }
}

/// Deliveries by their time, a binary heap: a backlog of any length stays quick.
private struct Heap {
  private var items: [Delivery] = []

  var first: Delivery? { items.first }

  mutating func insert(_ item: Delivery) {
    items.append(item)
    var child = items.count - 1
    while child > 0, Self.precedes(items[child], items[(child - 1) / 2]) {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func removeFirst() {
    guard let last = items.popLast(), !items.isEmpty else { return }
    items[0] = last
    var parent = 0
    while true {
      let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < items.count }
      guard let least = children.min(by: { Self.precedes(items[$0], items[$1]) }),
        Self.precedes(items[least], items[parent])
      else { return }
      items.swapAt(least, parent)
      parent = least
    }
  }

  private static func precedes(_ a: Delivery, _ b: Delivery) -> Bool { (a.due, a.message) < (b.due, b.message) }
}
