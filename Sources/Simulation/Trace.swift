import Synchronization

/// What happened, in order: a hash of it always, for comparing runs; its lines only when somebody is to read them.
final class Trace: Sendable {
  struct Line: Sendable {
    var at: Int64
    var text: String
  }

  private struct State: Sendable {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var lines: [Line] = []
  }
  private let state = Mutex(State())
  private let timeline: Timeline
  let isRecording: Bool

  init(timeline: Timeline, isRecording: Bool) {
    self.timeline = timeline
    self.isRecording = isRecording
  }

  var hash: UInt64 { state.withLock { $0.hash } }
  var lines: [Line] { state.withLock { $0.lines } }

  /// FNV-1a over the time, the kind of thing and its bytes.
  func note(_ kind: StaticString, _ bytes: some Sequence<UInt8>, _ text: @autoclosure () -> String) {
    let now = timeline.now
    let line = isRecording ? Line(at: now, text: text()) : nil
    state.withLock { state in
      func mix(_ byte: UInt8) { state.hash = (state.hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
      for shift in stride(from: 0, to: 64, by: 8) { mix(UInt8(truncatingIfNeeded: now >> Int64(shift))) }
      kind.withUTF8Buffer { for byte in $0 { mix(byte) } }
      for byte in bytes { mix(byte) }
      if let line { state.lines.append(line) }
    }
  }
}
