import HTTP
import JSON
import SeededRandom
import Signatures

struct InvoicedEndpoint: Sendable {
  let id: Int64
  var url: String
  var secret: String
  var enabled = true
  var events: [String] = ["*"]
  var createdAt: Int64 = 0
  var updatedAt: Int64 = 0

  func takes(_ type: String) -> Bool { events.contains("*") || events.contains(type) }

  /// The secret is shown only when asked for.
  func json(_ query: Query) -> JSONValue {
    var object: JSONObject = JSONObject([
      (key: "created_at", value: .number(JSONNumber(createdAt))), (key: "enabled", value: .bool(enabled)),
      (key: "events", value: .array(events.map { .string($0) })), (key: "id", value: .number(JSONNumber(id))),
    ])
    if query["include"]?.split(separator: ",").contains("secret") ?? false { object["secret"] = .string(secret) }
    object["updated_at"] = .number(JSONNumber(updatedAt))
    object["url"] = .string(url)
    return .object(object)
  }
}

extension InvoicedState {
  /// Up to so many webhooks are on their way at once.
  static let parallelDeliveries = 5

  /// Signed with the secret that is current now, over the bytes stored when the event happened.
  func outgoing(_ delivery: Delivery, now: Int64) -> HTTPRequest? {
    guard let message = outbox.messages[delivery.message],
      let endpoint = endpoints.first(where: { $0.id == message.endpoint })
    else { return nil }
    guard
      let signature = try? signatureHeaders(
        scheme: .invoiced, secret: Secret(endpoint.secret), id: message.event, timestamp: now / 1000,
        body: message.body)
    else { return nil }
    var headers: HTTPHeaders = ["User-Agent": "Invoiced/1.0", "Content-Type": "application/json"]
    for (name, value) in signature { headers.add(name, value) }
    return HTTPRequest(method: "POST", target: endpoint.url, headers: headers, body: message.body)
  }

  /// A single 410, or one event's last failed attempt, switches the endpoint off.
  mutating func settled(_ delivery: Delivery, _ outcome: DeliveryOutcome, now: Int64) -> [Delivery] {
    let endpoint = outbox.messages[delivery.message]?.endpoint
    let verdict = outbox.settle(delivery, outcome, now: now, delays: options.retries)
    if case .exhausted = verdict { disable(endpoint) }
    if outcome == .answered(status: 410) { disable(endpoint) }
    if case .retry(let next) = verdict { return [next] }
    return []
  }

  private mutating func disable(_ id: Int64?) {
    guard let url = endpoints.first(where: { $0.id == id })?.url else { return }
    for index in endpoints.indices where endpoints[index].url == url { endpoints[index].enabled = false }
  }

  mutating func createEndpoint(_ body: JSONObject, _ write: Write) throws(Refusal) -> InvoicedEndpoint {
    var endpoint = InvoicedEndpoint(
      id: (endpoints.map(\.id).max() ?? 4200) + 1, url: "", secret: generator.token(32).lowercased(),
      createdAt: write.stamp)
    try lay(body, into: &endpoint, write)
    if endpoint.url.isEmpty { throw .invalid("url", "A URL is needed") }
    endpoints.append(endpoint)
    return endpoint
  }

  mutating func updateEndpoint(_ id: Int64, _ body: JSONObject, _ write: Write) throws(Refusal) -> InvoicedEndpoint {
    guard let index = endpoints.firstIndex(where: { $0.id == id }) else { throw Refusal(404, "No such webhook: \(id)") }
    var endpoint = endpoints[index]
    try lay(body, into: &endpoint, write)
    endpoints[index] = endpoint
    return endpoint
  }

  mutating func deleteEndpoint(_ id: Int64) throws(Refusal) {
    guard let index = endpoints.firstIndex(where: { $0.id == id }) else { throw Refusal(404, "No such webhook: \(id)") }
    endpoints.remove(at: index)
  }

  private func lay(_ body: JSONObject, into endpoint: inout InvoicedEndpoint, _ write: Write) throws(Refusal) {
    if let raw = body["url"] {
      guard let url = raw.string, url.hasPrefix("http://") || url.hasPrefix("https://") else {
        throw .invalid("url", "A URL is needed")
      }
      endpoint.url = url
    }
    if let raw = body["enabled"] {
      guard let enabled = raw.bool else { throw .invalid("enabled", "enabled: true or false expected") }
      endpoint.enabled = enabled
    }
    if let raw = body["events"] {
      guard let events = raw.array?.map(\.string), !events.contains(nil) else {
        throw .invalid("events", "events: a list of event types expected")
      }
      endpoint.events = events.compactMap { $0 }
    }
    endpoint.updatedAt = write.stamp
  }

  func listAttempts(_ request: HTTPRequest, _ query: Query) -> Reply {
    let event = query["filter[event_id]"]
    let rows = outbox.messages.values.filter { event == nil || $0.event == event }.sorted { $0.id > $1.id }
    return Listing(request, query).reply(
      rows.map { message in
        let attempts: [JSONValue] = message.attempts.map { attempt in
          var object = JSONObject()
          switch attempt.outcome {
          case .answered(let status): object["status_code"] = .number(JSONNumber(status))
          case .failed(let problem): object["error"] = .string(problem)
          case .cancelled: break
          }
          object["timestamp"] = .number(JSONNumber(attempt.at / 1000))
          return .object(object)
        }
        let url = endpoints.first { $0.id == message.endpoint }?.url
        return [
          "attempts": .array(attempts), "created_at": .number(JSONNumber(message.createdAt / 1000)),
          "event_id": Int64(message.event).map { .number(JSONNumber($0)) } ?? nil,
          "id": .number(JSONNumber(message.id)),
          "next_attempt": message.nextAttempt.map { .number(JSONNumber($0 / 1000)) } ?? nil,
          "updated_at": .number(JSONNumber((message.attempts.last?.at ?? message.createdAt) / 1000)),
          "url": url.map { .string($0) } ?? nil,
        ]
      })
  }

  mutating func retry(_ id: Int64, now: Int64) throws(Refusal) {
    guard outbox.messages[id] != nil else { throw Refusal(404, "No such webhook attempt: \(id)") }
    outgoing += outbox.resend(id, now: now)
  }
}
