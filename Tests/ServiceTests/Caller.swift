import Glibc

/// A response as it came over the wire.
struct Answer: Sendable {
  var status = 0
  var fields: [(name: String, value: String)] = []
  var body = ""

  /// Nil where it is not there, or there twice.
  subscript(name: String) -> String? {
    let values = fields.filter { $0.name.lowercased() == name.lowercased() }
    return values.count == 1 ? values[0].value : nil
  }
}

/// Sends bytes as they are and reads one answer, each over a connection of its own, on a thread of its own: the service's
/// tasks share the pool that a blocking read would hold up.
struct Caller: Sendable {
  struct Failed: Error { let what: String }

  let port: Int

  func send(_ bytes: [UInt8], toHead: Bool = false) async throws -> Answer {
    let port = port
    let result: Result<Answer, Failed> = await withCheckedContinuation { continuation in
      runOnThread {
        do throws(Failed) {
          continuation.resume(returning: .success(try Self.exchange(bytes, port: port, toHead: toHead)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }

  private static func exchange(_ bytes: [UInt8], port: Int, toHead: Bool) throws(Failed) -> Answer {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { Glibc.close(descriptor) }
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Failed(what: "connect: \(errno)") }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 else { break }
      rest = rest.dropFirst(count)
    }
    var received: [UInt8] = []
    while true {
      if let answer = parse(received, toHead: toHead) { return answer }
      var part = [UInt8](repeating: 0, count: 1 << 16)
      let count = part.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
      guard count > 0 else { throw Failed(what: "no answer after: \(String(decoding: received, as: UTF8.self))") }
      received += part[..<count]
    }
  }

  private static func parse(_ bytes: [UInt8], toHead: Bool) -> Answer? {
    let end = Array("\r\n\r\n".utf8)
    guard let split = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else { return nil }
    let lines = String(decoding: bytes[..<split], as: UTF8.self).split(separator: "\r\n")
    var answer = Answer(status: Int(lines[0].split(separator: " ")[1]) ?? 0)
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      answer.fields.append((String(parts[0]), String(parts[1].drop { $0 == " " })))
    }
    let length = toHead ? 0 : answer["Content-Length"].flatMap { Int($0) } ?? 0
    guard bytes.count >= split + 4 + length else { return nil }
    answer.body = String(decoding: bytes[(split + 4)..<(split + 4 + length)], as: UTF8.self)
    return answer
  }
}

/// Runs blocking work on a thread of its own.
private func runOnThread(_ work: @Sendable @escaping () -> Void) {
  final class Box: Sendable {
    let work: @Sendable () -> Void
    init(_ work: @Sendable @escaping () -> Void) { self.work = work }
  }
  var thread = pthread_t()
  let context = Unmanaged.passRetained(Box(work))
  let failure = pthread_create(
    &thread, nil,
    { context in
      if let context { Unmanaged<Box>.fromOpaque(context).takeRetainedValue().work() }
      return nil
    }, context.toOpaque())
  if failure == 0 { pthread_detach(thread) } else { context.release() }
}
