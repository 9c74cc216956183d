import HTTP
import JSON
import SeededRandom
import Signatures

/// An answer other than success, as `application/problem+json` (RFC 9457).
struct PMSProblem: Error {
  let status: Int
  let detail: String

  init(_ status: Int, _ detail: String) {
    self.status = status
    self.detail = detail
  }

  var response: HTTPResponse {
    let titles = [
      400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone",
      412: "Precondition Failed", 415: "Unsupported Media Type", 422: "Unprocessable Content",
      429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
      504: "Gateway Timeout",
    ]
    let body: JSONValue = [
      "type": "about:blank", "title": .string(titles[status] ?? "Error"), "status": .number(JSONNumber(status)),
      "detail": .string(detail),
    ]
    return HTTPResponse(status: status, headers: ["Content-Type": "application/problem+json"], body: body.serialized)
  }
}

extension PMSState {
  mutating func handle(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    if request.path.hasPrefix("/_sandbox/") { return administrate(request, now: now) }
    stats.requests[request.method, default: 0] += 1
    (outgoing, answerDelay) = ([], 0)
    let drawn = faults.request(isWrite: ["POST", "PATCH", "PUT", "DELETE"].contains(request.method))
    let delay = options.latency + switches.latency + drawn.latency
    let fault = switches.fault(for: request.method) ?? faults.outage(now: now) ?? drawn.fault

    var response: HTTPResponse
    switch fault {
    case .resetBefore:
      stats.answers[0, default: 0] += 1
      return SandboxAnswer(.drop, delay: delay)
    case .gateway(let status): response = PMSProblem(status, "The service can't be reached").response
    case .tooMany:
      response = PMSProblem(429, "Too many requests").response
      response.headers["Retry-After"] = "1"
    case .serverError(let carriedOut):
      if carriedOut { _ = admitted(request, now: now) }
      response = PMSProblem(500, "Something went wrong").response
    case .nothing, .resetAfter: response = admitted(request, now: now)
    }
    let deliveries = outgoing
    if fault == .resetAfter {
      stats.answers[0, default: 0] += 1
      return SandboxAnswer(.drop, delay: delay, deliveries: deliveries)
    }
    stats.answers[response.status, default: 0] += 1
    return SandboxAnswer(
      .respond(finish(request, response, now: now)), delay: delay + answerDelay, deliveries: deliveries)
  }

  mutating func edit(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    (outgoing, answerDelay) = ([], 0)
    let response = carryOut(request, now: now)
    return SandboxAnswer(.respond(finish(request, response, now: now)), deliveries: outgoing)
  }

  private func finish(_ request: HTTPRequest, _ response: HTTPResponse, now: Int64) -> HTTPResponse {
    var response = response
    response.headers["Date"] = Timestamp.httpDate(now + faults.skew)
    if request.method == "HEAD" { response.body = [] }
    return response
  }

  private mutating func admitted(_ request: HTTPRequest, now: Int64) -> HTTPResponse {
    let expected = "Bearer " + options.token
    guard let given = request.headers["Authorization"], given.utf8.elementsEqual(expected.utf8) else {
      var response = PMSProblem(401, "A valid bearer token is needed").response
      response.headers["WWW-Authenticate"] = "Bearer"
      return response
    }
    guard request.method == "POST", let key = request.headers["Idempotency-Key"] else {
      return carryOut(request, now: now)
    }
    let fingerprint = Array(request.target.utf8) + [0] + request.body
    if let known = stored[key] {
      guard known.request == fingerprint else {
        return PMSProblem(422, "The idempotency key was used for another request").response
      }
      return known.response
    }
    let response = carryOut(request, now: now)
    if response.status < 500 { stored[key] = (fingerprint, response) }
    return response
  }

  private mutating func carryOut(_ request: HTTPRequest, now: Int64) -> HTTPResponse {
    do throws(PMSProblem) { return try routed(request, now: now) } catch { return error.response }
  }

  private mutating func routed(_ request: HTTPRequest, now: Int64) throws(PMSProblem) -> HTTPResponse {
    let segments = pathSegments(request)
    guard segments.first == "customers", segments.count <= 2 else {
      throw PMSProblem(404, "There is nothing at \(request.path)")
    }
    let method = request.method == "HEAD" ? "GET" : request.method
    let query = Query(of: request)
    let isSilent = query["silent"] == "1"
    if segments.count == 1 {
      switch method {
      case "GET": return try list(query, now: now)
      case "POST": return created(try body(of: request), isSilent: isSilent, now: now)
      default: return refuse(method, allowed: "GET, POST")
      }
    }
    let id = Query.decode(segments[1])
    guard let record = records[id] else {
      throw deleted.contains(id) ? PMSProblem(410, "\(id) was deleted") : PMSProblem(404, "There is no \(id)")
    }
    if method != "GET", let match = request.headers["If-Match"], match != "*", match != Self.tag(record.version) {
      throw PMSProblem(412, "\(id) has changed: it is \(Self.tag(record.version)) now")
    }
    switch method {
    case "GET":
      if let former = record.former, faults.readsStale(age: now - record.changedAt) {
        return Self.answer(200, former.object, former.version)
      }
      return Self.answer(200, record.object, record.version)
    case "PATCH":
      return changed(id, record, to: Self.merged(record.object, try body(of: request)), isSilent: isSilent, now: now)
    case "PUT":
      return changed(id, record, to: try body(of: request), isSilent: isSilent, now: now)
    case "DELETE":
      records[id] = nil
      order.removeAll { $0 == id }
      deleted.insert(id)
      index.replace(id, record.object, with: nil)
      call("customer.deleted", record.object, isSilent: isSilent, now: now)
      return HTTPResponse(status: 204)
    default: return refuse(method, allowed: "GET, PATCH, PUT, DELETE")
    }
  }

  private func refuse(_ method: String, allowed: String) -> HTTPResponse {
    var response = PMSProblem(405, "\(method) isn't possible here").response
    response.headers["Allow"] = allowed
    return response
  }

  private func body(of request: HTTPRequest) throws(PMSProblem) -> JSONObject {
    let type = (request.headers["Content-Type"] ?? "").lowercased().prefix { $0 != ";" && $0 != " " }
    guard type == "application/json" || type == "application/merge-patch+json" else {
      throw PMSProblem(415, "application/json expected")
    }
    let value: JSONValue
    do { value = try JSONValue(parsing: request.body) } catch { throw PMSProblem(400, "Malformed JSON: \(error)") }
    guard let object = value.object else { throw PMSProblem(400, "A JSON object expected") }
    return object
  }

  private static func tag(_ version: Int64) -> String { "\"v\(version)\"" }

  private static func answer(_ status: Int, _ object: JSONObject, _ version: Int64) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: ["Content-Type": "application/json", "ETag": tag(version)],
      body: JSONValue.object(object).serialized)
  }

  // MARK: Writes

  /// Later than every stamp before, so that `updated_at` orders changes within a millisecond too.
  private mutating func stamp(_ now: Int64) -> Int64 {
    lastStamp = max(lastStamp + 1, now + faults.skew)
    return lastStamp
  }

  private mutating func created(_ body: JSONObject, isSilent: Bool, now: Int64) -> HTTPResponse {
    lastID += 1
    let id = "C-\(lastID)"
    let time = stamp(now)
    let object = completed(body, id: id, time: time)
    records[id] = PMSRecord(object: object, version: 1, changedAt: now, updatedAt: time)
    order.append(id)
    index.replace(id, nil, with: object)
    call("customer.created", object, isSilent: isSilent, now: now)
    var response = Self.answer(201, object, 1)
    response.headers["Location"] = "/customers/\(id)"
    return response
  }

  /// A write that changes nothing leaves version and time alone, and calls nobody.
  private mutating func changed(
    _ id: String, _ record: PMSRecord, to body: JSONObject, isSilent: Bool, now: Int64
  ) -> HTTPResponse {
    let same = completed(body, id: id, time: record.updatedAt)
    guard same != record.object else { return Self.answer(200, record.object, record.version) }
    let time = stamp(now)
    let object = completed(body, id: id, time: time)
    records[id] = PMSRecord(
      object: object, version: record.version + 1, former: faults.has(.lying) ? (record.object, record.version) : nil,
      changedAt: now,
      updatedAt: time)
    index.replace(id, record.object, with: object)
    call("customer.updated", object, isSilent: isSilent, now: now)
    return Self.answer(200, object, record.version + 1)
  }

  /// The record as it is kept: with its own id and time first, whatever the body says of them.
  private func completed(_ body: JSONObject, id: String, time: Int64) -> JSONObject {
    var members: [JSONObject.Member] = [(key: "id", value: .string(id))]
    for (key, value) in body.members where key != "id" && key != "updated_at" {
      members.append((key: key, value: faults.normalises ? Normalising.applied(to: value, key) : value))
    }
    members.append((key: "updated_at", value: .string(Timestamp.rfc3339(time))))
    return JSONObject(members)
  }

  /// RFC 7396.
  static func merged(_ target: JSONObject, _ patch: JSONObject) -> JSONObject {
    var result = target
    for (key, value) in patch.members {
      switch value {
      case .null: result[key] = nil
      case .object(let inner): result[key] = .object(merged(result[key]?.object ?? JSONObject(), inner))
      case .bool, .number, .string, .array: result[key] = value
      }
    }
    return result
  }

  // MARK: Lists

  private mutating func list(_ query: Query, now: Int64) throws(PMSProblem) -> HTTPResponse {
    let page = min(max(1, query.integer("page") ?? 1), 1_000_000_000)
    let perPage = min(500, max(1, query.integer("per_page") ?? 100))
    var since: Int64?
    var found: Set<String>?
    for (key, value) in query.items {
      switch key {
      case "page", "per_page", "silent": continue
      case "updated_since":
        guard let time = Timestamp.parse(value) else { throw PMSProblem(400, "updated_since: RFC 3339 expected") }
        since = time
      default:
        guard let ids = index.find(key, value, in: records) else { throw PMSProblem(400, "No property path: \(key)") }
        found = found.map { $0.intersection(ids) } ?? ids
      }
    }
    let total: Int
    var ids: [String]
    if since == nil && found == nil {
      total = order.count
      ids = Array(order.dropFirst((page - 1) * perPage).prefix(perPage))
    } else {
      var matching = found.map { ids in Self.inOrder(ids) } ?? order
      if let since { matching.removeAll { (records[$0]?.updatedAt ?? 0) < since } }
      total = matching.count
      ids = Array(matching.dropFirst((page - 1) * perPage).prefix(perPage))
    }
    ids = faults.page(ids)
    var rows: [JSONValue] = []
    for id in ids {
      guard let record = records[id] else { continue }
      let former = record.former.flatMap { faults.readsStale(age: now - record.changedAt) ? $0.object : nil }
      rows.append(.object(former ?? record.object))
    }
    let body: JSONValue = [
      "data": .array(rows), "page": .number(JSONNumber(page)), "per_page": .number(JSONNumber(perPage)),
      "total": .number(JSONNumber(total)),
    ]
    return HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: body.serialized)
  }

  /// By the number within `C-N`.
  private static func inOrder(_ ids: Set<String>) -> [String] {
    ids.sorted { (Int64($0.dropFirst(2)) ?? 0, $0) < (Int64($1.dropFirst(2)) ?? 0, $1) }
  }

  // MARK: Callbacks

  private mutating func call(_ type: String, _ record: JSONObject, isSilent: Bool, now: Int64) {
    guard !isSilent, let target, target.enabled else { return }
    let event = "evt_" + generator.token(20)
    let data: JSONValue = options.callbacksCarryOnlyID ? ["id": record["id"] ?? .null] : .object(record)
    let body: JSONValue = [
      "id": .string(event), "type": .string(type), "timestamp": .string(Timestamp.rfc3339(now + faults.skew)),
      "data": data,
    ]
    let fault = faults.webhook()
    answerDelay = max(answerDelay, fault.answerDelay)
    outgoing += outbox.enqueue(event: event, endpoint: 0, body: body.serialized, at: now, fault: fault)
  }

  func outgoing(_ delivery: Delivery, now: Int64) -> HTTPRequest? {
    guard let message = outbox.messages[delivery.message], let target else { return nil }
    guard
      let signature = try? signatureHeaders(
        scheme: .standardWebhooks, secret: Secret(options.callbackSecret), id: message.event, timestamp: now / 1000,
        body: message.body)
    else { return nil }
    var headers: HTTPHeaders = ["User-Agent": "Sandbox-PMS/1.0", "Content-Type": "application/json"]
    for (name, value) in signature { headers.add(name, value) }
    return HTTPRequest(method: "POST", target: target.url, headers: headers, body: message.body)
  }

  mutating func settled(_ delivery: Delivery, _ outcome: DeliveryOutcome, now: Int64) -> [Delivery] {
    if case .retry(let next) = outbox.settle(delivery, outcome, now: now, delays: options.retries) { return [next] }
    return []
  }
}

/// What a PMS that keeps data in its own way makes of it.
enum Normalising {
  static func applied(to value: JSONValue, _ key: String) -> JSONValue {
    switch value {
    case .string(let text):
      let trimmed = InvoicedReader.trim(text)
      return .string(key.lowercased().contains("email") ? trimmed.lowercased() : trimmed)
    case .number(let number): return rounded(number)
    case .object(let object):
      return .object(JSONObject(object.members.map { ($0.key, applied(to: $0.value, $0.key)) }))
    case .array(let items): return .array(items.map { applied(to: $0, key) })
    case .null, .bool: return value
    }
  }

  /// To two decimals, half to even; what has no more than that stays as it was written.
  private static func rounded(_ number: JSONNumber) -> JSONValue {
    guard let exact = number.decimal, exact.rounded(toScale: 2) != exact else { return .number(number) }
    return .number(JSONNumber(exact.rounded(toScale: 2)))
  }
}
