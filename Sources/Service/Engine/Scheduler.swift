import JSON
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
    var running = 0
    var isStopped = false
    var idle: [CheckedContinuation<Void, Never>] = []
    /// Those that wait for records with others in hand, or without being workers.
    var askers: [(keys: [RecordKey], continuation: CheckedContinuation<Void, Never>)] = []

    mutating func enqueue(_ key: RecordKey) {
      if queued.insert(key).inserted { queue.append(key) }
    }

    mutating func hold(all keys: [RecordKey]) -> Bool {
      guard keys.allSatisfy({ !held.contains($0) }) else { return false }
      held.formUnion(keys)
      return true
    }

    /// Gives records back; returns the askers that now have theirs.
    mutating func free(_ keys: [RecordKey]) -> [CheckedContinuation<Void, Never>] {
      for key in keys {
        held.remove(key)
        for waiter in waiting.removeValue(forKey: key) ?? [] { enqueue(waiter) }
      }
      var served: [CheckedContinuation<Void, Never>] = []
      let asking = askers
      askers = []
      for asker in asking {
        if hold(all: asker.keys) { served.append(asker.continuation) } else { askers.append(asker) }
      }
      return served
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
  private let executor: (any TaskExecutor)?
  private let work: @Sendable (RecordKey, Lease) async -> Void

  init(limit: Int, executor: (any TaskExecutor)? = nil, work: @escaping @Sendable (RecordKey, Lease) async -> Void) {
    self.limit = limit
    self.executor = executor
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
      await scheduler.hold([key])
      keys.withLock { $0.append(key) }
    }

    fileprivate func release() -> [RecordKey] { keys.withLock { $0 } }
  }

  /// Nothing is in hand or queued.
  var isIdle: Bool { state.withLock { $0.running == 0 && $0.head == $0.queue.count } }

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

  /// Waits until no worker has any of these records, and keeps workers off them until `release`.
  func hold(_ keys: [RecordKey]) async {
    await withCheckedContinuation { continuation in
      let isHeld = state.withLock { state in
        if state.hold(all: keys) { return true }
        state.askers.append((keys, continuation))
        return false
      }
      if isHeld { continuation.resume() }
    }
  }

  func release(_ keys: [RecordKey]) {
    for asker in state.withLock({ $0.free(keys) }) { asker.resume() }
    pump()
  }

  private func hold(_ key: RecordKey, orWaitWith waiter: RecordKey) -> Bool {
    #if SABOTAGE
      if Sabotage.breaks(.sharesRecords) { return true }
    #endif
    return state.withLock { state in
      if state.held.insert(key).inserted { return true }
      state.waiting[key, default: []].append(waiter)
      return false
    }
  }

  private func pump() {
    while let key = next() {
      let process = { @Sendable in
        let lease = Lease(self, key)
        await self.work(key, lease)
        self.finished(lease.release())
      }
      // A preference, even for none, is asked about at every step of a task.
      if let executor { Task(executorPreference: executor, operation: process) } else { Task(operation: process) }
    }
  }

  private func next() -> RecordKey? {
    state.withLock { state in
      while !state.isStopped, state.running < limit, let key = state.dequeue() {
        #if SABOTAGE
          if Sabotage.breaks(.sharesRecords) { state.running += 1; return key }
        #endif
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
    let ready = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      let served = state.free(keys)
      state.running -= 1
      guard state.running == 0, state.isStopped else { return served }
      defer { state.idle = [] }
      return served + state.idle
    }
    for continuation in ready { continuation.resume() }
    pump()
  }
}
