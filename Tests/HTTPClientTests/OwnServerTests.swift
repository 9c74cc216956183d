import EventLoop
import HTTP
import HTTPClient
import HTTPServer
import Testing

@Suite("The HTTP client and our own server", .timeLimit(.minutes(1))) struct OwnServerTests {
  @Test("understand each other, in parallel, plainly and under TLS", arguments: [false, true])
  func exchange(isTLS: Bool) async throws {
    let certificates = try Certificates()
    let loop = try EventLoop()
    defer { loop.stop() }
    let configuration = HTTPServerConfiguration(
      address: ListenAddress(host: "127.0.0.1", port: 0),
      tls: isTLS
        ? TLSConfiguration(certificate: certificates.path("cert.pem"), key: certificates.path("key.pem")) : nil)
    let server = try HTTPServer(configuration: configuration, loop: loop) { request, responder in
      responder.respond(HTTPResponse(status: 202, headers: ["X-Method": request.method], body: request.body))
    }
    defer { server.close() }
    let client = try HTTPClient(
      loop: loop, configuration: HTTPClientConfiguration(timeout: .seconds(20), ca: certificates.ca))
    defer { client.shutdown() }
    let url = "\(isTLS ? "https" : "http")://localhost:\(server.port)/customers/1"
    let right = try await withThrowingTaskGroup(of: Bool.self) { group in
      for number in 0..<100 {
        group.addTask {
          let body = [UInt8](repeating: UInt8(number), count: number * 100)
          let response = try await client.send(HTTPRequest(method: "PATCH", target: url, body: body))
          return response.status == 202 && response.body == body && response.headers["x-method"] == "PATCH"
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(right == 100)
  }
}
