import Foundation

/// How large the write-ahead log may grow, in pages.
struct LogLimits: Sendable {
  /// After so many more it is carried over.
  var step = 1000
  /// From here on the writer finishes what was carried over beside it, so that the log starts anew.
  var restart = 4000
  /// From here on the writer doesn't wait for that: the disk is too slow for both.
  var ceiling = 8000
}

/// Carries the write-ahead log into the database from a thread and connection of its own: on the writer's it would be
/// what the slowest answers wait for.
///
/// `@unchecked Sendable`: the variables are touched under `condition` only.
final class Checkpointer: @unchecked Sendable {
  private let queue: ConnectionQueue
  private let limits: LogLimits
  private let condition = NSCondition()
  private var pages = 0
  /// How many there were when the last step, and the writer's last own, began.
  private var carried = 0
  private var forced = 0
  private var isClosed = false

  init(queue: ConnectionQueue, limits: LogLimits) {
    self.queue = queue
    self.limits = limits
  }

  /// Runs until `stop`; `full` is called when only the writer can finish, `ended` last.
  func start(full: @escaping @Sendable () -> Void, ended: @escaping @Sendable () -> Void) {
    let thread = Thread {
      while self.waitForWork() {
        guard let pages = self.carryOver(), pages >= self.limits.restart else { continue }
        // What was written meanwhile, so that little is left for the writer to do, on which every answer waits.
        if self.carryOver() != nil { full() }
      }
      ended()
    }
    thread.name = "store-checkpoint"
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Returns how many pages the log had; nil where it couldn't.
  private func carryOver() -> Int? {
    let pages = try? queue.inDatabase { try $0.first("PRAGMA wal_checkpoint(PASSIVE)") { $0.number(1) } }
    return pages ?? nil
  }

  /// To be told after each commit; whether the writer is to carry the log over itself.
  func logGrew(to count: Int) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    // The log has started anew.
    if count < pages { (carried, forced) = (0, 0) }
    pages = count
    if pages - carried >= limits.step { condition.signal() }
    guard pages >= limits.ceiling, pages - forced >= limits.step else { return false }
    forced = pages
    return true
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
    while pages - carried < limits.step && !isClosed { condition.wait() }
    // Each step is tried once; the next commits ask for more.
    carried = pages
    return !isClosed
  }
}
