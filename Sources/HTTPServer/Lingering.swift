import CLibevent
import EventLoop
import Glibc

/// The end of a connection that was answered before all of its request had come. Closed at once, the kernel would reset
/// it and the client lose the answer; so what still comes is read and thrown away, for a while.
///
/// Safety of `@unchecked Sendable`: the loop's thread only.
final class Lingering: @unchecked Sendable {
  private static let limit = timeval(tv_sec: 2, tv_usec: 0)
  private let descriptor: Int32
  private var arrival: OpaquePointer?
  private var end: OpaquePointer?
  private var ended: (@Sendable (Lingering) -> Void)?

  /// Keeps the socket open beyond its owner's closing it.
  init?(_ socket: Int32, on base: OpaquePointer, ended: @Sendable @escaping (Lingering) -> Void) {
    descriptor = fcntl(socket, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { return nil }
    self.ended = ended
    let arrived: event_callback_fn = { _, what, context in
      if let context { Unmanaged<Lingering>.fromOpaque(context).takeUnretainedValue().arrived(what) }
    }
    // Unretained: the server's list holds it until it has ended.
    let context = Unmanaged.passUnretained(self).toOpaque()
    arrival = event_new(base, descriptor, Int16(EV_READ | EV_PERSIST), arrived, context)
    end = event_new(base, -1, 0, arrived, context)
    var limit = Self.limit
    if let arrival, let end, event_add(arrival, nil) == 0, event_add(end, &limit) == 0 { return }
    free()
    return nil
  }

  private func arrived(_ what: Int16) {
    if what & Int16(EV_TIMEOUT) != 0 { return finish() }
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 1) { bytes in
      let count = recv(descriptor, bytes.baseAddress, bytes.count, 0)
      if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { finish() }
    }
  }

  private func finish() {
    let ended = ended
    free()
    ended?(self)
  }

  func free() {
    if let arrival { event_free(arrival) }
    if let end { event_free(end) }
    if ended != nil { close(descriptor) }
    (arrival, end, ended) = (nil, nil, nil)
  }
}
