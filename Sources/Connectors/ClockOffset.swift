import Sync

/// How far a side's clock is ahead of ours, narrowed with each answer's `Date`.
struct ClockOffset: Sendable {
  /// Milliseconds between which the offset must lie.
  private var bounds: ClosedRange<Int64>?
  /// Many answers come within one second.
  private var last: (text: String, date: Int64?)?

  /// `text` is the answer's `Date`; one that can't be read says nothing.
  mutating func note(_ text: String, sent: Timestamp, received: Timestamp) {
    if last?.text != text { last = (text, HTTPDate.seconds(text)) }
    if let date = last?.date { note(date: date, sent: sent, received: received) }
  }

  /// `date` is a whole second of the side's clock, at some time between `sent` and `received` on ours.
  mutating func note(date: Int64, sent: Timestamp, received: Timestamp) {
    let (earliest, overflow) = date.multipliedReportingOverflow(by: 1000)
    if overflow { return }
    let seen =
      earliest - received.milliseconds...max(earliest + 999 - sent.milliseconds, earliest - received.milliseconds)
    // Apart from what was seen before: one of the clocks was set.
    bounds = bounds.map { $0.overlaps(seen) ? $0.clamped(to: seen) : seen } ?? seen
  }

  /// Nil before any answer carried a `Date`. Zero where that is possible: most clocks are right.
  var estimate: Duration? {
    bounds.map { .milliseconds($0.contains(0) ? 0 : $0.lowerBound + ($0.upperBound - $0.lowerBound) / 2) }
  }
}
