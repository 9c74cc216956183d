import EventLoop
import Foundation
import HTTP
import Testing

@testable import HTTPClient

@Suite("The HTTP client under TLS", .timeLimit(.minutes(1))) struct TLSTests {
  private let certificates: Certificates

  init() throws { certificates = try Certificates() }

  private func configuration(ca: String?) -> HTTPClientConfiguration {
    HTTPClientConfiguration(timeout: .seconds(20), ca: ca)
  }

  @Test("a certificate signed by the configured authority is trusted, by name and by address")
  func trusted() async throws {
    let server = try certificates.server()
    try await Harness.run(
      configuration(ca: certificates.ca), tls: server, always: .reply(reply("secret"))
    ) { harness in
      for host in ["localhost", "127.0.0.1"] {
        for _ in 0..<2 {
          let request = HTTPRequest(method: "POST", target: harness.server.url("/x", host: host), body: [1])
          let response = try await harness.client.send(request)
          #expect(response.body == Array("secret".utf8))
        }
      }
      #expect(harness.server.connectionCount == 2)
    }
  }

  @Test("a server's own certificate can be trusted by itself")
  func pinned() async throws {
    try await Harness.run(
      configuration(ca: certificates.path("cert.pem")), tls: certificates.server(), always: .reply(reply())
    ) { harness in
      let answer = try await harness.send()
      #expect(answer.status == 200)
    }
  }

  @Test("another authority, or none, is refused: not sent", arguments: [true, false])
  func untrusted(hasOther: Bool) async throws {
    try await Harness.run(
      configuration(ca: hasOther ? certificates.otherCA : nil), tls: certificates.server(),
      always: .reply(reply())
    ) { harness in
      let error = try #require(await harness.failure("POST", body: [1]))
      #expect(error.isNotSent, "\(error)")
      #expect(error.description.contains("certificate"), "\(error)")
      #expect(harness.server.requests.isEmpty)
    }
  }

  @Test("a certificate for another name is refused")
  func otherName() async throws {
    try await Harness.run(
      configuration(ca: certificates.ca), tls: certificates.server(), always: .reply(reply())
    ) { harness in
      let request = HTTPRequest(method: "GET", target: harness.server.url(host: "other.localhost"))
      let error = await #expect(throws: HTTPClientError.self) { try await harness.client.send(request) }
      #expect(error?.isNotSent == true, "\(String(describing: error))")
      #expect(harness.server.requests.isEmpty)
    }
  }

  @Test("https to a server that speaks plain HTTP: not sent")
  func plainServer() async throws {
    try await Harness.run(always: .reply(reply())) { harness in
      let request = HTTPRequest(method: "POST", target: "https://127.0.0.1:\(harness.server.port)/", body: [1])
      let error = await #expect(throws: HTTPClientError.self) {
        try await harness.client.send(request, timeout: .milliseconds(500))
      }
      #expect(error?.isNotSent == true, "\(String(describing: error))")
    }
  }

  @Test("a `ca` file without certificates stops the client from starting, and is named")
  func badFile() throws {
    let empty = certificates.path("empty.pem")
    try Data("nothing\n".utf8).write(to: URL(filePath: empty))
    let loop = try EventLoop()
    defer { loop.stop() }
    for path in [empty, "/nonexistent/ca.pem"] {
      let error = #expect(throws: HTTPClientError.self) {
        try HTTPClient(loop: loop, configuration: configuration(ca: path))
      }
      #expect(error?.description.contains(path) == true)
    }
  }
}
