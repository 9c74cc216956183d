import CLibevent
import Synchronization

extension EventLoop {
  /// From now on `work` runs on the loop's thread each time the process gets `signal`, in place of what the signal
  /// does by itself; until the loop stops. libevent can watch signals on one loop of a process only.
  public func onSignal(_ signal: Int32, _ work: @Sendable @escaping () -> Void) throws(EventLoopError) {
    let watch = SignalWatch(work)
    guard signal > 0, watch.start(signal, on: base) else { throw .cannotWatchSignal(signal) }
    // `finish`, not `execute`: a watch that no list frees would leak its event.
    finish { self.isCurrentThread ? self.watches.append(watch) : watch.free() }
  }
}

/// Safety of `@unchecked Sendable`: `event` is set before the watch is shared, and freed on the loop's thread.
final class SignalWatch: @unchecked Sendable {
  private let work: @Sendable () -> Void
  private var event: OpaquePointer?

  init(_ work: @Sendable @escaping () -> Void) { self.work = work }

  func start(_ signal: Int32, on base: OpaquePointer) -> Bool {
    let raised: event_callback_fn = { _, _, context in
      if let context { Unmanaged<SignalWatch>.fromOpaque(context).takeUnretainedValue().work() }
    }
    // Unretained: the loop's list holds the watch until its event is freed; until then the caller does.
    event = event_new(
      base, signal, Int16(EV_SIGNAL | EV_PERSIST), raised, Unmanaged.passUnretained(self).toOpaque())
    guard let event else { return false }
    if event_add(event, nil) == 0 { return true }
    free()
    return false
  }

  func free() {
    if let event { event_free(event) }
    event = nil
  }
}
