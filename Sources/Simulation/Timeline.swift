import Sandbox
import SeededRandom
import Synchronization

/// Virtual time, in milliseconds since 1970 UTC, and what is to happen when.
final class Timeline: Sendable {
  fileprivate struct Entry {
    let due: Int64
    /// Drawn, so that what is due at the same moment comes in any order.
    let rank: UInt64
    let token: Int

    func precedes(_ other: Entry) -> Bool { (due, rank, token) < (other.due, other.rank, other.token) }
  }

  fileprivate struct State: Sendable {
    var now: Int64
    var generator: SeededGenerator
    var heap: [Entry] = []
    var actions: [Int: @Sendable () -> Void] = [:]
    var lastToken = 0
  }
  private let state: Mutex<State>

  init(start: Int64, generator: SeededGenerator) { state = Mutex(State(now: start, generator: generator)) }

  var now: Int64 { state.withLock { $0.now } }

  /// What is late already happens at once.
  @discardableResult
  func schedule(at time: Int64, _ action: @escaping @Sendable () -> Void) -> Int {
    state.withLock { state in
      state.lastToken += 1
      state.actions[state.lastToken] = action
      state.insert(Entry(due: max(time, state.now), rank: state.generator.next(), token: state.lastToken))
      return state.lastToken
    }
  }

  func cancel(_ token: Int) { state.withLock { _ = $0.actions.removeValue(forKey: token) } }

  /// Moves on to what is due next and does it; false when that is later than `limit`, or nothing.
  func advance(until limit: Int64) -> Bool {
    let action = state.withLock { state -> (@Sendable () -> Void)? in
      while let first = state.heap.first {
        guard state.actions[first.token] != nil else {
          state.removeFirst()
          continue
        }
        guard first.due <= limit else { return nil }
        state.removeFirst()
        state.now = first.due
        return state.actions.removeValue(forKey: first.token)
      }
      return nil
    }
    action?()
    return action != nil
  }

  /// Lets the time until `moment` pass, when nothing is due before.
  func skip(to moment: Int64) { state.withLock { $0.now = max($0.now, moment) } }
}

extension Timeline.State {
  fileprivate mutating func insert(_ entry: Timeline.Entry) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0, heap[child].precedes(heap[(child - 1) / 2]) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  fileprivate mutating func removeFirst() {
    guard let last = heap.popLast(), !heap.isEmpty else { return }
    heap[0] = last
    var parent = 0
    while true {
      let children = [2 * parent + 1, 2 * parent + 2].filter { $0 < heap.count }
      guard let least = children.min(by: { heap[$0].precedes(heap[$1]) }), heap[least].precedes(heap[parent]) else {
        return
      }
      heap.swapAt(least, parent)
      parent = least
    }
  }
}
