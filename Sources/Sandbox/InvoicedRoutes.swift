import HTTP
import JSON

typealias Reply = (status: Int, body: JSONValue?, headers: HTTPHeaders)

extension InvoicedState {
  /// Everything that the API offers.
  private enum Route {
    case customers
    case customer(Int64)
    case merge(Int64)
    case balance(Int64)
    case contacts(Int64)
    case contact(Int64, of: Int64)
    case events
    case event(Int64)
    case webhooks
    case webhook(Int64)
    case attempts
    case retries(Int64)

    init?(_ segments: [String]) {
      let ids = segments.map { Int64($0) }
      switch segments.first {
      case "customers" where segments.count == 1: self = .customers
      case "customers":
        guard let id = ids[1] else { return nil }
        switch (segments.count, segments.count > 2 ? segments[2] : "") {
        case (2, _): self = .customer(id)
        case (3, "merge"): self = .merge(id)
        case (3, "balance"): self = .balance(id)
        case (3, "contacts"): self = .contacts(id)
        case (4, "contacts"):
          guard let contact = ids[3] else { return nil }
          self = .contact(contact, of: id)
        default: return nil
        }
      case "events" where segments.count == 1: self = .events
      case "events" where segments.count == 2:
        guard let id = ids[1] else { return nil }
        self = .event(id)
      case "webhooks" where segments.count == 1: self = .webhooks
      case "webhooks" where segments.count == 2:
        guard let id = ids[1] else { return nil }
        self = .webhook(id)
      case "webhook_attempts" where segments.count == 1: self = .attempts
      case "webhook_attempts" where segments.count == 3 && segments[2] == "retries":
        guard let id = ids[1] else { return nil }
        self = .retries(id)
      default: return nil
      }
    }

    var methods: [String] {
      switch self {
      case .customers, .contacts, .webhooks: ["GET", "POST"]
      case .customer, .contact: ["GET", "PATCH", "DELETE"]
      case .balance, .events, .event, .attempts: ["GET"]
      case .merge, .retries: ["POST"]
      case .webhook: ["PATCH", "DELETE"]
      }
    }
  }

  mutating func routed(_ request: HTTPRequest, caller: Caller, now: Int64) throws(Refusal) -> Reply {
    let method = request.method == "HEAD" ? "GET" : request.method
    guard let route = Route(pathSegments(request)) else {
      throw Refusal(404, "No route for \(request.method) \(request.path)")
    }
    guard route.methods.contains(method) else {
      let refusal = Refusal(
        405, "No route for \(request.method) \(request.path): use \(route.methods.joined(separator: ", "))")
      return (405, refusal.body, ["Allow": route.methods.joined(separator: ", ")])
    }
    let query = Query(of: request)
    let body = method == "POST" || method == "PATCH" ? try Self.parameters(of: request) : JSONObject()
    let write = Write(caller: caller, isSilent: query["silent"] == "1", now: now, stamp: stamp(now))
    switch (route, method) {
    case (.customers, "GET"): return try listCustomers(request, query, now: now)
    case (.customers, _): return (201, .object(try createCustomer(body, write)), [:])
    case (.customer(let id), "GET"): return (200, .object(try readCustomer(id, now: now)), [:])
    case (.customer(let id), "PATCH"): return (200, .object(try updateCustomer(id, body, write)), [:])
    case (.customer(let id), _):
      try deleteCustomer(id, write)
      return (204, nil, [:])
    case (.merge(let id), _):
      try mergeCustomers(survivor: id, body, write)
      return (204, nil, [:])
    case (.balance(let id), _): return (200, try balance(of: id), [:])
    case (.contacts(let owner), "GET"): return try listContacts(of: owner, request, query)
    case (.contacts(let owner), _): return (201, .object(try createContact(of: owner, body, write)), [:])
    case (.contact(let id, let owner), "GET"): return (200, .object(try contact(id, of: owner)), [:])
    case (.contact(let id, let owner), "PATCH"):
      return (200, .object(try updateContact(id, of: owner, body, write)), [:])
    case (.contact(let id, let owner), _):
      try deleteContact(id, of: owner, write)
      return (204, nil, [:])
    case (.events, _): return try listEvents(request, query)
    case (.event(let id), _): return (200, try event(id, query), [:])
    case (.webhooks, "GET"): return (200, .array(endpoints.map { $0.json(query) }), [:])
    case (.webhooks, _): return (201, try createEndpoint(body, write).json(query), [:])
    case (.webhook(let id), "PATCH"): return (200, try updateEndpoint(id, body, write).json(query), [:])
    case (.webhook(let id), _):
      try deleteEndpoint(id)
      return (204, nil, [:])
    case (.attempts, _): return listAttempts(request, query)
    case (.retries(let id), _):
      try retry(id, now: now)
      return (204, nil, [:])
    }
  }

  /// The body's parameters. Without its content type, JSON isn't read at all, so that every field looks missing.
  private static func parameters(of request: HTTPRequest) throws(Refusal) -> JSONObject {
    let type = (request.headers["Content-Type"] ?? "").lowercased().prefix { $0 != ";" && $0 != " " }
    switch type {
    case "application/json", "application/x-json":
      guard !request.body.isEmpty else { return JSONObject() }
      let value: JSONValue
      do { value = try JSONValue(parsing: request.body) } catch {
        throw Refusal(400, "Malformed JSON: \(error)", type: nil)
      }
      switch value {
      case .object(let object): return object
      case .array: return JSONObject()
      case .null, .bool, .number, .string: throw Refusal(400, "Malformed JSON: an object expected", type: nil)
      }
    case "application/x-www-form-urlencoded":
      var body = JSONValue.object(JSONObject())
      for (key, value) in Query(String(decoding: request.body, as: UTF8.self)).items {
        guard let bracket = key.firstIndex(of: "["), key.hasSuffix("]") else {
          body.set(.string(value), at: JSONPath([.key(key)]))
          continue
        }
        let (outer, inner) = (String(key[..<bracket]), String(key[key.index(after: bracket)...].dropLast()))
        body.set(.string(value), at: JSONPath([.key(outer), .key(inner)]))
      }
      return body.object ?? JSONObject()
    default: return JSONObject()
    }
  }
}

/// The circumstances of a write.
struct Write {
  let caller: Caller
  /// No event is written, as for an import.
  let isSilent: Bool
  let now: Int64
  /// The account's clock in UNIX seconds.
  let stamp: Int64
}
