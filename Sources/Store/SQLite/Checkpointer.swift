import Foundation
import GRDB

/// Carries the write-ahead log into the database from a thread and connection of its own: on the writer's it would be
/// what the slowest answers wait for.
///
/// `@unchecked Sendable`: the variables are touched under `condition` only.
final class Checkpointer: @unchecked Sendable {
  /// Pages of the log after which it is carried over, and after which it should start anew.
  private static let step = 1000
  private static let limit = 4000

  private let queue: DatabaseQueue
  private let condition = NSCondition()
  private var pages = 0
  private var carried = 0
  private var isClosed = false

  init(queue: DatabaseQueue) { self.queue = queue }

  /// Runs until `stop`; `full` is called when only the writer can finish, `ended` last.
  func start(full: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) {
    let thread = Thread {
      while self.waitForWork() {
        let pages = try? self.queue.inDatabase { try $0.first("PRAGMA wal_checkpoint(PASSIVE)") { $0.number(1) } }
        guard let pages = pages ?? nil else { continue }
        if pages >= Self.limit { full() }
      }
      ended()
    }
    thread.name = "store-checkpoint"
    thread.stackSize = 1 << 20
    thread.start()
  }

  func logGrew(to count: Int) {
    condition.lock()
    // The log has started anew.
    if count < pages { carried = 0 }
    pages = count
    if pages - carried >= Self.step { condition.signal() }
    condition.unlock()
  }

  func stop() {
    condition.lock()
    isClosed = true
    condition.signal()
    condition.unlock()
  }

  private func waitForWork() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while pages - carried < Self.step && !isClosed { condition.wait() }
    // Each step is tried once; the next commits ask for more.
    carried = pages
    return !isClosed
  }
}
