import HTTP
import JSON
import SeededRandom
import Signatures

/// Who asks, as far as the events tell: an API key (-3) or a member of the account.
struct Caller {
  let user: Int64
  let isOAuth: Bool
  static let member = Caller(user: 1, isOAuth: false)
}

extension InvoicedState {
  mutating func handle(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    if request.path.hasPrefix("/_sandbox/") { return administrate(request, now: now) }
    stats.requests[request.method, default: 0] += 1
    (outgoing, answerDelay) = ([], 0)
    let isWrite = request.method == "POST" || request.method == "PATCH" || request.method == "DELETE"
    let drawn = faults.request(isWrite: isWrite)
    let latency = options.latency + switches.latency + drawn.latency
    let fault = switches.fault(for: request.method) ?? faults.outage(now: now) ?? drawn.fault

    switch fault {
    case .resetBefore: return dropped(latency)
    case .gateway(let status): return gateway(status, delay: latency, now: now)
    case .nothing, .resetAfter, .tooMany, .serverError: break
    }
    let response = admitted(request, fault: fault, until: now + latency, now: now)
    let deliveries = outgoing
    if fault == .resetAfter {
      stats.answers[0, default: 0] += 1
      return SandboxAnswer(.drop, delay: latency, deliveries: deliveries)
    }
    stats.answers[response.status, default: 0] += 1
    return SandboxAnswer(.respond(response), delay: latency + answerDelay, deliveries: deliveries)
  }

  mutating func edit(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    (outgoing, answerDelay) = ([], 0)
    let (status, body, headers) = carryOut(request, caller: .member, now: now)
    return SandboxAnswer(
      .respond(finish(request, status: status, body: body, headers: headers, now: now)), deliveries: outgoing)
  }

  private mutating func dropped(_ delay: Int64) -> SandboxAnswer {
    stats.answers[0, default: 0] += 1
    return SandboxAnswer(.drop, delay: delay)
  }

  /// A load balancer's page: no JSON, none of the application's headers.
  private mutating func gateway(_ status: Int, delay: Int64, now: Int64) -> SandboxAnswer {
    stats.answers[status, default: 0] += 1
    let page = "<html><body><h1>\(status)</h1></body></html>\n"
    return SandboxAnswer(
      .respond(
        HTTPResponse(
          status: status, headers: ["Content-Type": "text/html", "Date": Timestamp.httpDate(now + faults.skew)],
          body: Array(page.utf8))),
      delay: delay)
  }

  /// Authentication, then the concurrency limit, then the idempotency key, then the request itself.
  private mutating func admitted(
    _ request: HTTPRequest, fault: RequestFault, until end: Int64, now: Int64
  ) -> HTTPResponse {
    let caller: Caller
    do throws(Refusal) {
      caller = try authenticate(request)
      if fault == .tooMany { throw tooMany }
      if !caller.isOAuth { try takeSlot(until: end, now: now) }
    } catch { return refuse(request, error, now: now) }

    let key = caller.isOAuth ? nil : request.headers["Idempotency-Key"]
    if let key {
      guard request.method == "POST" || request.method == "PATCH" else {
        return refuse(request, Refusal(400, "Idempotency keys are for POST and PATCH only"), now: now)
      }
      guard 6...64 ~= key.utf8.count else {
        let problem = key.utf8.count < 6 ? "shorter than 6" : "longer than 64"
        return refuse(request, Refusal(400, "Idempotency key \(problem) characters"), now: now)
      }
      if let answer = stored[key], now - answer.at < 86_400_000 {
        return finish(request, status: answer.status, text: answer.body, headers: [:], now: now)
      }
    }
    var (status, body, headers): (Int, JSONValue?, HTTPHeaders)
    if case .serverError(let carriedOut) = fault {
      if carriedOut { _ = carryOut(request, caller: caller, now: now) }
      let refusal = Refusal.broken("Something went wrong")
      (status, body, headers) = (refusal.status, refusal.body, [:])
    } else {
      (status, body, headers) = carryOut(request, caller: caller, now: now)
    }
    let response = finish(request, status: status, body: body, headers: headers, now: now)
    if let key { stored[key] = StoredAnswer(at: now, status: response.status, body: response.body) }
    return response
  }

  private func authenticate(_ request: HTTPRequest) throws(Refusal) -> Caller {
    guard let header = request.headers["Authorization"] else { throw Refusal(401, "No API key given") }
    let parts = header.split(separator: " ", maxSplits: 1).map(String.init)
    var offered = ""
    if parts.count == 2, parts[0].lowercased() == "bearer" {
      offered = parts[1]
      if offered.utf8.elementsEqual(options.apiKey.utf8) { return Caller(user: -3, isOAuth: true) }
    } else if parts.count == 2, parts[0].lowercased() == "basic", let bytes = Base64.decode(parts[1]) {
      let pair = String(decoding: bytes, as: UTF8.self)
      let colon = pair.firstIndex(of: ":") ?? pair.endIndex
      offered = String(pair[..<colon])
      let password = String(pair[colon...].dropFirst())
      // The older form has the company's user name first and the key as the password.
      if (password.isEmpty ? offered : password).utf8.elementsEqual(options.apiKey.utf8) {
        return Caller(user: -3, isOAuth: false)
      }
    }
    throw Refusal(401, "API key not accepted: \(Self.masked(offered))")
  }

  /// The key with its middle masked.
  static func masked(_ key: String) -> String {
    guard key.count > 6 else { return String(repeating: "*", count: key.count) }
    return key.prefix(3) + String(repeating: "*", count: key.count - 6) + key.suffix(3)
  }

  private var tooMany: Refusal {
    Refusal(429, "Over the limit of \(options.concurrency) requests in flight", type: "rate_limit_error")
  }

  private mutating func takeSlot(until end: Int64, now: Int64) throws(Refusal) {
    inFlight.removeAll { $0 <= now }
    guard inFlight.count < options.concurrency else { throw tooMany }
    if end > now { inFlight.append(end) }
  }

  /// Routes and runs the request; nothing below here knows of keys, slots or faults.
  private mutating func carryOut(
    _ request: HTTPRequest, caller: Caller, now: Int64
  ) -> (status: Int, body: JSONValue?, headers: HTTPHeaders) {
    do throws(Refusal) { return try routed(request, caller: caller, now: now) } catch {
      return (error.status, error.body, [:])
    }
  }

  private mutating func refuse(_ request: HTTPRequest, _ refusal: Refusal, now: Int64) -> HTTPResponse {
    finish(request, status: refusal.status, body: refusal.body, headers: [:], now: now)
  }

  private mutating func finish(
    _ request: HTTPRequest, status: Int, body: JSONValue?, headers: HTTPHeaders, now: Int64
  ) -> HTTPResponse {
    let isCurl = request.headers["User-Agent"]?.hasPrefix("curl") ?? false
    let text = body.map { isCurl ? $0.phpPrettyText : $0.phpText } ?? []
    return finish(request, status: status, text: text, headers: headers, now: now)
  }

  private mutating func finish(
    _ request: HTTPRequest, status: Int, text: [UInt8], headers: HTTPHeaders, now: Int64
  ) -> HTTPResponse {
    var all = headers
    if !text.isEmpty { all["Content-Type"] = "application/json" }
    all["Cache-Control"] = "no-cache, no-store"
    all["Date"] = Timestamp.httpDate(now + faults.skew)
    all["WWW-Authenticate"] = #"Basic realm="Invoiced""#
    for name in ["X-Request-Id", "X-Correlation-Id"] {
      all[name] = request.headers[name] ?? requestIDs.token(32).lowercased()
    }
    return HTTPResponse(status: status, headers: all, body: request.method == "HEAD" ? [] : text)
  }
}

extension Switches {
  /// The fault that a switch imposes on a request.
  mutating func fault(for method: String) -> RequestFault? {
    switch outage {
    case .unavailable: return .gateway(503)
    case .refused: return .resetBefore
    case nil: break
    }
    guard var next = failures, next.method ?? method == method else { return nil }
    next.count -= 1
    failures = next.count > 0 ? next : nil
    return switch (next.status, next.isAfter) {
    case (0, let isAfter): isAfter ? .resetAfter : .resetBefore
    case (429, _): .tooMany
    case (500, let isAfter): .serverError(carriedOut: isAfter)
    case (let status, _): .gateway(status)
    }
  }
}
