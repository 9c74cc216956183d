import Foundation
import Glibc
import HTTP
import JSON
import Testing

@Suite("connections", .serialized)
struct ConnectionTests {
  /// Open connections to one port, from this process.
  private final class Crowd {
    private(set) var descriptors: [Int32] = []
    private let port: Int

    init(port: Int) { self.port = port }
    deinit { for descriptor in descriptors { Glibc.close(descriptor) } }

    func open() throws {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else { throw EndToEndError("no socket: \(errno)") }
      descriptors.append(descriptor)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(port).bigEndian
      address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
      let connected = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard connected == 0 else { throw EndToEndError("connect: \(errno)") }
    }

    /// Whether the other end has closed it.
    func isClosed(_ index: Int) -> Bool {
      var byte: UInt8 = 0
      return recv(descriptors[index], &byte, 1, Int32(MSG_DONTWAIT)) == 0
    }

    func send(_ text: String, on index: Int) {
      _ = text.withCString { Glibc.send(descriptors[index], $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }
  }

  /// How many connections this machine lets one process have, at most `wanted`.
  private static func possible(_ wanted: Int) -> Int {
    var limit = rlimit()
    let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(files, &limit) == 0 else { return 500 }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(files, &limit)
    return min(wanted, Int(clamping: limit.rlim_max) - 500)
  }

  @Test("ten thousand idle connections keep nobody from being served; one more closes the longest idle")
  func manyIdle() async throws {
    let count = Self.possible(10_000)
    let installation = try await Installation()
    // The client that asks on the side keeps a connection too.
    try installation.folder.write(
      installation.configuration(extra: "max_connections: \(count + 1)\nidle_timeout: 10m"), "customer-sync.yaml")
    let run = try await installation.serve()
    let crowd = Crowd(port: installation.publicPort)
    for index in 0..<count {
      try crowd.open()
      // The queue of those that wait to be accepted is short: every now and then an answer shows that it is empty.
      guard index % 100 == 99 else { continue }
      let isReady = try await installation.isReady
      #expect(isReady)
    }
    let started = ContinuousClock.now
    let record: JSONValue = ["id": 1, "name": "Acme AS", "type": "person", "updated_at": 1]
    for id in 1...50 { #expect(try await installation.post(event: "\(id)", record: record)?.status == 200) }
    #expect(ContinuousClock.now - started < .seconds(10))
    #expect(!crowd.isClosed(0) && !crowd.isClosed(count - 1))

    try crowd.open()
    #expect(try await eventually { crowd.isClosed(0) }, "the longest idle made room")
    #expect(!crowd.isClosed(1) && !crowd.isClosed(count))
    #expect(try await installation.isReady)
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("a client that sends a byte now and then is told 408, and holds nobody up")
  func byteByByte() async throws {
    let installation = try await Installation()
    try installation.folder.write(installation.configuration(extra: "read_timeout: 500ms"), "customer-sync.yaml")
    let run = try await installation.serve()
    let crowd = Crowd(port: installation.publicPort)
    for _ in 0..<20 { try crowd.open() }
    let bytes = Array("POST /webhooks/invoiced HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000\r\n\r\n")
    var sent = 0
    let isRefused = try await eventually {
      for index in 0..<20 { crowd.send(String(bytes[sent % bytes.count]), on: index) }
      sent += 1
      let isReady = try await installation.isReady
      #expect(isReady)
      return (0..<20).allSatisfy { index in
        var answer = [UInt8](repeating: 0, count: 12)
        let count = recv(crowd.descriptors[index], &answer, 12, Int32(MSG_DONTWAIT | MSG_PEEK))
        return count == 12 && String(decoding: answer, as: UTF8.self) == "HTTP/1.1 408"
      }
    }
    #expect(isRefused)
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("a second signal ends it at once, however long the drain may take")
  func secondSignal() async throws {
    let installation = try await Installation()
    try installation.folder.write(
      installation.configuration(extra: "drain: 10m\nread_timeout: 10m"), "customer-sync.yaml")
    let run = try await installation.serve()
    let crowd = Crowd(port: installation.publicPort)
    try crowd.open()
    crowd.send("POST /webhooks/invoiced HTTP/1.1\r\nHost: localhost\r\nContent-Le", on: 0)
    // The answer to a later request shows that the first bytes have come.
    #expect(try await installation.isReady)
    run.signal(SIGTERM)
    #expect(try await eventually { run.standardError.contains("draining") })
    #expect(run.isRunning)
    run.signal(SIGTERM)
    #expect(try await eventually(within: 10) { !run.isRunning })
    await installation.close()
  }
}
