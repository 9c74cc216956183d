import CCurl
import CLibevent
import EventLoop

/// Owns one libcurl multi handle, with its connections, and drives it from a loop's events.
///
/// Safety of `@unchecked Sendable`: after `init` everything is touched on the loop's thread only, or after the loop has
/// ended. Callbacks hold it unretained: `close()`, which ends them, is called by a closure that retains it.
final class Multi: @unchecked Sendable {
  private let loop: EventLoop
  private let configuration: HTTPClientConfiguration
  private let trust: TrustStore
  private let raw: UnsafeMutableRawPointer
  private var timer: OpaquePointer?
  private var watches: [curl_socket_t: Watch] = [:]
  private var exchanges: [UnsafeMutableRawPointer: (exchange: Exchange, handle: EasyHandle)] = [:]
  private var idle: [EasyHandle] = []
  private var isClosed = false

  private struct Watch {
    let event: OpaquePointer
    let interest: Int32
  }

  private static let isProcessReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  init(loop: EventLoop, configuration: HTTPClientConfiguration, trust: TrustStore) throws(HTTPClientError) {
    guard Self.isProcessReady, let raw = curl_multi_init() else { throw .cannotStart(reason: "libcurl has no memory") }
    self.loop = loop
    self.configuration = configuration
    self.trust = trust
    self.raw = raw
    let me = Unmanaged.passUnretained(self).toOpaque()
    timer = event_new(loop.base, -1, 0, { _, _, me in Multi.from(me)?.act(on: CURL_SOCKET_TIMEOUT, 0) }, me)
    guard timer != nil else {
      curl_multi_cleanup(raw)
      throw .cannotStart(reason: "no event (out of memory)")
    }
    curl_multi_set_socket_callback(
      raw, { _, socket, interest, me, _ in Multi.from(me)?.watch(socket, Int32(interest)) ?? -1 }, me)
    curl_multi_set_timer_callback(raw, { _, milliseconds, me in Multi.from(me)?.setTimer(milliseconds) ?? -1 }, me)
    curl_multi_set_long(raw, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
    curl_multi_set_long(raw, CURLMOPT_MAXCONNECTS, configuration.maxConnectionsPerHost * 4)
  }

  private static func from(_ context: UnsafeMutableRawPointer?) -> Multi? {
    context.map { Unmanaged<Multi>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Exchanges

  func start(_ exchange: Exchange) {
    guard !isClosed, loop.isCurrentThread, let handle = idle.popLast() ?? makeHandle() else {
      _ = exchange.end(.failure(exchange.failure(isClosed ? "the client is shut down" : "the client's loop has ended")))
      return
    }
    exchange.prepare(handle)
    exchanges[handle.raw] = (exchange, handle)
    exchange.timer = loop.schedule(after: exchange.timeout) { [weak self, weak exchange] in
      guard let self, let exchange else { return }
      abandon(exchange, because: exchange.failure("no answer within \(exchange.timeout)"))
    }
    guard curl_multi_add_handle(raw, handle.raw) == CURLM_OK else {
      return abandon(exchange, because: exchange.failure("libcurl has no memory"))
    }
    act(on: CURL_SOCKET_TIMEOUT, 0)  // begin now, rather than when the loop comes to the timer
  }

  /// Ends an exchange whose answer isn't waited for any more; its connection is closed.
  func abandon(_ exchange: Exchange, because error: HTTPClientError) {
    guard let handle = exchange.end(.failure(error)) else { return }
    release(handle)
  }

  private func makeHandle() -> EasyHandle? {
    guard let handle = EasyHandle(configuration: configuration, trust: trust) else { return nil }
    Exchange.setCallbacks(handle)
    return handle
  }

  private func release(_ handle: EasyHandle) {
    exchanges[handle.raw] = nil
    curl_multi_remove_handle(raw, handle.raw)
    guard !isClosed, idle.count < configuration.maxConnectionsPerHost else { return }
    handle.clear()
    idle.append(handle)
  }

  /// Ends every exchange and every connection.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    for (exchange, _) in exchanges.values { abandon(exchange, because: exchange.failure("the client is shut down")) }
    idle = []
    curl_multi_cleanup(raw)  // still calls back for the sockets it closes
    for watch in watches.values { event_free(watch.event) }
    watches = [:]
    if let timer { event_free(timer) }
    timer = nil
  }

  // MARK: libcurl and the loop

  private func act(on socket: curl_socket_t, _ readiness: Int32) {
    guard !isClosed else { return }
    var running: Int32 = 0
    curl_multi_socket_action(raw, socket, readiness, &running)
    var left: Int32 = 0
    while let message = curl_multi_info_read(raw, &left) {
      // The message is gone once its handle is removed.
      let (kind, easy, code) = (message.pointee.msg, message.pointee.easy_handle, message.pointee.data.result)
      guard kind == CURLMSG_DONE, let easy, let (exchange, handle) = exchanges[easy] else { continue }
      _ = exchange.end(exchange.outcome(of: code, by: handle))
      release(handle)
    }
  }

  private func watch(_ socket: curl_socket_t, _ interest: Int32) -> Int32 {
    if watches[socket]?.interest == interest { return 0 }
    if let old = watches.removeValue(forKey: socket) { event_free(old.event) }
    guard interest != CURL_POLL_REMOVE else { return 0 }
    var kinds = Int32(EV_PERSIST)
    if interest & CURL_POLL_IN != 0 { kinds |= EV_READ }
    if interest & CURL_POLL_OUT != 0 { kinds |= EV_WRITE }
    let ready: event_callback_fn = { socket, kinds, me in
      var readiness: Int32 = 0
      if Int32(kinds) & EV_READ != 0 { readiness |= CURL_CSELECT_IN }
      if Int32(kinds) & EV_WRITE != 0 { readiness |= CURL_CSELECT_OUT }
      Multi.from(me)?.act(on: socket, readiness)
    }
    let me = Unmanaged.passUnretained(self).toOpaque()
    guard let event = event_new(loop.base, socket, Int16(kinds), ready, me) else { return -1 }
    watches[socket] = Watch(event: event, interest: interest)
    return event_add(event, nil)
  }

  private func setTimer(_ milliseconds: Int) -> Int32 {
    guard let timer else { return 0 }
    guard milliseconds >= 0 else { return event_del(timer) }
    var left = timeval(.milliseconds(milliseconds))
    return event_add(timer, &left)
  }
}
