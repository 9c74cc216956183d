import HTTP
import HTTPServer
import JSON
import Mapping
import Sync
import Synchronization

/// What the public listener answers (contract section 2): two event endpoints, two health checks, and 404.
public final class PublicListener: Sendable {
  private let intake: Intake
  private let endpoints: Mutex<[EventEndpoint]>
  private let readiness: @Sendable () async -> Readiness

  public init(
    intake: Intake, endpoints: [EventEndpoint], readiness: @escaping @Sendable () async -> Readiness
  ) {
    self.intake = intake
    self.endpoints = Mutex(endpoints)
    self.readiness = readiness
  }

  /// Takes new secrets and rules over; requests in hand keep the old ones.
  func replace(_ endpoints: [EventEndpoint]) { self.endpoints.withLock { $0 = endpoints } }

  private func endpoint(_ path: Substring) -> EventEndpoint? {
    // A target is ASCII, of which no other text is a canonical equivalent.
    endpoints.withLock { endpoints in endpoints.first { $0.path == path } }
  }

  /// What can be said from a request's head alone: 404, 405 and 403; nil where the body is wanted.
  public func preflight(_ method: String, _ path: String, _ remoteAddress: String) -> HTTPResponse? {
    let path = path.utf8.firstIndex(of: UInt8(ascii: "?")).map { path[..<$0] } ?? path[...]
    return preflight(method, path, endpoint(path), remoteAddress)
  }

  private func preflight(_ method: String, _ path: Substring, _ endpoint: EventEndpoint?, _ remoteAddress: String)
    -> HTTPResponse?
  {
    if let endpoint {
      if method != "POST" { return Self.notAllowed("POST") }
      guard endpoint.allowFrom.admits(remoteAddress) else {
        return .problem(403, detail: "Calls from \(remoteAddress) are not let in.")
      }
      return nil
    }
    if path == "/healthz" || path == "/readyz" {
      return method == "GET" || method == "HEAD" ? nil : Self.notAllowed("GET, HEAD")
    }
    return .problem(404, detail: "There is nothing here.")
  }

  private static func notAllowed(_ allowed: String) -> HTTPResponse {
    .problem(405, detail: "Only \(allowed) is answered here.", headers: ["Allow": allowed])
  }

  public func handle(_ request: HTTPRequest, _ responder: HTTPResponder) {
    let path = request.path
    let endpoint = endpoint(path)
    if let early = preflight(request.method, path, endpoint, request.remoteAddress) {
      responder.respond(early)
      return
    }
    if let endpoint {
      intake.receive(request, at: endpoint) { responder.respond($0) }
    } else if path == "/healthz" {
      responder.respond(.json(#"{"status":"ok"}"#))
    } else {
      Task { responder.respond(await self.readiness().response) }
    }
  }
}

/// Whether the service can take events in, and what it knows of the two sides.
public struct Readiness: Sendable {
  /// The checks that fail: `store`, `drain`.
  var failing: [String]
  /// Why a side gets no calls; a side that is down doesn't make the service unready.
  var sides: [Side: String?]

  var response: HTTPResponse {
    var members: [JSONObject.Member] = []
    if failing.isEmpty {
      members.append(("status", "ready"))
    } else {
      members.append(("type", "about:blank"))
      members.append(("title", "Service Unavailable"))
      members.append(("status", 503))
      members.append(("detail", .string("Not ready: \(failing.joined(separator: ", ")).")))
      members.append(("failing", .array(failing.map { .string($0) })))
    }
    var sides = JSONObject()
    for side in Side.allCases {
      let reason = self.sides[side] ?? nil
      sides[side.rawValue] = reason.map { ["status": "down", "reason": .string($0)] } ?? ["status": "up"]
    }
    members.append(("sides", .object(sides)))
    var response = HTTPResponse.json(.object(JSONObject(members)), status: failing.isEmpty ? 200 : 503)
    if !failing.isEmpty {
      response.headers["Content-Type"] = "application/problem+json"
      response.headers["Retry-After"] = "5"
    }
    return response
  }
}
