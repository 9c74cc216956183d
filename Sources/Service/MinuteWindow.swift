import Glibc

/// What came in the last minute: how often, and how much of it in all. One-second slots, so it never grows.
struct MinuteWindow: Sendable {
  private struct Slot: Sendable {
    var second: Int64 = -1
    var count = 0
    var sum = 0.0
  }
  private var slots = Array(repeating: Slot(), count: 60)

  /// - Parameter second: Of a clock that is never set.
  mutating func add(_ value: Double = 0, at second: Int64) {
    let index = Int(second % 60)
    if slots[index].second != second { slots[index] = Slot(second: second) }
    slots[index].count += 1
    slots[index].sum += value
  }

  func count(at second: Int64) -> Int { recent(second).reduce(0) { $0 + $1.count } }

  /// Nil where nothing came.
  func mean(at second: Int64) -> Double? {
    let (count, sum) = recent(second).reduce((0, 0.0)) { ($0.0 + $1.count, $0.1 + $1.sum) }
    return count > 0 ? sum / Double(count) : nil
  }

  private func recent(_ second: Int64) -> [Slot] { slots.filter { $0.second >= 0 && $0.second > second - 60 } }

  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
    return Int64(time.tv_sec)
  }
}
