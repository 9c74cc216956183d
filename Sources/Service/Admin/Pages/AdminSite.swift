import HTTP
import HTTPServer
import JSON

/// The pages for people under `/` (contract section 7). Each shows what the API says, and each button asks the API.
struct AdminSite: Sendable {
  let api: AdminAPI
  let canLogOut: Bool

  /// Why a page can't be shown.
  struct Trouble: Error {
    var status: Int
    var detail: String
  }

  /// Nil where there is no page.
  func answer(_ request: HTTPRequest) async -> HTTPResponse? {
    let parts = request.path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if let target = Self.action(parts) {
      return request.method == "POST" ? await act(target, request) : Self.notAllowed("POST")
    }
    guard let page = page(at: parts, request.query.map(String.init) ?? "") else { return nil }
    guard request.method == "GET" || request.method == "HEAD" else { return Self.notAllowed("GET, HEAD") }
    do throws(Trouble) {
      return try await page()
    } catch {
      return failed(error, at: "/" + parts[0])
    }
  }

  static func notAllowed(_ methods: String) -> HTTPResponse {
    .problem(405, detail: "Only \(methods) is answered here.", headers: ["Allow": methods])
  }

  func failed(_ trouble: Trouble, at path: String) -> HTTPResponse {
    AdminPage.page(
      "That did not work", at: "", "<p class=\"bad\">\(trouble.detail)</p><p><a href=\"\(path)\">Back</a></p>",
      status: trouble.status, canLogOut: canLogOut)
  }

  // MARK: Pages

  private typealias Page = () async throws(Trouble) -> HTTPResponse

  private func page(at parts: [String], _ query: String) -> Page? {
    if parts.count == 2, !parts[1].isEmpty {
      switch parts[0] {
      case "events": return { () async throws(Trouble) in try await event(parts[1]) }
      case "links": return { () async throws(Trouble) in try await link(parts[1]) }
      default: return nil
      }
    }
    guard parts.count == 1 else { return nil }
    if parts[0].isEmpty { return { () async throws(Trouble) in try await status() } }
    if parts[0] == "mapping" { return { () async throws(Trouble) in try await mapping() } }
    guard let shown = AdminList.all.first(where: { $0.path == "/" + parts[0] }) else { return nil }
    return { () async throws(Trouble) in try await list(shown, query) }
  }

  func page(_ title: String, at path: String, _ body: HTML, refreshes: Bool = false) -> HTTPResponse {
    AdminPage.page(title, at: path, body, canLogOut: canLogOut, refreshes: refreshes)
  }

  /// What the API answers to a GET.
  func get(_ path: String) async throws(Trouble) -> JSONValue {
    let response = await api.answer(HTTPRequest(method: "GET", target: AdminAPI.root + path))
    let value = try? JSONValue(parsing: response.body)
    guard response.status == 200, let value else {
      throw Trouble(status: response.status, detail: value?["detail"]?.string ?? "There is no answer.")
    }
    return value
  }

  // MARK: Buttons

  private struct Action {
    /// Of the API.
    var method = "POST"
    var path: String
    /// The form's fields that it takes.
    var fields: [String] = []
    /// Where the browser goes afterwards.
    var next: String
  }

  private static func action(_ parts: [String]) -> Action? {
    let path = parts.joined(separator: "/")
    switch (parts.count, parts[0], parts.last) {
    case (1, "reconcile", _): return Action(path: path, next: "/")
    case (2, "deletes", "approve"), (2, "deletes", "reject"):
      return Action(path: path, fields: ["id"], next: "/deletes")
    case (3, "parked", "retry"), (3, "parked", "discard"): return Action(path: path, next: "/parked")
    case (3, "conflicts", "resolve"): return Action(path: path, fields: ["take"], next: "/conflicts")
    case (3, "events", "replay"): return Action(path: path, next: "/events/" + parts[1])
    case (3, "sides", "pause"), (3, "sides", "resume"): return Action(path: path, next: "/")
    case (3, "links", "unlink"):
      return Action(method: "DELETE", path: "links/" + parts[1], next: "/links/" + parts[1])
    default: return nil
    }
  }

  private func act(_ action: Action, _ request: HTTPRequest) async -> HTTPResponse {
    let form = PercentDecoding.form(String(decoding: request.body, as: UTF8.self)) ?? []
    var body = JSONObject()
    for (name, value) in form where action.fields.contains(name) {
      if name == "id" { body["ids"] = [.string(value)] } else { body[name] = .string(value) }
    }
    let response = await api.answer(
      HTTPRequest(
        method: action.method, target: AdminAPI.root + action.path, body: JSONValue.object(body).serialized))
    guard 200..<300 ~= response.status else {
      let detail = (try? JSONValue(parsing: response.body))?["detail"]?.string
      return failed(Trouble(status: response.status, detail: detail ?? "There is no answer."), at: action.next)
    }
    return HTTPResponse(status: 303, headers: ["Location": action.next, "Cache-Control": "no-store"])
  }
}
