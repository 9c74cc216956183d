import COpenSSL
import Foundation
import Synchronization

/// A server that does on its socket exactly what a test says: answers byte by byte, hangs, closes, resets.
final class RawServer: Sendable {
  struct Received: Sendable {
    let head: String
    let body: [UInt8]
    /// Counted from 1.
    let connection: Int

    var requestLine: String { String(head.prefix { $0 != "\r\n" }) }

    func header(_ name: String) -> String? {
      head.split(separator: "\r\n").dropFirst().first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
        .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
    }
  }

  enum Reaction: Sendable {
    case reply(String)
    case replyThenClose(String)
    /// Says nothing, until the client hangs up.
    case hang
    case close
    case reset
  }

  let port: UInt16
  /// Requests as they were read, and the ends of connections on which the client hung up.
  let received: AsyncStream<Received>
  let hangUps: AsyncStream<Int>
  private let receivedInput: AsyncStream<Received>.Continuation
  private let hangUpsInput: AsyncStream<Int>.Continuation
  private let listener: Int32
  private let tls: TLSServer?
  private let handler: @Sendable (Received) -> Reaction
  private let state = Mutex(State())

  private struct State {
    var requests: [Received] = []
    var connectionCount = 0
    /// What is open: a closed descriptor's number is soon another test's.
    var open: Set<Int32> = []
  }

  init(tls: TLSServer? = nil, handler: @escaping @Sendable (Received) -> Reaction) throws {
    listener = try Self.listen()
    port = try Self.port(of: listener)
    self.tls = tls
    self.handler = handler
    (received, receivedInput) = AsyncStream.makeStream()
    (hangUps, hangUpsInput) = AsyncStream.makeStream()
    Thread.detachNewThread { [self] in accept() }
  }

  var requests: [Received] { state.withLock { $0.requests } }
  var connectionCount: Int { state.withLock { $0.connectionCount } }

  /// An URL of this server.
  func url(_ path: String = "/", host: String = "127.0.0.1") -> String {
    "\(tls == nil ? "http" : "https")://\(host):\(port)\(path)"
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    state.withLock { for connection in $0.open { shutdown(connection, Int32(SHUT_RDWR)) } }
  }

  /// A port of this machine on which nobody listens.
  static func freePort() throws -> UInt16 {
    let socket = try listen()
    defer { close(socket) }
    return try port(of: socket)
  }

  private static func listen() throws -> Int32 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, Glibc.listen(socket, 512) == 0 else { throw POSIXError(.EADDRINUSE) }
    return socket
  }

  private static func port(of socket: Int32) throws -> UInt16 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let named = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
    }
    guard named == 0 else { throw POSIXError(.EBADF) }
    return UInt16(bigEndian: address.sin_port)
  }

  private func accept() {
    while true {
      let socket = Glibc.accept(listener, nil, nil)
      guard socket >= 0 else { break }
      let number = state.withLock {
        $0.open.insert(socket)
        $0.connectionCount += 1
        return $0.connectionCount
      }
      Thread.detachNewThread { [self] in serve(socket, number) }
    }
    close(listener)
  }

  private func serve(_ socket: Int32, _ number: Int) {
    let stream = tls.map { Stream(socket, $0) } ?? Stream(socket)
    defer {
      state.withLock {
        $0.open.remove(socket)
        stream.end()
      }
    }
    guard stream.isOpen else { return }
    while let request = read(from: stream, number) {
      state.withLock { $0.requests.append(request) }
      receivedInput.yield(request)
      switch handler(request) {
      case .reply(let text): stream.write(Array(text.utf8))
      case .replyThenClose(let text): return stream.write(Array(text.utf8))
      case .close: return
      case .reset: return stream.resetOnClose()
      case .hang: break
      }
    }
    hangUpsInput.yield(number)
  }

  private func read(from stream: Stream, _ number: Int) -> Received? {
    var bytes: [UInt8] = []
    while true {
      if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
        let head = Received(
          head: String(decoding: bytes[..<end.lowerBound], as: UTF8.self), body: [], connection: number)
        let length = head.header("Content-Length").flatMap { Int($0) } ?? 0
        if bytes.count >= end.upperBound + length {
          return Received(head: head.head, body: Array(bytes[end.upperBound...].prefix(length)), connection: number)
        }
      }
      let more = stream.read()
      if more.isEmpty { return nil }
      bytes += more
    }
  }
}

/// One accepted connection, plain or under TLS; used by its own thread.
private final class Stream {
  private let socket: Int32
  private let ssl: OpaquePointer?
  let isOpen: Bool

  init(_ socket: Int32) {
    self.socket = socket
    ssl = nil
    isOpen = true
  }

  init(_ socket: Int32, _ server: TLSServer) {
    self.socket = socket
    ssl = server.makeSession()
    isOpen = SSL_set_fd(ssl, socket) == 1 && SSL_accept(ssl) == 1
  }

  func read() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 65536) { bytes, count in
      count = max(
        0, ssl.map { Int(SSL_read($0, bytes.baseAddress, 65536)) } ?? Glibc.read(socket, bytes.baseAddress, 65536))
    }
  }

  func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { bytes in
        ssl.map { Int(SSL_write($0, bytes.baseAddress, Int32(bytes.count))) }
          ?? Int(send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  func resetOnClose() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
  }

  func end() {
    if let ssl { SSL_free(ssl) }
    close(socket)
  }
}
