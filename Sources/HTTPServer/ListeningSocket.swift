import Glibc

/// A socket that listens, not yet watched by anyone; whoever takes its descriptor closes it.
struct ListeningSocket {
  let descriptor: Int32
  let port: Int

  init(_ address: ListenAddress, sharesPort: Bool) throws(HTTPServerError) {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let failure = getaddrinfo(address.host, String(address.port), &hints, &found)
    guard failure == 0, let found else {
      throw .cannotListen("\(address)", reason: String(cString: gai_strerror(failure)))
    }
    defer { freeaddrinfo(found) }
    let info = found.pointee
    let kind = info.ai_socktype | Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(info.ai_family, kind, info.ai_protocol)
    guard descriptor >= 0 else { throw Self.error(address, errno) }
    Self.set(SOL_SOCKET, SO_REUSEADDR, 1, on: descriptor)
    if sharesPort { Self.set(SOL_SOCKET, SO_REUSEPORT, 1, on: descriptor) }
    // Accepted sockets inherit it: a response must not wait for the acknowledgement of the one before.
    Self.set(Int32(IPPROTO_TCP), TCP_NODELAY, 1, on: descriptor)
    if info.ai_family == AF_INET6 { Self.set(Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0, on: descriptor) }
    guard bind(descriptor, info.ai_addr, info.ai_addrlen) == 0, listen(descriptor, 4096) == 0 else {
      let error = Self.error(address, errno)
      Glibc.close(descriptor)
      throw error
    }
    self.descriptor = descriptor
    port = Self.port(of: descriptor)
  }

  private static func set(_ level: Int32, _ option: Int32, _ value: Int32, on descriptor: Int32) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func error(_ address: ListenAddress, _ code: Int32) -> HTTPServerError {
    code == EADDRINUSE
      ? .addressInUse("\(address)") : .cannotListen("\(address)", reason: String(cString: strerror(code)))
  }

  private static func port(of descriptor: Int32) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
      // The port has the same place in both families.
      let port = pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_port }
      return Int(UInt16(bigEndian: port))
    }
  }
}
