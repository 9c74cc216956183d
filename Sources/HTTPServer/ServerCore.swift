import CLibevent
import EventLoop
import Glibc
import HTTP
import Synchronization

/// A server's evhttp, its connections and their deadlines.
///
/// Safety of `@unchecked Sendable`: all that varies is touched on the loop's thread only (after the loop's end, by the
/// one who frees it); `tls` is behind its lock.
final class ServerCore: @unchecked Sendable {
  let loop: EventLoop
  let preflight: HTTPServer.Preflight
  private(set) var handler: HTTPServer.Handler?
  private(set) var limits: Limits
  private let tls: Mutex<TLSContext?>
  private var http: OpaquePointer?
  private var listener: OpaquePointer?
  private var adoption: OpaquePointer?
  private var newcomers: [Connection] = []
  private var connections: [Connection?] = []
  private var byBuffers: [OpaquePointer: Connection] = [:]
  private var table = ConnectionTable()
  private var sweep: EventLoop.Timer?
  private var lastDate: (second: Int, text: String)?
  private(set) var isDraining = false
  private var isClosed = false
  private var drained: [CheckedContinuation<Void, Never>] = []

  init(
    loop: EventLoop, limits: Limits, tls: TLSContext?, preflight: @escaping HTTPServer.Preflight,
    handler: @escaping HTTPServer.Handler
  ) {
    self.loop = loop
    self.limits = limits
    self.tls = Mutex(tls)
    self.preflight = preflight
    self.handler = handler
  }

  func apply(_ limits: Limits, tls: TLSContext?) {
    self.tls.withLock { $0 = tls }
    loop.execute { self.limits = limits }
  }

  /// The `Date` of an answer, written once a second: evhttp would write it for each.
  func date() -> String {
    let second = time(nil)
    if let lastDate, lastDate.second == second { return lastDate.text }
    let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      evutil_date_rfc1123(buffer.baseAddress, buffer.count, nil) > 0 ? String(cString: buffer.baseAddress!) : ""
    }
    lastDate = (second, text)
    return text
  }

  // MARK: Start

  func start(listeningOn descriptor: Int32) {
    // `finish`, so that the descriptor is closed even on a loop that has ended.
    loop.finish { self.open(descriptor) }
  }

  private func open(_ descriptor: Int32) {
    guard loop.isCurrentThread, !isClosed, let http = evhttp_new(loop.base) else {
      Glibc.close(descriptor)
      return
    }
    // Unretained in all three: they end with evhttp, which `free` ends while it holds this object.
    let context = Unmanaged.passUnretained(self).toOpaque()
    evhttp_set_bevcb(
      http,
      { _, context in
        context.flatMap { Unmanaged<ServerCore>.fromOpaque($0).takeUnretainedValue().accept() }
      }, context)
    evhttp_set_gencb(
      http,
      { request, context in
        guard let request, let context else { return }
        Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().received(request)
      }, context)
    adoption = event_new(
      loop.base, -1, 0,
      { _, _, context in
        if let context { Unmanaged<ServerCore>.fromOpaque(context).takeUnretainedValue().adopt() }
      }, context)
    evhttp_set_allowed_methods(http, UInt16.max)
    evhttp_set_default_content_type(http, nil)
    // The limits are kept before evhttp sees a byte; its own would only answer in HTML.
    evhttp_set_max_headers_size(http, -1)
    evhttp_set_max_body_size(http, -1)
    self.http = http
    guard let socket = evhttp_accept_socket_with_handle(http, descriptor) else {
      Glibc.close(descriptor)
      return
    }
    listener = socket
    guard let accepting = evhttp_bound_socket_get_listener(socket) else { return }
    listeners.withLock { $0[UInt(bitPattern: accepting)] = { [weak self] in self?.isOutOfDescriptors() } }
    evconnlistener_set_error_cb(accepting) { accepting, _ in
      // The context is evhttp's own.
      listeners.withLock { $0[UInt(bitPattern: accepting)] }?()
    }
  }

  /// No descriptor for a caller that waits: the longest idle gives its own, or accepting rests for a moment, since
  /// libevent would try again at once and for ever.
  private func isOutOfDescriptors() {
    if let oldest = table.oldest(.idle) {
      connections[oldest.slot]?.close()
    } else if let listener, let accepting = evhttp_bound_socket_get_listener(listener) {
      evconnlistener_disable(accepting)
      loop.schedule(after: .milliseconds(100)) { [weak self] in
        guard let listener = self?.listener else { return }
        evconnlistener_enable(evhttp_bound_socket_get_listener(listener))
      }
    }
  }

  // MARK: Connections

  /// evhttp asks for a connection's buffers before it has a connection.
  private func accept() -> OpaquePointer? {
    let context = tls.withLock { $0 }
    guard let adoption,
      let buffers = context.map({ $0.makeBuffers(on: loop.base) })
        ?? bufferevent_socket_new(loop.base, -1, 0)
    else { return nil }
    guard let assembler = RequestAssembler(limits: limits) else {
      bufferevent_free(buffers)
      return nil
    }
    let hasRoom = makeRoom()
    let slot = table.insert(now: monotonicNow())
    let connection = Connection(
      core: self, slot: slot, buffers: buffers, assembler: assembler, isTLS: context != nil, isUnwelcome: !hasRoom)
    if slot == connections.count { connections.append(connection) } else { connections[slot] = connection }
    byBuffers[buffers] = connection
    newcomers.append(connection)
    // Before the next look at the sockets, so before a byte of it can come.
    event_active(adoption, 0, 0)
    startSweeping()
    return buffers
  }

  private func adopt() {
    let adopted = newcomers
    newcomers = []
    for connection in adopted { connection.adopt() }
  }

  /// The longest idle goes; where none is idle, the one that has been sending its request for longest.
  private func makeRoom() -> Bool {
    guard table.count >= limits.maxConnections else { return true }
    guard let oldest = table.oldest(.lingering) ?? table.oldest(.idle) ?? table.oldest(.reading) else { return false }
    connections[oldest.slot]?.close()
    return true
  }

  func forget(_ connection: Connection) {
    table.remove(connection.slot)
    connections[connection.slot] = nil
    byBuffers[connection.buffers] = nil
    if table.count == 0 { finishDraining() }
  }

  func move(_ connection: Connection, to stage: ConnectionTable.Stage) {
    table.move(connection.slot, to: stage, now: monotonicNow())
  }

  private func received(_ request: UnsafeMutablePointer<evhttp_request>) {
    guard let buffers = evhttp_connection_get_bufferevent(request.pointee.evcon), let connection = byBuffers[buffers]
    else { return evhttp_send_error(request, 503, nil) }
    connection.received(request)
  }

  // MARK: Deadlines

  /// Each stage's list has one timeout, so only its oldest connections need a look, a few times in that time.
  private func startSweeping() {
    guard sweep == nil, table.count > 0, !isClosed else { return }
    let shortest = min(limits.readTimeout, limits.idleTimeout)
    let interval = max(10_000_000, min(250_000_000, shortest / 8))
    sweep = loop.schedule(after: .nanoseconds(Int64(interval))) { [weak self] in
      self?.sweep = nil
      self?.closeOverdue()
      self?.startSweeping()
    }
  }

  private func closeOverdue() {
    let now = monotonicNow()
    forEachOverdue(.reading, limits.readTimeout, now) { $0.refuseAsTooSlow() }
    forEachOverdue(.idle, limits.idleTimeout, now) { $0.close() }
    forEachOverdue(.writing, limits.idleTimeout, now) { $0.close() }
    forEachOverdue(.lingering, 2_000_000_000, now) { $0.close() }
  }

  private func forEachOverdue(
    _ stage: ConnectionTable.Stage, _ timeout: UInt64, _ now: UInt64, _ body: (Connection) -> Void
  ) {
    while let oldest = table.oldest(stage), now >= oldest.since + timeout, let connection = connections[oldest.slot] {
      body(connection)
      // It has left the stage; if it had not, this would never end.
      if let next = table.oldest(stage), next == oldest { return }
    }
  }

  // MARK: End

  func drain(within limit: Duration) async {
    await withCheckedContinuation { continuation in
      loop.finish {
        guard self.loop.isCurrentThread, !self.isClosed else { return continuation.resume() }
        self.drained.append(continuation)
        self.isDraining = true
        self.stopAccepting()
        // After one more look at the sockets: what has come by now has begun.
        self.loop.schedule(after: .zero) { self.closeIdle() }
        self.loop.schedule(after: limit) { self.free() }
      }
    }
  }

  private func closeIdle() {
    for case let connection? in connections where connection.isIdle { connection.close() }
    if table.count == 0 { finishDraining() }
  }

  func close() { loop.finish { self.free() } }

  private func stopAccepting() {
    if let http, let listener {
      listeners.withLock { $0[UInt(bitPattern: evhttp_bound_socket_get_listener(listener))] = nil }
      evhttp_del_accept_socket(http, listener)
    }
    listener = nil
  }

  private func finishDraining() {
    guard isDraining else { return }
    let waiting = drained
    drained = []
    for continuation in waiting { continuation.resume() }
  }

  private func free() {
    guard !isClosed else { return }
    isClosed = true
    isDraining = true
    sweep?.cancel()
    sweep = nil
    for connection in connections { connection?.close() }
    stopAccepting()
    if let http { evhttp_free(http) }
    if let adoption { event_free(adoption) }
    (http, adoption, newcomers, handler) = (nil, nil, [], nil)
    finishDraining()
  }
}

/// What to do when a listener can't accept; its address is the key.
private let listeners = Mutex<[UInt: @Sendable () -> Void]>([:])

/// Nanoseconds of a clock that is never set.
func monotonicNow() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
