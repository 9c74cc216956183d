import Documents
import Foundation
import JSON
import Logging
import Mapping
import Service
import Signatures
import Testing

/// The whole service on free ports with a store of its own, and both sides out of reach.
struct RunningService: Sendable {
  static let invoicedSecret = Secret("invoiced-secret")
  static let pmsSecret = Secret("whsec_c2VjcmV0LWZvdXItc2VjcmV0LWZvdXI=")
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  let service: SyncService
  let store: String
  private let documented: Documented
  private let caller: Caller

  /// Runs `body` against a service; `settings` are more lines of its configuration.
  static func run(
    _ settings: String = "", allowFrom: String = "[]", _ body: (RunningService) async throws -> Void
  ) async throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "customer-sync-\(UUID())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let text = """
      listen: 127.0.0.1:0
      admin: { listen: 127.0.0.1:0 }
      store: sqlite:store.db
      mapping: \(root.appending(path: "deploy/mapping.yaml").path)
      invoiced:
        url: http://127.0.0.1:1
        api_key: key
        webhook: { secrets: ["former-secret", "invoiced-secret"], allow_from: \(allowFrom) }
      pms:
        url: http://127.0.0.1:1
        callback:
          signature: { secrets: ["whsec_c2VjcmV0LWZvdXItc2VjcmV0LWZvdXI="] }
          allow_from: \(allowFrom)
      \(settings)
      """
    let (read, problems) = Configuration.read(
      text: text, file: directory.appending(path: "customer-sync.yaml").path, environment: [:])
    let configuration = try #require(read, "\(problems)")
    let mapping = try #require(MappingLoader.load(configuration.mapping).mapping)
    let service = try await SyncService.start(
      configuration, mapping: mapping, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    do {
      try await body(
        RunningService(
          service: service, store: directory.appending(path: "store.db").path, documented: try Documented.read(),
          caller: Caller(port: service.publicPort)))
    } catch {
      await service.drain(within: .seconds(1))
      throw error
    }
    await service.drain(within: .seconds(1))
  }

  /// A request to the public listener. Whatever it answers must be an answer that `openapi.yaml` knows.
  func call(
    _ method: String, _ path: String, _ headers: [(name: String, value: String)] = [], _ body: [UInt8]? = nil,
    declaring length: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if let length = length ?? body?.count { head += "Content-Length: \(length)\r\n" }
    return try await raw(
      Array((head + "\r\n").utf8) + (body ?? []), method, path, sourceLocation: sourceLocation)
  }

  func raw(
    _ bytes: [UInt8], _ method: String, _ path: String, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    let answer = try await caller.send(bytes, toHead: method == "HEAD")
    #expect(
      documented.problem(with: answer, to: method, at: path) == nil, "\(method) \(path)",
      sourceLocation: sourceLocation)
    #expect(answer.status != 410 && !(300..<400 ~= answer.status), sourceLocation: sourceLocation)
    return answer
  }

  /// A signed webhook of Invoiced.
  func webhook(
    _ body: [UInt8], contentType: String? = "application/json", sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await call(
      "POST", "/webhooks/invoiced", Self.invoiced(body) + Self.type(contentType), body, sourceLocation: sourceLocation)
  }

  func webhook(_ body: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> Answer {
    try await webhook(Array(body.utf8), sourceLocation: sourceLocation)
  }

  /// A signed callback of the PMS.
  func callback(
    _ body: [UInt8], id: String = "evt_01", contentType: String? = "application/json",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await call(
      "POST", "/callbacks/pms", Self.pms(body, id: id) + Self.type(contentType), body, sourceLocation: sourceLocation)
  }

  func callback(
    _ body: String, id: String = "evt_01", sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> Answer {
    try await callback(Array(body.utf8), id: id, sourceLocation: sourceLocation)
  }

  static func type(_ contentType: String?) -> [(name: String, value: String)] {
    contentType.map { [("Content-Type", $0)] } ?? []
  }

  static func invoiced(_ body: [UInt8], secret: Secret = invoicedSecret) -> [(name: String, value: String)] {
    sign(.invoiced, secret, "", 0, body)
  }

  static func pms(
    _ body: [UInt8], id: String = "evt_01", secondsAgo: Int64 = 0
  ) -> [(name: String, value: String)] {
    sign(.standardWebhooks, pmsSecret, id, Int64(Date.now.timeIntervalSince1970) - secondsAgo, body)
  }

  private static func sign(
    _ scheme: SignatureScheme, _ secret: Secret, _ id: String, _ time: Int64, _ body: [UInt8]
  ) -> [(name: String, value: String)] {
    (try? signatureHeaders(scheme: scheme, secret: secret, id: id, timestamp: time, body: body)) ?? []
  }

  /// What the admin listener says under `/admin/v1/`.
  func admin(_ path: String) async throws -> JSONValue {
    let answer = try await admin("GET", path)
    #expect(answer.status == 200)
    return try JSONValue(parsing: Array(answer.body.utf8))
  }

  func admin(_ method: String, _ path: String) async throws -> Answer {
    let request = "\(method) /admin/v1/\(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    return try await Caller(port: service.adminPort).send(Array(request.utf8))
  }
}

/// The answers that `openapi.yaml` lists for the public listener, by path, method and status.
struct Documented: Sendable {
  private var answers: [String: [String: [Int: (types: [String], headers: [String])]]] = [:]

  static func read() throws -> Documented {
    let file = RunningService.root.appending(path: "openapi.yaml")
    let problems = ProblemList()
    let text = try String(contentsOf: file, encoding: .utf8)
    let root = try #require(
      YAMLDocument.read(text: text, file: file.path, into: problems), "\(problems.diagnostics)")
    var documented = Documented()
    // What names a server of its own is on the admin listener.
    for (path, operations) in root["paths"]?.members ?? [] where operations["servers"] == nil {
      for (method, operation) in operations.members {
        for (status, answer) in operation["responses"]?.members ?? [] {
          let answer = answer["$ref"]?.text.flatMap { root.resolve($0) } ?? answer
          documented.answers[path, default: [:]][method.uppercased(), default: [:]][Int(status) ?? 0] = (
            answer["content"]?.members.map(\.0) ?? [], answer["headers"]?.members.map(\.0) ?? []
          )
        }
      }
    }
    return documented
  }

  /// What is wrong with an answer; nil where it is as described, or where its path is not described at all.
  func problem(with answer: Answer, to method: String, at target: String) -> String? {
    guard let path = answers[String(target.prefix { $0 != "?" })] else {
      return answer.status == 404 ? nil : "\(answer.status) of a path that is not described"
    }
    // A method that the path doesn't know is described with those that it knows.
    guard let known = path[method] ?? path.values.first?.filter({ $0.key == 405 }) else { return "no operations" }
    guard let (types, headers) = known[answer.status] else { return "\(answer.status) is not described" }
    guard let type = answer["Content-Type"], types.contains(type) else {
      return "Content-Type \(answer["Content-Type"] ?? "missing") is not one of \(types)"
    }
    if let missing = headers.first(where: { answer[$0] == nil }) { return "\(missing) is missing" }
    return nil
  }
}

extension YAMLNode {
  fileprivate var members: [(String, YAMLNode)] {
    if case .keyed(let members) = content { members.map { ($0.key, $0.value) } } else { [] }
  }
  fileprivate var text: String? { if case .scalar(let text, _) = content { text } else { nil } }
  fileprivate subscript(key: String) -> YAMLNode? { members.first { $0.0 == key }?.1 }

  /// A reference within the document, `#/components/...`.
  fileprivate func resolve(_ reference: String) -> YAMLNode? {
    reference.split(separator: "/").dropFirst().reduce(Optional(self)) { $0?[String($1)] }
  }
}
