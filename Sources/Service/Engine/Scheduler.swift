import Sync
import Synchronization

/// Gives each record to at most one worker at a time (rule 17), in the order in which work came up.
///
/// A unit is entered by one record; a worker that finds it linked takes the other record too, or steps back until that one is free.
final class Scheduler: Sendable {
  private struct State {
    var queue: [RecordKey] = []
    var head = 0
    var queued: Set<RecordKey> = []
    var held: Set<RecordKey> = []
    /// Records that wait for another one to be released.
    var waiting: [RecordKey: [RecordKey]] = [:]
    /// Workers that wait for a record with their own in hand; it is passed on to them.
    var heirs: [RecordKey: [CheckedContinuation<Void, Never>]] = [:]
    var running = 0
    var isStopped = false
    var idle: [CheckedContinuation<Void, Never>] = []

    mutating func enqueue(_ key: RecordKey) {
      if queued.insert(key).inserted { queue.append(key) }
    }

    mutating func dequeue() -> RecordKey? {
      guard head < queue.count else { return nil }
      let key = queue[head]
      head += 1
      if head > 1024 && head * 2 > queue.count {
        queue.removeFirst(head)
        head = 0
      }
      queued.remove(key)
      return key
    }
  }

  private let state = Mutex(State())
  private let limit: Int
  private let work: @Sendable (RecordKey, Lease) async -> Void

  init(limit: Int, work: @escaping @Sendable (RecordKey, Lease) async -> Void) {
    self.limit = limit
    self.work = work
  }

  /// Records that a worker has in hand, and gives back when it is done.
  final class Lease: Sendable {
    private let scheduler: Scheduler
    private let keys: Mutex<[RecordKey]>

    fileprivate init(_ scheduler: Scheduler, _ key: RecordKey) {
      self.scheduler = scheduler
      keys = Mutex([key])
    }

    /// Takes another record; false when another worker has it. Then the lease's first record is queued again once that one is free.
    func take(_ key: RecordKey) -> Bool {
      keys.withLock { keys in
        if keys.contains(key) { return true }
        guard scheduler.hold(key, orWaitWith: keys[0]) else { return false }
        keys.append(key)
        return true
      }
    }

    /// Takes another record, after whoever has it. Only for a record that this worker made: its holder never waits for ours.
    func acquire(_ key: RecordKey) async {
      if keys.withLock({ $0.contains(key) }) { return }
      await withCheckedContinuation { continuation in
        if scheduler.hold(key, orInherit: continuation) { continuation.resume() }
      }
      keys.withLock { $0.append(key) }
    }

    fileprivate func release() -> [RecordKey] { keys.withLock { $0 } }
  }

  /// There is work on these records.
  func notify(_ keys: some Sequence<RecordKey>) {
    state.withLock { for key in keys { $0.enqueue(key) } }
    pump()
  }

  /// Starts no more work, and returns when none is in hand.
  func stop() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        state.isStopped = true
        if state.running > 0 { state.idle.append(continuation) }
        return state.running == 0
      }
      if isIdle { continuation.resume() }
    }
  }

  private func hold(_ key: RecordKey, orWaitWith waiter: RecordKey) -> Bool {
    state.withLock { state in
      if state.held.insert(key).inserted { return true }
      state.waiting[key, default: []].append(waiter)
      return false
    }
  }

  private func hold(_ key: RecordKey, orInherit heir: CheckedContinuation<Void, Never>) -> Bool {
    state.withLock { state in
      if state.held.insert(key).inserted { return true }
      state.heirs[key, default: []].append(heir)
      return false
    }
  }

  private func pump() {
    while let key = next() {
      Task {
        let lease = Lease(self, key)
        await work(key, lease)
        finished(lease.release())
      }
    }
  }

  private func next() -> RecordKey? {
    state.withLock { state in
      while !state.isStopped, state.running < limit, let key = state.dequeue() {
        if state.held.insert(key).inserted {
          state.running += 1
          return key
        }
        // In hand already: looked at again when it is released.
        state.waiting[key, default: []].append(key)
      }
      return nil
    }
  }

  private func finished(_ keys: [RecordKey]) {
    let (heirs, idle) = state.withLock { state -> (heirs: [Waiter], idle: [Waiter]) in
      var heirs: [Waiter] = []
      for key in keys {
        if var waiting = state.heirs.removeValue(forKey: key) {
          heirs.append(waiting.removeFirst())
          if !waiting.isEmpty { state.heirs[key] = waiting }
          continue
        }
        state.held.remove(key)
        for waiter in state.waiting.removeValue(forKey: key) ?? [] { state.enqueue(waiter) }
      }
      state.running -= 1
      guard state.running == 0, state.isStopped else { return (heirs, []) }
      defer { state.idle = [] }
      return (heirs, state.idle)
    }
    for continuation in heirs + idle { continuation.resume() }
    pump()
  }

  private typealias Waiter = CheckedContinuation<Void, Never>
}
