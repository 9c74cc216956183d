import Foundation
import Glibc
import Sync

/// How long a commit took, and how many requests shared it.
public struct CommitSample: Sendable, Hashable {
  public var duration: Duration
  public var batch: Int
}

/// A change that waits for its commit.
enum WriteRequest: Sendable {
  typealias Completion = @Sendable (Result<Receipt, StoreError>) -> Void

  // Indirect, so that handing it on costs one reference rather than all of the event's.
  indirect case event(NewEvent, Completion)
  /// `work` makes the change, and returns what to do after the commit. It may run once more, after a rollback, when
  /// another request of its batch fails.
  case change(
    work: @Sendable (Ledger, SQLConnection) throws -> @Sendable () -> Void, failed: @Sendable (StoreError) -> Void)

  /// How a request ended, as far as its commit holds.
  enum Outcome: Sendable {
    case received(Receipt)
    case changed(then: @Sendable () -> Void)
    case failed(StoreError)
  }

  fileprivate func run(_ ledger: Ledger, _ db: SQLConnection) throws -> Outcome {
    switch self {
    case .event(let event, _): .received(try ledger.append(event, db))
    case .change(let work, _): .changed(then: try work(ledger, db))
    }
  }

  fileprivate func end(_ outcome: Outcome) {
    switch (self, outcome) {
    case (.event(_, let completion), .received(let receipt)): completion(.success(receipt))
    case (.event(_, let completion), .failed(let error)): completion(.failure(error))
    case (_, .changed(let followUp)): followUp()
    case (.change(_, let failed), .failed(let error)): failed(error)
    case (.change, .received): break
    }
  }

  fileprivate var isEvent: Bool { if case .event = self { true } else { false } }
}

/// Makes changes durable: requests that come while a commit runs share the next one. There is no waiting for fuller
/// batches: the disk gathers them.
///
/// `@unchecked Sendable`: `waiting`, `isClosed`, `wantsCheckpoint` and `truncations` are touched under `condition`
/// only; `ledger`, `frames` and `hoards` only within `queue`, which lets in one thread at a time.
final class Writer: @unchecked Sendable {
  private static let largestBatch = 512
  /// How long nothing is written before memory is given back.
  private static let idleTime: TimeInterval = 5

  let queue: ConnectionQueue
  /// For readers, who may ask it from any thread.
  let pending: PendingIndex
  private let isInline: Bool
  private let ledger: Ledger
  private let frames: LogFrames
  private let deliver: SQLiteStore.Delivery
  private let observe: @Sendable (CommitSample) -> Void
  private let logGrew: @Sendable (Int) -> Bool
  private let idle: @Sendable () -> Void
  private let condition = NSCondition()
  private var waiting: [WriteRequest] = []
  private var isClosed = false
  /// Whether the cache has grown since memory was last given back.
  private var hoards = false
  private var wantsCheckpoint = false
  private var truncations: [@Sendable (Bool) -> Void] = []

  /// `logGrew` is told after each commit how many pages the write-ahead log has, and says whether the writer is to
  /// carry it over; `idle` is called when nothing has been written for a while.
  init(
    queue: ConnectionQueue, isInline: Bool, deliver: @escaping SQLiteStore.Delivery,
    observe: @escaping @Sendable (CommitSample) -> Void,
    logGrew: @escaping @Sendable (Int) -> Bool, idle: @escaping @Sendable () -> Void
  ) throws {
    self.queue = queue
    self.isInline = isInline
    self.deliver = deliver
    self.observe = observe
    self.logGrew = logGrew
    self.idle = idle
    (ledger, frames) = try queue.inDatabase { db in
      var ledger: Ledger?
      try db.inTransaction { ledger = try Ledger(db) }
      guard let ledger else { throw Damage(what: "nothing was read") }
      return (ledger, LogFrames(of: isInline ? nil : db))
    }
    pending = ledger.pending
  }

  /// Starts the writer's thread; `ended` runs on it after the last commit.
  func start(ended: @escaping @Sendable () -> Void) {
    let thread = Thread {
      self.queue.inDatabase { db in
        while let batch = self.next(db) { self.end(batch, self.commit(batch, db)) }
      }
      ended()
    }
    thread.name = "store-writer"
    thread.stackSize = 1 << 20
    thread.start()
  }

  func submit(_ request: WriteRequest) {
    if isInline {
      condition.lock()
      let isClosed = isClosed
      condition.unlock()
      if isClosed { return request.end(.failed(Self.closed)) }
      // What follows runs outside, since it may come back here.
      let outcomes = queue.inDatabase { commit([request], $0) }
      return end([request], outcomes)
    }
    condition.lock()
    let isClosed = isClosed
    if !isClosed {
      waiting.append(request)
      if waiting.count == 1 { condition.signal() }
    }
    condition.unlock()
    if isClosed { request.end(.failed(Self.closed)) }
  }

  /// Tells each how it ended. The events of a batch go to where they are answered in one piece: one change of threads
  /// for all of them, and what they consist of is freed where it was made.
  private func end(_ batch: [WriteRequest], _ outcomes: [WriteRequest.Outcome]) {
    var hasEvents = false
    for (request, outcome) in zip(batch, outcomes) {
      if request.isEvent { hasEvents = true } else { request.end(outcome) }
    }
    guard hasEvents else { return }
    deliver { for (request, outcome) in zip(batch, outcomes) where request.isEvent { request.end(outcome) } }
  }

  /// Nothing is taken any more; what waits is still committed.
  func stop() {
    condition.lock()
    isClosed = true
    condition.signal()
    condition.unlock()
  }

  /// Asks for the little that a checkpoint beside the writer can't catch up with, so that the log starts anew.
  func finishCheckpoint() {
    condition.lock()
    wantsCheckpoint = true
    condition.signal()
    condition.unlock()
  }

  /// Empties the write-ahead log; `completion` is told false when a reader, or another program, stands in the way.
  func truncateLog(_ completion: @escaping @Sendable (Bool) -> Void) {
    condition.lock()
    let runsHere = isInline || isClosed
    if !runsHere {
      truncations.append(completion)
      condition.signal()
    }
    condition.unlock()
    if runsHere { completion(queue.inDatabase(Self.truncateLog)) }
  }

  private static func truncateLog(_ db: SQLConnection) -> Bool {
    (try? db.number("PRAGMA wal_checkpoint(TRUNCATE)")) == 0
  }

  private static let closed = StoreError.unavailable("it is closed")

  private func next(_ db: SQLConnection) -> [WriteRequest]? {
    condition.lock()
    var isIdle = false
    while waiting.isEmpty && truncations.isEmpty && !isClosed && !wantsCheckpoint && !isIdle {
      if hoards {
        isIdle = !condition.wait(until: Date(timeIntervalSinceNow: Self.idleTime))
      } else {
        condition.wait()
      }
    }
    let checkpoints = wantsCheckpoint
    wantsCheckpoint = false
    let truncations = truncations
    self.truncations = []
    let batch = waiting.count > Self.largestBatch ? Array(waiting.prefix(Self.largestBatch)) : waiting
    waiting = Array(waiting.dropFirst(batch.count))
    let isOver = batch.isEmpty && isClosed
    condition.unlock()
    if isIdle { giveBackMemory(db) }
    // One that fails is tried again when the log has grown further.
    if checkpoints { _ = try? db.number("PRAGMA wal_checkpoint(PASSIVE)") }
    if !truncations.isEmpty {
      let isEmpty = Self.truncateLog(db)
      for completion in truncations { completion(isEmpty) }
    }
    return isOver ? nil : batch
  }

  /// glibc's `malloc_trim`, which Swift's module of it leaves out: what is freed stays with the process otherwise.
  private static let trimHeap = dlsym(nil, "malloc_trim").map {
    unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
  }

  private func giveBackMemory(_ db: SQLConnection) {
    hoards = false
    _ = try? db.run("PRAGMA shrink_memory")
    idle()
    _ = Self.trimHeap?(0)
  }

  /// Returns how the requests ended, in their order.
  private func commit(_ batch: [WriteRequest], _ db: SQLConnection) -> [WriteRequest.Outcome] {
    guard !batch.isEmpty else { return [] }
    hoards = true
    let start = ContinuousClock.now
    var outcomes: [WriteRequest.Outcome] = []
    do {
      do {
        outcomes = try transaction(db) { try batch.map { try $0.run(ledger, db) } }
      } catch let error where batch.count > 1 && !StoreError(error).concernsEveryone {
        outcomes = try transaction(db) { try batch.map { try attempt($0, db) } }
      }
    } catch {
      let reason = StoreError(error)
      return batch.map { _ in .failed(reason) }
    }
    observe(CommitSample(duration: ContinuousClock.now - start, batch: batch.count))
    if logGrew(frames.count) { finishCheckpoint() }
    return outcomes
  }

  private func transaction<T>(_ db: SQLConnection, _ body: () throws -> T) throws -> T {
    do {
      try db.run("BEGIN IMMEDIATE")
      let result = try body()
      try ledger.finish(db)
      try db.run("COMMIT")
      ledger.committed()
      return result
    } catch {
      // SQLite may have rolled back by itself.
      if db.isInsideTransaction { try? db.execute(sql: "ROLLBACK") }
      ledger.rollBack()
      throw error
    }
  }

  /// Runs one request so that its failure is its own.
  private func attempt(_ request: WriteRequest, _ db: SQLConnection) throws -> WriteRequest.Outcome {
    let mark = ledger.mark
    try db.run("SAVEPOINT request")
    do {
      let outcome = try request.run(ledger, db)
      try db.run("RELEASE request")
      return outcome
    } catch {
      let reason = StoreError(error)
      if reason.concernsEveryone || !db.isInsideTransaction { throw error }
      try db.run("ROLLBACK TO request")
      try db.run("RELEASE request")
      ledger.rollBack(to: mark)
      return .failed(reason)
    }
  }
}
