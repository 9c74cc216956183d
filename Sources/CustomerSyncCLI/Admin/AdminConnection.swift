import ArgumentParser
import EventLoop
import HTTP
import HTTPClient
import HTTPServer
import JSON
import Logging
import Mapping
import Service
import Signatures
import Store

/// The way to the admin API: of the running service over HTTP, else of the store in this process.
final class AdminConnection: Sendable {
  private enum Way: Sendable {
    case service(HTTPClient, EventLoop, base: String, token: Secret?)
    /// With the engine at work, where the command needs one.
    case own(ServiceCore, Task<Void, Never>?)
  }

  private let way: Way

  /// Whether `serve` is running and answers.
  var isService: Bool { if case .service = way { true } else { false } }

  private init(_ way: Way) { self.way = way }

  /// Finds the running service, or opens the store; `purpose` names the command to whoever finds the store in use.
  /// - Parameter works: Work is carried out here; else what is decided is left to the next `serve`.
  static func open(
    _ options: ConfigurationOptions, purpose: String, works: Bool = false
  ) async throws -> AdminConnection {
    let (read, diagnostics) = options.loadConfiguration()
    guard let configuration = read else {
      for diagnostic in diagnostics { Console.message(diagnostic.description) }
      throw ExitCode.misconfigured
    }
    let listen = configuration.admin.listen
    if let way = try await service(configuration) { return AdminConnection(way) }
    let mapping = try ConfigurationOptions.complete(configuration, diagnostics).mapping
    do {
      let core = try ServiceCore(
        configuration, mapping: mapping, logger: Logger(label: "customer-sync") { _ in SwiftLogNoOpLogHandler() },
        purpose: purpose)
      try await core.restorePauses()
      guard works else {
        await core.engine.rest()
        return AdminConnection(.own(core, nil))
      }
      return AdminConnection(.own(core, Task { await core.engine.run(walksBySchedule: false) }))
    } catch {
      Console.message("error: \(error)")
      if case .misconfigured = error { throw ExitCode.misconfigured }
      if case .storeInUse = error {
        Console.message(
          "  next: stop it; or, if it is `serve`, let admin.listen be the address that it has (\(listen))")
      }
      throw ExitCode.failure
    }
  }

  /// The service that has the configured store open. Whatever else listens there gets neither the token nor a call.
  private static func service(_ configuration: Configuration) async throws -> Way? {
    guard case .sqlite(let path) = configuration.store, let instance = SQLiteStore.instance(at: path),
      configuration.admin.listen.port != 0
    else { return nil }
    var address = configuration.admin.listen
    if address.host == "0.0.0.0" { address.host = "127.0.0.1" }
    if address.host == "::" { address.host = "::1" }
    let loop = try EventLoop()
    let client = try HTTPClient(loop: loop)
    let base = "http://\(address)"
    let answer = try? await client.send(HTTPRequest(method: "GET", target: base + "/healthz"), timeout: .seconds(3))
    if answer?.status == 200, let body = answer?.body,
      (try? JSONValue(parsing: body))?["instance"]?.string == instance
    {
      return .service(client, loop, base: base, token: configuration.admin.token)
    }
    client.shutdown()
    loop.stop()
    return nil
  }

  func close() async {
    switch way {
    case .service(let client, let loop, _, _):
      client.shutdown()
      loop.stop()
    case .own(let core, let work):
      work?.cancel()
      await core.engine.rest()
      await core.close()
    }
  }

  /// The JSON that a call is answered with; a refusal is told on standard error and is exit 1.
  func call(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [], body: JSONValue? = nil
  ) async throws -> JSONValue {
    let response = try await response(method, path, query: query, body: body)
    guard let value = try? JSONValue(parsing: response.body) else {
      throw CommandFailure("the admin API answered \(response.status) with no JSON")
    }
    return value
  }

  /// What a call is answered with, where it isn't refused.
  func response(
    _ method: String, _ path: String, query: [(name: String, value: String)] = [], body: JSONValue? = nil
  ) async throws -> HTTPResponse {
    var target = "/admin/v1/" + path
    if !query.isEmpty {
      target += "?" + query.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
    }
    var headers: HTTPHeaders = ["Accept": "application/json"]
    if body != nil { headers["Content-Type"] = "application/json" }
    var request = HTTPRequest(method: method, target: target, headers: headers, body: body?.serialized ?? [])
    let response: HTTPResponse
    switch way {
    case .own(let core, _): response = await AdminAPI(core: core).answer(request)
    case .service(let client, _, let base, let token):
      request.target = base + target
      if let token { request.headers["Authorization"] = "Bearer \(token.revealedText)" }
      do {
        // Forgetting waits for whoever still reads the store; an audit reads both sides whole.
        response = try await client.send(request, timeout: .seconds(path == "audit" ? 86_400 : 300))
      } catch {
        throw CommandFailure("the service on \(base): \(error)")
      }
    }
    guard 200..<300 ~= response.status else {
      let detail = (try? JSONValue(parsing: response.body))?["detail"]?.string
      throw CommandFailure(detail ?? "the admin API answered \(response.status)")
    }
    return response
  }

  /// Every item of a list, page by page, in the list's order.
  func forEachPage(
    _ path: String, query: [(name: String, value: String)] = [], _ body: ([JSONValue]) throws -> Bool
  ) async throws {
    var after: String?
    repeat {
      let page = try await call(
        "GET", path, query: query + [("limit", "500")] + (after.map { [("after", $0)] } ?? []))
      guard try body(page["items"]?.array ?? []) else { return }
      after = page["next"]?.identifier
    } while after != nil
  }

  /// RFC 3986's unreserved characters stay as they are.
  static func encoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// A command that is a client of the admin API.
protocol AdminCommand: AsyncParsableCommand {
  /// The command's name, as others are told who holds the store.
  static var purpose: String { get }
  var options: ConfigurationOptions { get }
  func run(with admin: AdminConnection) async throws
}

extension AdminCommand {
  func run() async throws {
    let admin = try await AdminConnection.open(options, purpose: Self.purpose)
    do {
      try await run(with: admin)
      await admin.close()
    } catch {
      await admin.close()
      guard let failure = error as? CommandFailure else { throw error }
      Console.message("error: \(failure.reason)")
      throw ExitCode.failure
    }
  }
}
