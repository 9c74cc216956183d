import CLibevent
import COpenSSL
import EventLoop
import Glibc
import HTTP

/// One caller's connection. What arrives is taken out of evhttp's buffer before evhttp can look at it, and given back
/// as one whole request that evhttp reads as we do; so evhttp, which would answer errors in HTML, take the first of two
/// lengths and restart its timeout at each byte, never sees anything but well-formed requests, one at a time.
///
/// To refuse a request, evhttp is given a small one in its place, whose answer is the refusal.
///
/// Safety of `@unchecked Sendable`: the loop's thread only, but for `loop`, which never changes.
final class Connection: @unchecked Sendable {
  let loop: EventLoop
  let slot: Int
  let buffers: OpaquePointer
  private let isTLS: Bool
  /// There was no room for it.
  private let isUnwelcome: Bool
  /// The core frees all its connections before it goes.
  private unowned let core: ServerCore
  private var evcon: OpaquePointer?
  private let assembler: RequestAssembler
  private var isClosed = false

  // The request that is being read or answered.
  private var stage = ConnectionTable.Stage.idle
  /// A body that evhttp would not read.
  private var detachedBody: [UInt8]?
  private var refusal: HTTPResponse?
  private var request: UnsafeMutablePointer<evhttp_request>?
  private var serial: UInt64 = 0
  private var mustClose = false
  private var isForwarding = false
  /// A request is in evhttp's buffer, and evhttp has not read it yet.
  private var isHandedOver = false
  /// evhttp, which calls us, is still at work on the connection.
  private var isWithinEvhttp = false
  var isIdle: Bool { stage == .idle }
  private lazy var remoteAddress = readRemoteAddress()
  private static let mostWaiting = 1 << 16

  init(
    core: ServerCore, slot: Int, buffers: OpaquePointer, assembler: RequestAssembler, isTLS: Bool, isUnwelcome: Bool
  ) {
    self.core = core
    self.slot = slot
    self.buffers = buffers
    self.isTLS = isTLS
    self.isUnwelcome = isUnwelcome
    loop = core.loop
    self.assembler = assembler
  }

  /// evhttp has made its connection and put it behind the buffers' callbacks.
  func adopt() {
    guard evcon == nil, !isClosed else { return }
    var evcon: UnsafeMutableRawPointer?
    bufferevent_getcb(buffers, nil, nil, nil, &evcon)
    guard let evcon else { return }
    self.evcon = OpaquePointer(evcon)
    // Unretained in both: the core holds the connection until evhttp says that it closes.
    let context = Unmanaged.passUnretained(self).toOpaque()
    evhttp_connection_set_closecb(
      self.evcon,
      { _, context in
        if let context { Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().closed() }
      }, context)
    let arrived: evbuffer_cb_func = { _, change, context in
      guard let context, let change, change.pointee.n_added > 0 else { return }
      Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().arrived(change.pointee.n_added)
    }
    evbuffer_add_cb(bufferevent_get_input(buffers), arrived, context)
    if isUnwelcome { close() }
  }

  // MARK: Arrival

  private func arrived(_ count: Int) {
    guard !isForwarding, let input = bufferevent_get_input(buffers) else { return }
    // What evhttp has been given and not yet read stays; from TLS several pieces can come before it looks.
    let handedOver = isHandedOver ? evbuffer_new() : nil
    if let handedOver { evbuffer_remove_buffer(input, handedOver, evbuffer_get_length(input) - count) }
    defer {
      if let handedOver {
        isForwarding = true
        evbuffer_prepend_buffer(input, handedOver)
        isForwarding = false
        evbuffer_free(handedOver)
      }
    }
    if isClosed || refusal != nil {
      evbuffer_drain(input, evbuffer_get_length(input))
      return
    }
    if stage == .idle { assembler.reset(limits: core.limits) }
    assembler.take(input)
    switch stage {
    case .idle, .reading: advance()
    case .handling, .writing, .lingering:
      // The next requests wait, and what is beyond a few waits in the kernel; evhttp reads on when it has answered.
      if assembler.count > Self.mostWaiting { bufferevent_disable(buffers, Int16(EV_READ)) }
    }
  }

  /// Reads on in what has arrived, and hands a request that is whole to evhttp.
  private func advance() {
    switch assembler.advance() {
    case .incomplete:
      if stage == .idle, assembler.hasBegun { move(to: .reading) }
    case .asksForBody:
      if let response = preflight() { return refuse(response) }
      if assembler.isHeadAlone { sendContinue() }
      advance()
    case .refused(let refusal):
      // What the application says without the body comes before the body's size.
      refuse((refusal.status == 413 ? preflight() : nil) ?? .problem(refusal.status, detail: refusal.detail))
    case .whole: forward()
    }
  }

  private func preflight() -> HTTPResponse? {
    core.preflight(assembler.head.method, assembler.path, remoteAddress)
  }

  private func move(to stage: ConnectionTable.Stage) {
    self.stage = stage
    core.move(self, to: stage)
  }

  /// Past evhttp, whose writing ends a request. Nothing else is being written; a client that misses it goes on without.
  private func sendContinue() {
    let line = "HTTP/1.1 100 Continue\r\n\r\n"
    if isTLS {
      ERR_clear_error()
      _ = SSL_write(bufferevent_openssl_get_ssl(buffers), line, Int32(line.utf8.count))
      ERR_clear_error()
    } else {
      _ = Glibc.send(bufferevent_getfd(buffers), line, line.utf8.count, Int32(MSG_NOSIGNAL))
    }
  }

  // MARK: To evhttp

  private func forward() {
    guard let input = bufferevent_get_input(buffers) else { return }
    mustClose = !assembler.head.keepsAlive
    handOver { detachedBody = assembler.moveRequest(to: input) }
  }

  private func handOver(_ move: () -> Void) {
    self.move(to: .handling)
    isHandedOver = true
    isForwarding = true
    move()
    isForwarding = false
    // libevent would go on decrypting, before evhttp gets to see the request, for as long as the client sends.
    if isTLS { bufferevent_disable(buffers, Int16(EV_READ)) }
  }

  private func refuse(_ response: HTTPResponse) {
    guard let input = bufferevent_get_input(buffers) else { return }
    refusal = response
    mustClose = true
    assembler.discard()
    let stand = "GET / HTTP/1.1\r\nConnection: close\r\n\r\n"
    handOver { _ = evbuffer_prepend(input, stand, stand.utf8.count) }
  }

  func refuseAsTooSlow() {
    refuse(.problem(408, detail: "The request did not arrive in time."))
    bufferevent_trigger(buffers, Int16(EV_READ), Int32(BEV_TRIG_IGNORE_WATERMARKS.rawValue))
  }

  // MARK: From evhttp

  /// The whole request, read by evhttp.
  func received(_ raw: UnsafeMutablePointer<evhttp_request>) {
    bufferevent_disable(buffers, Int16(EV_READ))
    request = raw
    isHandedOver = false
    serial &+= 1
    isWithinEvhttp = true
    defer { isWithinEvhttp = false }
    if let refusal { return send(refusal) }
    core.handler?(makeRequest(raw), HTTPResponder(self, serial: serial))
    if stage == .handling { keepListening() }
  }

  /// Goes on reading while the request is answered, which takes the loop one system call in place of two: what comes is
  /// taken in by `arrived`. Without callbacks the client's end, or half of it, only stops the reading, and is found again
  /// after the answer.
  private func keepListening() {
    if isTLS { return }
    bufferevent_setcb(buffers, nil, nil, nil, UnsafeMutableRawPointer(evcon))
    if assembler.count <= Self.mostWaiting { bufferevent_enable(buffers, Int16(EV_READ)) }
  }

  private func makeRequest(_ raw: UnsafeMutablePointer<evhttp_request>) -> HTTPRequest {
    var fields: [HTTPHeaders.Field] = []
    fields.reserveCapacity(12)
    var header = raw.pointee.input_headers.pointee.tqh_first
    while let field = header {
      fields.append((String(cString: field.pointee.key), String(cString: field.pointee.value)))
      header = field.pointee.next.tqe_next
    }
    // The rewritten head ends with the length that evhttp was told.
    if let detachedBody { fields[fields.count - 1].value = String(detachedBody.count) }
    let target = assembler.head.unusualTarget ?? raw.pointee.uri.map { String(cString: $0) } ?? "/"
    let body = detachedBody ?? raw.pointee.input_buffer.map { takeBytes(evbuffer_get_length($0), from: $0) } ?? []
    return HTTPRequest(
      method: assembler.head.method, target: target, headers: HTTPHeaders(fields), body: body,
      remoteAddress: remoteAddress)
  }

  private func readRemoteAddress() -> String {
    var address: UnsafeMutablePointer<CChar>?
    var port: UInt16 = 0
    evhttp_connection_get_peer(evcon, &address, &port)
    let text = address.map { String(cString: $0) } ?? ""
    // A socket for both families shows an IPv4 caller in IPv6's clothes.
    return text.hasPrefix("::ffff:") && text.contains(".") ? String(text.dropFirst(7)) : text
  }

  // MARK: Response

  func respond(_ response: HTTPResponse, to serial: UInt64) {
    if serial == self.serial, request != nil, stage == .handling { send(response) }
  }

  private func send(_ response: HTTPResponse) {
    guard let request, let headers = request.pointee.output_headers else { return }
    move(to: .writing)
    let isBodiless = response.status == 204 || response.status == 304 || response.status < 200
    for (name, value) in response.headers.fields where Self.isSendable(name, value) {
      if isFramingField(name) {
        if name.utf8.count == 10, value.utf8.count == 5 { mustClose = true }
      } else {
        evhttp_add_header(headers, name, value)
      }
    }
    if response.headers["Date"] == nil { evhttp_add_header(headers, "Date", core.date()) }
    if !isBodiless { evhttp_add_header(headers, "Content-Length", String(response.body.count)) }
    if mustClose || core.isDraining {
      mustClose = true
      evhttp_add_header(headers, "Connection", "close")
    }
    if !isBodiless, assembler.head.method != "HEAD" {
      response.body.withUnsafeBytes { _ = evbuffer_add(request.pointee.output_buffer, $0.baseAddress, $0.count) }
    }
    let written: @convention(c) (UnsafeMutablePointer<evhttp_request>?, UnsafeMutableRawPointer?) -> Void = {
      _, context in
      if let context { Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue().written() }
    }
    evhttp_request_set_on_complete_cb(request, written, Unmanaged.passUnretained(self).toOpaque())
    let status = Int32(truncatingIfNeeded: response.status)
    reasonPhrase(of: response.status).withUTF8Buffer { phrase in
      phrase.withMemoryRebound(to: CChar.self) { evhttp_send_reply(request, status, $0.baseAddress, nil) }
    }
    if !isWithinEvhttp, !isTLS, isWrittenAtOnce() {
      bufferevent_disable(buffers, Int16(EV_WRITE))
      // evhttp ends the request, and may end the connection.
      bufferevent_trigger(buffers, Int16(EV_WRITE), 0)
      return
    }
    // A client that has sent all it will and closed its half must get its answer; evhttp would take that for the end.
    bufferevent_disable(buffers, Int16(EV_READ))
  }

  /// Gives the kernel what evhttp has put together, which nearly always takes all of it: a round of the loop, and two
  /// changes of what it watches, are saved.
  private func isWrittenAtOnce() -> Bool {
    guard let output = bufferevent_get_output(buffers) else { return false }
    // Frozen, so that nobody but its owner takes bytes away: an owner's part is what this plays.
    evbuffer_unfreeze(output, 1)
    evbuffer_write(output, bufferevent_getfd(buffers))
    evbuffer_freeze(output, 1)
    return evbuffer_get_length(output) == 0
  }

  private static func isSendable(_ name: String, _ value: String) -> Bool {
    !value.utf8.contains { $0 == 13 || $0 == 10 || $0 == 0 } && !name.utf8.contains { $0 <= 32 || $0 == 58 }
  }

  /// Which the server sets by itself.
  private func isFramingField(_ name: String) -> Bool {
    switch name.utf8.count {
    case 10: name.lowercased() == "connection"
    case 14: name.lowercased() == "content-length"
    case 17: name.lowercased() == "transfer-encoding"
    default: false
    }
  }

  /// The response has gone to the kernel. evhttp now closes the connection or waits for the next request, which may
  /// have come already: what is put into its buffer here it reads in a moment.
  private func written() {
    let answered = request
    request = nil
    if mustClose {
      if isTLS {
        SSL_shutdown(bufferevent_openssl_get_ssl(buffers))
        ERR_clear_error()
      }
      if refusal != nil, let answered { linger(answered) }
      return
    }
    detachedBody = nil
    move(to: .idle)
    if assembler.count > 0 {
      assembler.reset(limits: core.limits)
      advance()
    } else if core.isDraining {
      loop.execute { if self.stage == .idle { self.close() } }
    }
  }

  // MARK: End

  /// evhttp keeps a connection open that neither head says to close; it frees it when the client ends it.
  private func linger(_ answered: UnsafeMutablePointer<evhttp_request>) {
    evhttp_remove_header(answered.pointee.input_headers, "Connection")
    evhttp_remove_header(answered.pointee.output_headers, "Connection")
    shutdown(bufferevent_getfd(buffers), Int32(SHUT_WR))
    move(to: .lingering)
  }

  func reset(_ serial: UInt64) {
    guard serial == self.serial, !isClosed else { return }
    // evhttp would say goodbye first; to connect to nowhere is Linux's way to reset at once.
    var nowhere = sockaddr()
    nowhere.sa_family = sa_family_t(AF_UNSPEC)
    connect(bufferevent_getfd(buffers), &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    close()
  }

  /// Ends the connection; not from within evhttp's work on it.
  func close() {
    if evcon == nil { adopt() }
    if let evcon, !isClosed { evhttp_connection_free(evcon) }
  }

  /// evhttp frees the connection, and with it its request, unless it has cut the two apart before.
  private func closed() {
    guard !isClosed else { return }
    isClosed = true
    if let request, request.pointee.evcon == nil { evhttp_request_free(request) }
    request = nil
    core.forget(self)
  }
}
