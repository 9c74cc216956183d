import EventLoop
import HTTP
import HTTPClient
import HTTPServer
import JSON
import Sandbox
import Signatures
import Synchronization
import Testing

/// Receives webhooks on a socket, answers each with the next of `statuses` (then 200), and hands them out.
private final class Receiver: Sendable {
  let requests: AsyncStream<HTTPRequest>
  let url: String
  private let server: HTTPServer

  init(loop: EventLoop, statuses: [Int] = []) throws {
    let (stream, continuation) = AsyncStream.makeStream(of: HTTPRequest.self)
    let rest = Mutex(statuses[...])
    requests = stream
    let address = ListenAddress(host: "127.0.0.1", port: 0)
    server = try HTTPServer(configuration: HTTPServerConfiguration(address: address), loop: loop) {
      request, responder in
      responder.respond(HTTPResponse(status: rest.withLock { $0.popFirst() } ?? 200))
      continuation.yield(request)
    }
    url = "http://127.0.0.1:\(server.port)/hook"
  }

  func next() async -> HTTPRequest? { await requests.first { _ in true } }
}

@Suite("Sandbox on sockets", .timeLimit(.minutes(1))) final class SocketTests {
  private let loop: EventLoop
  private let client: HTTPClient

  init() throws {
    loop = try EventLoop()
    client = try HTTPClient(loop: loop)
  }

  deinit {
    client.shutdown()
    loop.stop()
  }

  private func ask(
    _ method: String, _ url: String, _ authorization: String = "Basic c2FuZGJveC1rZXk6", _ body: JSONValue? = nil
  ) async throws -> HTTPResponse {
    var headers: HTTPHeaders = ["Authorization": authorization]
    if body != nil { headers["Content-Type"] = "application/json" }
    return try await client.send(
      HTTPRequest(method: method, target: url, headers: headers, body: body?.serialized ?? []))
  }

  @Test("both systems answer at their root, with Invoiced filled and the PMS empty")
  func answers() async throws {
    var options = SandboxOptions()
    options.customers = 3
    let sandbox = try await Sandbox.start(options)
    let customers = try await ask("GET", sandbox.invoiced.url + "/customers")
    #expect(customers.status == 200)
    #expect(customers.json?.array?.count == 3)
    #expect(customers.headers["X-Total-Count"] == "3")
    #expect(customers.headers.all("Date").count == 1)
    #expect(try await ask("PUT", sandbox.invoiced.url + "/customers").status == 405)
    let made = try await ask("POST", sandbox.pms.url + "/customers", "Bearer sandbox-token", ["name": "Æ"])
    #expect(made.status == 201 && made.json?["name"] == "Æ" && made.headers["ETag"] == "\"v1\"")
    #expect(try await ask("DELETE", sandbox.pms.url + "/customers/C-1", "Bearer sandbox-token").status == 204)
    #expect(try await ask("GET", sandbox.pms.url + "/_sandbox/stats").json?["requests"]?["POST"] == 1)
    await sandbox.stop()
    await #expect(throws: HTTPClientError.self) { try await ask("GET", sandbox.invoiced.url + "/customers") }
  }

  @Test("an edit at a side's own pages sends its signed webhook, again after a failure")
  func webhooks() async throws {
    let receiver = try Receiver(loop: loop, statuses: [500])
    var options = SandboxOptions()
    options.invoiced.webhookURL = receiver.url
    options.retryWebhooks(after: .milliseconds(20))
    let sandbox = try await Sandbox.start(options)
    let customer = try sandbox.invoiced.create(["name": "Åse"])
    let first = try #require(await receiver.next())
    let second = try #require(await receiver.next())
    #expect(first.body == second.body)
    #expect(try JSONValue(parsing: first.body)["data"]?["object"] == customer)
    let signature = try signatureHeaders(
      scheme: .invoiced, secret: Secret("sandbox-webhook-secret"), id: "", timestamp: 0, body: second.body)
    #expect(second.headers["X-Invoiced-Signature"] == signature.first?.value)
    #expect(second.headers.all("User-Agent") == ["Invoiced/1.0"])
    try sandbox.invoiced.update(customer["id"]?.identifier ?? "", ["name": "B"], silent: true)
    try sandbox.invoiced.delete(customer["id"]?.identifier ?? "")
    let last = try #require(await receiver.next())
    #expect(try JSONValue(parsing: last.body)["type"] == "customer.deleted")
    #expect(throws: SandboxError.self) { try sandbox.invoiced.delete("1") }
    await sandbox.stop()
  }

  @Test("a PMS callback is sent, and waits out its retry until the clock is moved on")
  func callbacks() async throws {
    let receiver = try Receiver(loop: loop, statuses: [503])
    var options = SandboxOptions()
    options.pms.callbackURL = receiver.url
    options.pms.retries.gaps = [3_600_000]
    let sandbox = try await Sandbox.start(options)
    let made = try await ask("POST", sandbox.pms.url + "/customers", "Bearer sandbox-token", ["name": "A"])
    let first = try #require(await receiver.next())
    while sandbox.pms.system.stats.failed == 0 { await Task.yield() }
    #expect(sandbox.pms.system.stats.pending == 1)
    let moved = try await ask("POST", sandbox.pms.url + "/_sandbox/clock", "", ["advance": 3600])
    #expect(moved.status == 200)
    let second = try #require(await receiver.next())
    #expect(first.body == second.body)
    #expect(first.headers["webhook-id"] == second.headers["webhook-id"])
    #expect(first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"])
    #expect(try JSONValue(parsing: first.body)["data"] == made.json)
    await sandbox.stop()
  }

  @Test("an outage of the refusing kind resets connections")
  func refused() async throws {
    let sandbox = try await Sandbox.start(SandboxOptions())
    sandbox.pms.system.setOutage(.refused)
    await #expect(throws: HTTPClientError.self) {
      try await ask("GET", sandbox.pms.url + "/customers", "Bearer sandbox-token")
    }
    sandbox.pms.system.setOutage(nil)
    #expect(try await ask("GET", sandbox.pms.url + "/customers", "Bearer sandbox-token").status == 200)
    await sandbox.stop()
  }

  @Test("many webhooks arrive, five at a time")
  func many() async throws {
    let receiver = try Receiver(loop: loop)
    var options = SandboxOptions()
    options.invoiced.webhookURL = receiver.url
    let sandbox = try await Sandbox.start(options)
    for index in 0..<40 { try sandbox.invoiced.create(["name": .string("N\(index)")]) }
    var names: Set<String> = []
    for await request in receiver.requests {
      names.insert(try JSONValue(parsing: request.body)["data"]?["object"]?["name"]?.string ?? "")
      if names.count == 40 { break }
    }
    while sandbox.invoiced.system.stats.pending > 0 { await Task.yield() }
    #expect(sandbox.invoiced.system.stats.sent == 40)
    await sandbox.stop()
  }

  @Test("an address in use is said")
  func addressInUse() async throws {
    let sandbox = try await Sandbox.start(SandboxOptions())
    var options = SandboxOptions()
    options.pmsAddress.port = sandbox.pmsPort
    await #expect(throws: SandboxError.self) { _ = try await Sandbox.start(options) }
    await sandbox.stop()
  }
}
