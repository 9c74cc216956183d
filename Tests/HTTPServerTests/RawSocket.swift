import COpenSSL
import Glibc
import Testing

/// A response as it came over the wire.
struct RawResponse: Equatable {
  var status = 0
  var fields: [(name: String, value: String)] = []
  var body = ""

  static func == (a: RawResponse, b: RawResponse) -> Bool { a.status == b.status && a.body == b.body }

  subscript(name: String) -> String? { fields.first { $0.name.lowercased() == name.lowercased() }?.value }
}

/// A client that sends exactly the bytes it is told to.
final class RawSocket {
  struct Failed: Error { let what: String }

  private let descriptor: Int32
  private var received: [UInt8] = []
  private var tls: (context: OpaquePointer, session: OpaquePointer)?

  init(port: Int, host: String = "127.0.0.1") throws {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, String(port), &hints, &found) == 0, let info = found else { throw Failed(what: "address") }
    defer { freeaddrinfo(info) }
    descriptor = socket(info.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    guard connect(descriptor, info.pointee.ai_addr, info.pointee.ai_addrlen) == 0 else {
      Glibc.close(descriptor)
      throw Failed(what: "connect: \(errno)")
    }
  }

  deinit {
    if let tls {
      SSL_free(tls.session)
      SSL_CTX_free(tls.context)
    }
    Glibc.close(descriptor)
  }

  /// Shakes hands; throws when the server doesn't want to.
  func startTLS(certificate: String? = nil, key: String? = nil, highest: Int = 0) throws {
    guard let context = SSL_CTX_new(TLS_client_method()), let session = SSL_new(context) else {
      throw Failed(what: "TLS")
    }
    tls = (context, session)
    _ = SSL_ctrl(session, SSL_CTRL_SET_MAX_PROTO_VERSION, highest, nil)
    if let certificate, let key {
      SSL_use_certificate_file(session, certificate, SSL_FILETYPE_PEM)
      SSL_use_PrivateKey_file(session, key, SSL_FILETYPE_PEM)
    }
    SSL_set_fd(session, descriptor)
    ERR_clear_error()
    guard SSL_connect(session) == 1 else { throw Failed(what: "handshake") }
  }

  /// The common name in the server's certificate.
  var serverName: String {
    guard let tls, let certificate = SSL_get1_peer_certificate(tls.session) else { return "" }
    defer { X509_free(certificate) }
    var text = [UInt8](repeating: 0, count: 256)
    let count = text.withUnsafeMutableBytes { bytes in
      X509_NAME_get_text_by_NID(
        X509_get_subject_name(certificate), NID_commonName, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), 256)
    }
    return String(decoding: text.prefix(Int(max(0, count))), as: UTF8.self)
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { buffer in
        if let tls { return Int(SSL_write(tls.session, buffer.baseAddress, Int32(buffer.count))) }
        return Glibc.send(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  func closeSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// False at the end, or after ten seconds.
  private func receiveMore() -> Bool {
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = bytes.withUnsafeMutableBytes { buffer in
      if let tls { return Int(SSL_read(tls.session, buffer.baseAddress, Int32(buffer.count))) }
      return recv(descriptor, buffer.baseAddress, buffer.count, 0)
    }
    guard count > 0 else { return false }
    received += bytes[..<count]
    return true
  }

  /// The next response; 100 Continue counts as one.
  func response(toHead: Bool = false) throws -> RawResponse {
    while true {
      if let response = parsed(toHead) { return response }
      if !receiveMore() { throw Failed(what: "no response; got: \(String(decoding: received, as: UTF8.self))") }
    }
  }

  private func parsed(_ toHead: Bool) -> RawResponse? {
    let end = Array("\r\n\r\n".utf8)
    guard let split = received.indices.first(where: { received[$0...].starts(with: end) }) else { return nil }
    let lines = String(decoding: received[..<split], as: UTF8.self).split(separator: "\r\n")
    var response = RawResponse(status: Int(lines[0].split(separator: " ")[1]) ?? 0)
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      response.fields.append((String(parts[0]), parts[1].trimming))
    }
    let length = toHead ? 0 : response["Content-Length"].flatMap { Int($0) } ?? 0
    guard received.count >= split + 4 + length else { return nil }
    response.body = String(decoding: received[(split + 4)..<(split + 4 + length)], as: UTF8.self)
    received.removeFirst(split + 4 + length)
    return response
  }

  /// Whether the server ends the connection without another byte.
  func isClosedByServer() -> Bool {
    guard received.isEmpty else { return false }
    var byte: UInt8 = 0
    if let tls { return SSL_read(tls.session, &byte, 1) <= 0 }
    let count = recv(descriptor, &byte, 1, 0)
    return count == 0 || (count < 0 && errno == ECONNRESET)
  }

  /// Whether the server has cut the connection off, with a reset.
  func isReset() -> Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, 0) < 0 && errno == ECONNRESET
  }
}

extension Substring {
  fileprivate var trimming: String {
    var text = self
    while text.first == " " { text = text.dropFirst() }
    return String(text)
  }
}
