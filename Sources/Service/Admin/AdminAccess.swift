import HTTP
import HTTPServer
import JSON
import Signatures
import Sync
import Synchronization

/// Who may speak to the admin listener: whoever has the token, or a session that was opened with it.
final class AdminAccess: Sendable {
  private struct State {
    var token: Secret?
    var sessions: [String: Timestamp] = [:]
  }

  static let cookie = "customer_sync_session"
  private static let sessionLength: Duration = .seconds(12 * 3600)
  private static let mostSessions = 1000
  private let state: Mutex<State>
  private let clock: any ServiceClock
  private let random: RandomSource

  init(token: Secret?, clock: any ServiceClock, random: RandomSource) {
    state = Mutex(State(token: token))
    self.clock = clock
    self.random = random
  }

  /// Another token ends the sessions of the old one.
  func replace(token: Secret?) {
    state.withLock { state in
      if state.token != token { state = State(token: token) }
    }
  }

  /// Why a request is not let in; nil when it is.
  func refusal(of request: HTTPRequest) -> HTTPResponse? {
    guard let token = state.withLock({ $0.token }) else {
      // Without a token only this machine is let in; a foreign name may be another site's, rebound to this address.
      guard Self.isLoopbackName(request.headers["Host"]) else {
        return .problem(403, detail: "Without an admin token, Host must be a loopback name.")
      }
      return Self.forgery(request)
    }
    if request.headers["Authorization"].flatMap(Self.bearer) == token { return nil }
    if hasSession(request) { return Self.forgery(request) }
    return Self.unauthorized("The admin token is missing or wrong.")
  }

  static func unauthorized(_ detail: String) -> HTTPResponse {
    .problem(401, detail: detail, headers: ["WWW-Authenticate": "Bearer"])
  }

  private static func bearer(_ header: String) -> Secret? {
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return Secret(String(parts[1].drop { $0 == " " }))
  }

  // MARK: Sessions

  /// Opens a session for the token, sent as a form or as JSON.
  func login(_ request: HTTPRequest) -> HTTPResponse {
    let token = state.withLock { $0.token }
    if token == nil, !Self.isLoopbackName(request.headers["Host"]) {
      return .problem(403, detail: "Without an admin token, Host must be a loopback name.")
    }
    let type = (request.headers["Content-Type"] ?? "").prefix { $0 != ";" }.lowercased()
    let sent: String?
    switch type.filter({ $0 != " " }) {
    case "application/json": sent = (try? JSONValue(parsing: request.body))?["token"]?.string
    case "application/x-www-form-urlencoded":
      sent = PercentDecoding.form(String(decoding: request.body, as: UTF8.self))?.first { $0.name == "token" }?.value
    default:
      return .problem(415, detail: "Send token as application/json or application/x-www-form-urlencoded.")
    }
    guard let sent else { return .problem(400, detail: "The body has no token.") }
    if let token, token != Secret(sent) { return Self.unauthorized("The admin token is wrong.") }
    var response = HTTPResponse.json(#"{"status":"ok"}"#)
    if (request.headers["Accept"] ?? "").contains("text/html") {
      response = HTTPResponse(status: 303, headers: ["Location": "/"])
    }
    response.headers["Set-Cookie"] =
      "\(Self.cookie)=\(openSession()); HttpOnly; SameSite=Strict; Path=/\(secure(request))"
    response.headers["Cache-Control"] = "no-store"
    return response
  }

  /// This listener speaks plain HTTP; where TLS ends before it, the proxy says so.
  private func secure(_ request: HTTPRequest) -> String {
    request.headers["X-Forwarded-Proto"]?.lowercased() == "https" ? "; Secure" : ""
  }

  private func openSession() -> String {
    let name = random.idempotencyKey()
    let now = clock.now
    state.withLock { state in
      state.sessions = state.sessions.filter { $0.value > now }
      if state.sessions.count >= Self.mostSessions, let oldest = state.sessions.min(by: { $0.value < $1.value }) {
        state.sessions[oldest.key] = nil
      }
      state.sessions[name] = now.adding(Self.sessionLength)
    }
    return name
  }

  /// Whether the request's cookie is a session's.
  func hasSession(_ request: HTTPRequest) -> Bool {
    let now = clock.now
    let names = Self.sessions(of: request)
    return state.withLock { state in names.contains { state.sessions[$0].map { $0 > now } ?? false } }
  }

  /// Ends the session.
  func logout(_ request: HTTPRequest) -> HTTPResponse {
    let names = Self.sessions(of: request)
    state.withLock { state in for name in names { state.sessions[name] = nil } }
    return HTTPResponse(
      status: 303,
      headers: [
        "Location": "/login", "Cache-Control": "no-store",
        "Set-Cookie": "\(Self.cookie)=; Max-Age=0; HttpOnly; SameSite=Strict; Path=/",
      ])
  }

  private static func sessions(of request: HTTPRequest) -> [String] {
    request.headers.all("Cookie").flatMap { $0.split(separator: ";") }.compactMap { part -> String? in
      let pair = part.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
      return pair.count == 2 && pair[0] == Self.cookie ? String(pair[1]) : nil
    }
  }

  // MARK: Where a request comes from

  /// A browser sends a person's session along with what other sites make it ask: those writes are refused.
  private static func forgery(_ request: HTTPRequest) -> HTTPResponse? {
    if ["GET", "HEAD", "OPTIONS"].contains(request.method) { return nil }
    let isForeign = request.headers.all("Origin").contains { origin in
      guard let colon = origin.firstIndex(of: ":"), origin[colon...].hasPrefix("://") else { return true }
      return origin[colon...].dropFirst(3).lowercased() != request.headers["Host"]?.lowercased()
    }
    guard isForeign || request.headers["Sec-Fetch-Site"]?.lowercased() == "cross-site" else { return nil }
    return .problem(403, detail: "A change that another site asks for is refused.")
  }

  static func isLoopbackName(_ host: String?) -> Bool {
    guard let host, let address = ListenAddress(host) ?? ListenAddress(host + ":80") else { return false }
    return address.isLoopback
  }
}
