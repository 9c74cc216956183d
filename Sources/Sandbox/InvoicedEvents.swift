import HTTP
import JSON
import SeededRandom

struct InvoicedEvent: Sendable {
  let id: Int64
  let timestamp: Int64
  let type: String
  let object: JSONObject
  let previous: JSONObject?
  let user: Int64

  /// The webhook's body, and what the Events API shows: exactly these keys, in this order.
  var json: JSONObject {
    var data: JSONObject = JSONObject([(key: "object", value: .object(object))])
    if let previous { data["previous"] = .object(previous) }
    return JSONObject([
      (key: "id", value: .number(JSONNumber(id))), (key: "timestamp", value: .number(JSONNumber(timestamp))),
      (key: "type", value: .string(type)), (key: "data", value: .object(data)),
    ])
  }

  /// The customers that it is about: its own, its owner.
  var customers: [Int64] {
    let ids =
      type.hasPrefix("customer.") ? [object["id"], object["original_customer"]?["id"]] : [object["customer_id"]]
    return ids.compactMap { $0?.int64 }
  }
}

/// What changed, by the rules of the backend's own comparison: old values only, nested objects member by member.
enum Difference {
  static func previous(_ old: JSONObject, _ new: JSONObject, hiding hidden: Set<String> = []) -> JSONObject {
    var previous = JSONObject()
    for (key, after) in new.members where !hidden.contains(key) {
      let before = old[key] ?? .null
      if old[key] != nil, same(before, after) { continue }
      if case .object(let x) = before, case .object(let y) = after {
        let inner = Self.previous(x, y)
        if !inner.isEmpty { previous[key] = .object(inner) }
      } else {
        previous[key] = before
      }
    }
    for (key, before) in old.members where new[key] == nil && !hidden.contains(key) { previous[key] = before }
    return previous
  }

  /// Whole and fractional numbers of equal value are the same; a number and its text are not.
  private static func same(_ a: JSONValue, _ b: JSONValue) -> Bool {
    if case .number(let x) = a, case .number(let y) = b { return x == y || Double(x.text) == Double(y.text) }
    return a == b
  }
}

extension InvoicedState {
  /// Writes an update's event, unless nothing but `updated_at` differs.
  mutating func recordUpdate(_ type: String, from old: JSONObject, to new: JSONObject, _ write: Write) {
    let previous = Difference.previous(old, new, hiding: InvoicedField.shadows.union(["customer"]))
    guard previous.members.contains(where: { $0.key != "updated_at" }) else { return }
    record(type, object: new, previous: previous, write)
  }

  /// Writes an event and queues its webhooks.
  mutating func record(_ type: String, object: JSONObject, previous: JSONObject?, _ write: Write) {
    guard !write.isSilent else { return }
    lastEvent += generator.number(in: 1...5000)
    let event = InvoicedEvent(
      id: lastEvent, timestamp: write.stamp, type: type, object: object, previous: previous, user: write.caller.user)
    events.append(event)
    // While an endpoint is disabled, nothing is queued for it.
    for endpoint in endpoints where endpoint.enabled && endpoint.takes(type) {
      let fault = faults.webhook()
      answerDelay = max(answerDelay, fault.answerDelay)
      outgoing += outbox.enqueue(
        event: String(event.id), endpoint: endpoint.id, body: JSONValue.object(event.json).phpText, at: write.now,
        fault: fault)
    }
  }

  func event(_ id: Int64, _ query: Query) throws(Refusal) -> JSONValue {
    guard let event = events.last(where: { $0.id == id }) else { throw Refusal(404, "No such event: \(id)") }
    return shown(event, query)
  }

  private func shown(_ event: InvoicedEvent, _ query: Query) -> JSONValue {
    var json = event.json
    if let included = query["include"], included.split(separator: ",").contains("user") {
      json["user"] = ["id": .number(JSONNumber(event.user))]
    }
    return .object(json)
  }

  /// Newest first unless sorted; unknown parameters are passed over.
  func listEvents(_ request: HTTPRequest, _ query: Query) throws(Refusal) -> Reply {
    if let type = query["type"], !["customer", "contact", "invoice", "payment"].contains(type) {
      throw .invalid("type", "No such object type: \(type)")
    }
    var related: Int64?
    if let text = query["related_to"] {
      let parts = text.split(separator: ",").map(String.init)
      guard parts.count == 2, let id = Int64(parts[1]) else { throw .invalid("related_to", "TYPE,ID expected") }
      related = id
    }
    let start = query.integer("start_date").map(Int64.init)
    let end = query.integer("end_date").map(Int64.init)
    let user = query["filter[user_id]"].flatMap { Int64($0) }
    let rows = events.filter { event in
      if let type = query["type"], !event.type.hasPrefix(type + ".") { return false }
      if let type = query["filter[type]"], event.type != type { return false }
      if let related, !event.customers.contains(where: { $0 == related || survivor(of: $0) == related }) {
        return false
      }
      if let start, start != 0, event.timestamp < start { return false }
      if let end, end != 0, event.timestamp > end { return false }
      if let user, event.user != user { return false }
      switch query["from"] {
      case "api": return event.user == -3
      case "team": return event.user > 0
      case "customer": return event.user == -1
      case "invoiced": return event.user == -2
      default: return true
      }
    }
    let isAscending = query["sort"]?.lowercased() == "id asc"
    let listing = Listing(request, query)
    let page = listing.slice(isAscending ? rows : rows.reversed())
    return listing.reply(page: page.map { shown($0, query) }, total: rows.count)
  }

  /// Where a merged customer's history answers now.
  private func survivor(of id: Int64) -> Int64 {
    var id = id
    while let next = absorbed[id] { id = next }
    return id
  }
}
