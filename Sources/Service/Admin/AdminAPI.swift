import Connectors
import HTTP
import HTTPServer
import JSON
import Mapping
import Store
import Sync

/// The JSON API under `/admin/v1` (contract section 7). The commands use it too: over the admin listener while the
/// service runs, else in their own process.
public struct AdminAPI: Sendable {
  let core: ServiceCore
  var context: EngineContext { core.context }
  var store: any Store { core.context.store }
  static let root = "/admin/v1/"

  public init(core: ServiceCore) { self.core = core }

  public func answer(_ request: HTTPRequest) async -> HTTPResponse {
    guard request.path.hasPrefix(Self.root) else { return .problem(404, detail: "There is nothing here.") }
    let parts = request.path.dropFirst(Self.root.count).split(separator: "/", omittingEmptySubsequences: false)
    let names = parts.compactMap { PercentDecoding.decode($0) }
    guard names.count == parts.count else { return .problem(400, detail: "The path is not percent-encoded UTF-8.") }
    let method = request.method == "HEAD" ? "GET" : request.method
    guard let resource = AdminRoute.all.first(where: { $0.matches(names) }) else {
      return .problem(404, detail: "There is nothing here.")
    }
    guard let handler = resource.handlers[method] else {
      let allowed = resource.handlers.keys.flatMap { $0 == "GET" ? ["GET", "HEAD"] : [$0] }.sorted()
      let list = allowed.joined(separator: ", ")
      return .problem(405, detail: "Only \(list) is answered here.", headers: ["Allow": list])
    }
    do throws(AdminError) {
      return try await handler(self, AdminCall(request, names: names, pattern: resource.pattern))
    } catch {
      return error.response
    }
  }
}

/// Why a call of the admin API is refused.
enum AdminError: Error {
  case badRequest(String)
  case notFound(String)
  case conflict(String)
  /// A side did not answer as it should.
  case side(ConnectorError)
  case store(StoreError)

  var response: HTTPResponse {
    switch self {
    case .badRequest(let detail): .problem(400, detail: detail)
    case .notFound(let detail): .problem(404, detail: detail)
    case .conflict(let detail): .problem(409, detail: detail)
    case .side(let error): .problem(502, detail: "\(error)")
    case .store(let error): .problem(503, detail: "\(error)", headers: ["Retry-After": "5"])
    }
  }
}

/// A path of the API, and what each method does there.
struct AdminRoute: Sendable {
  typealias Handler = @Sendable (AdminAPI, AdminCall) async throws(AdminError) -> HTTPResponse
  /// The path's parts; one in braces stands for any.
  let pattern: [String]
  let handlers: [String: Handler]

  init(_ path: String, _ handlers: [String: Handler]) {
    pattern = path.split(separator: "/").map(String.init)
    self.handlers = handlers
  }

  func matches(_ names: [String]) -> Bool {
    names.count == pattern.count && zip(names, pattern).allSatisfy { $1.hasPrefix("{") ? !$0.isEmpty : $0 == $1 }
  }

  static let all: [AdminRoute] = [
    AdminRoute("status", ["GET": { (api, _) async throws(AdminError) in try await api.status() }]),
    AdminRoute("events", ["GET": { (api, call) async throws(AdminError) in try await api.events(call) }]),
    AdminRoute("events/replay", ["POST": { (api, call) async throws(AdminError) in try await api.replayMany(call) }]),
    AdminRoute("events/{id}", ["GET": { (api, call) async throws(AdminError) in try await api.event(call) }]),
    AdminRoute("events/{id}/replay", ["POST": { (api, call) async throws(AdminError) in try await api.replay(call) }]),
    AdminRoute(
      "sides/{side}/pause", ["POST": { (api, call) async throws(AdminError) in try await api.pause(call) }]),
    AdminRoute(
      "sides/{side}/resume", ["POST": { (api, call) async throws(AdminError) in try await api.resume(call) }]),
    AdminRoute("mapping", ["GET": { (api, _) async throws(AdminError) in api.mapping() }]),
    AdminRoute(
      "links",
      [
        "GET": { (api, call) async throws(AdminError) in try await api.links(call) },
        "POST": { (api, call) async throws(AdminError) in try await api.makeLink(call) },
      ]),
    AdminRoute(
      "links/{id}",
      [
        "GET": { (api, call) async throws(AdminError) in try await api.link(call) },
        "DELETE": { (api, call) async throws(AdminError) in try await api.unlink(call) },
      ]),
    AdminRoute("parked", ["GET": { (api, call) async throws(AdminError) in try await api.holds(.parked, call) }]),
    AdminRoute("parked/{id}", ["GET": { (api, call) async throws(AdminError) in try await api.hold(.parked, call) }]),
    AdminRoute(
      "parked/{id}/retry", ["POST": { (api, call) async throws(AdminError) in try await api.retry(call) }]),
    AdminRoute(
      "parked/{id}/discard", ["POST": { (api, call) async throws(AdminError) in try await api.discard(call) }]),
    AdminRoute("conflicts", ["GET": { (api, call) async throws(AdminError) in try await api.holds(.conflict, call) }]),
    AdminRoute(
      "conflicts/{id}", ["GET": { (api, call) async throws(AdminError) in try await api.hold(.conflict, call) }]),
    AdminRoute(
      "conflicts/{id}/resolve", ["POST": { (api, call) async throws(AdminError) in try await api.resolve(call) }]),
    AdminRoute("deletes", ["GET": { (api, call) async throws(AdminError) in try await api.holds(.deletion, call) }]),
    AdminRoute(
      "deletes/approve", ["POST": { (api, call) async throws(AdminError) in try await api.approveDeletes(call) }]),
    AdminRoute(
      "deletes/reject", ["POST": { (api, call) async throws(AdminError) in try await api.rejectDeletes(call) }]),
    AdminRoute("forget", ["POST": { (api, call) async throws(AdminError) in try await api.forget(call) }]),
    AdminRoute(
      "reconcile",
      [
        "GET": { (api, call) async throws(AdminError) in try api.walk(.reconcile, call) },
        "POST": { (api, call) async throws(AdminError) in try await api.startReconcile(call) },
      ]),
    AdminRoute(
      "backfill",
      [
        "GET": { (api, call) async throws(AdminError) in try api.walk(.backfill, call) },
        "POST": { (api, call) async throws(AdminError) in try await api.startBackfill(call) },
      ]),
    AdminRoute("audit", ["GET": { (api, call) async throws(AdminError) in try await api.audit(call) }]),
    AdminRoute("history", ["GET": { (api, call) async throws(AdminError) in try await api.history(call) }]),
  ]
}

/// One call: its path's variables, its query and its body.
struct AdminCall: Sendable {
  let variables: [String: String]
  let query: [(name: String, value: String)]
  let body: [UInt8]

  init(_ request: HTTPRequest, names: [String], pattern: [String]) throws(AdminError) {
    var variables: [String: String] = [:]
    for (name, part) in zip(names, pattern) where part.hasPrefix("{") {
      variables[String(part.dropFirst().dropLast())] = name
    }
    self.variables = variables
    guard let query = PercentDecoding.form(request.query ?? "") else {
      throw .badRequest("The query is not percent-encoded UTF-8.")
    }
    self.query = query
    body = request.body
  }

  func variable(_ name: String) -> String { variables[name] ?? "" }
  func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }

  /// The body as a JSON object; empty where there is no body. A member that is none of `names` is refused, not ignored:
  /// who asks for a `dry_run` that isn't known here must not get a real one.
  func object(of names: [String]) throws(AdminError) -> JSONObject {
    let object = try object()
    if let unknown = object.members.first(where: { !names.contains($0.key) }) {
      throw .badRequest("The body may have \(names.joined(separator: ", ")), and not \(unknown.key).")
    }
    return object
  }

  private func object() throws(AdminError) -> JSONObject {
    if body.isEmpty { return JSONObject() }
    let value: JSONValue
    do throws(JSONError) { value = try JSONValue(parsing: body) } catch {
      throw .badRequest("The body is not JSON: \(error).")
    }
    guard let object = value.object else { throw .badRequest("The body must be a JSON object.") }
    return object
  }

  /// What a list is filtered by; an unknown parameter or value is refused, not ignored.
  /// - Parameter states: Those that what is listed can be in; none where it has no state.
  func listQuery(states: [String] = []) throws(AdminError) -> ListQuery {
    var list = ListQuery()
    for (name, value) in query {
      switch name {
      case "after":
        guard let after = Int64(value) else { throw .badRequest("after must be a cursor that a list gave.") }
        list.after = after
      case "limit":
        guard let limit = Int(value), 1...1000 ~= limit else { throw .badRequest("limit must be 1 to 1000.") }
        list.limit = limit
      case "side":
        guard let side = Side(rawValue: value) else { throw .badRequest("side must be invoiced or pms.") }
        list.side = side
      case "flow": list.flow = value
      case "type": list.type = value
      case "state":
        guard states.isEmpty || states.contains(value) else {
          throw .badRequest("state must be one of \(states.joined(separator: ", ")).")
        }
        list.state = value
      case "record": list.record = value
      case "since": list.since = try Self.time(value, "since")
      case "until": list.until = try Self.time(value, "until")
      default:
        throw .badRequest("Lists know after, limit, side, flow, type, state, record, since and until, not \(name).")
      }
    }
    return list
  }

  static func time(_ text: String, _ name: String) throws(AdminError) -> Timestamp {
    guard let time = Timestamp(rfc3339: text) else {
      throw .badRequest("\(name) must be a time such as 2026-03-01T12:00:00Z.")
    }
    return time
  }
}
