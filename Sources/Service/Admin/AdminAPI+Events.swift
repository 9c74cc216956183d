import HTTP
import HTTPServer
import JSON
import Mapping
import Store
import Sync

extension AdminAPI {
  func events(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let query = try call.listQuery(states: EventState.allCases.map(\.rawValue))
    let listing = try await reading { () async throws(StoreError) in try await store.events(query) }
    return .json(Self.list(listing.items.map { Self.json($0) }, listing.next))
  }

  func event(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let event = try await find(event: call.variable("id"))
    var object = Self.json(event).object ?? JSONObject()
    object["body"] =
      event.event.body.isEmpty
      ? .null
      : (try? JSONValue(parsing: event.event.body)) ?? .string(String(decoding: event.event.body, as: UTF8.self))
    return .json(.object(object))
  }

  func replay(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let event = try await find(event: call.variable("id"))
    try await replay([event])
    return .json(["replayed": 1])
  }

  /// `{"since": T, "until": T, "type": T}`, or `{"ids": [...]}`.
  func replayMany(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let object = try call.object(of: ["ids", "since", "until", "type"])
    if let value = object["ids"] {
      guard object.count == 1, let ids = value.array else {
        throw .badRequest("ids must be a list, without since, until and type.")
      }
      var events: [StoredEvent] = []
      for id in ids {
        guard let text = id.identifier else { throw .badRequest("ids must be numbers or texts.") }
        events.append(try await find(event: text))
      }
      try await replay(events)
      return .json(["replayed": .number(JSONNumber(events.count))])
    }
    guard let since = try Self.text("since", in: object) else { throw .badRequest("Give ids, or since.") }
    var query = ListQuery(limit: 500)
    query.since = try AdminCall.time(since, "since")
    query.until = try Self.text("until", in: object).map { text throws(AdminError) in try AdminCall.time(text, "until")
    }
    query.type = try Self.text("type", in: object)
    var count = 0
    while true {
      let page = query
      let listing = try await reading { () async throws(StoreError) in try await store.events(page) }
      let events = listing.items.filter { $0.event.record != nil }
      try await replay(events)
      count += events.count
      guard let next = listing.next else { break }
      query.after = next
    }
    return .json(["replayed": .number(JSONNumber(count))])
  }

  /// The events wait for work again.
  private func replay(_ events: [StoredEvent]) async throws(AdminError) {
    let now = context.clock.now
    var changes = Changes()
    for event in events {
      guard event.event.record != nil else {
        throw .conflict(
          "Event \(event.id) names no record (\(event.reason ?? event.event.type)): it can't be replayed.")
      }
      changes.events.append(
        EventOutcome(id: event.id, state: .waiting, attempts: 0, dueAt: now, reason: "replayed", at: now))
    }
    try await commit(changes)
    for event in events { if let key = event.key { core.engine.notify(key) } }
  }

  /// An event by the store's number, by its sender's id where that is unique, or by `SIDE:ID`.
  func find(event text: String) async throws(AdminError) -> StoredEvent {
    if let id = Int64(text) {
      let found = try await reading { () async throws(StoreError) in try await store.event(id) }
      if let found { return found }
    }
    var query = ListQuery(limit: 3)
    query.eventID = text
    var found = try await matching(query)
    if found.isEmpty, let colon = text.firstIndex(of: ":"), let side = Side(rawValue: String(text[..<colon])) {
      query.side = side
      query.eventID = String(text[text.index(after: colon)...])
      found = try await matching(query)
    }
    if found.isEmpty {
      found = try await matching(ListQuery(record: text, limit: 2))
      guard found.count < 2 else { throw .conflict("\(text) has several events: name one by its number.") }
    }
    guard let event = found.first else { throw .notFound("There is no event \(text); see: customer-sync events list") }
    guard found.count == 1 else {
      throw .conflict("Both sides have an event \(text): name it invoiced:\(text) or pms:\(text).")
    }
    return event
  }

  private func matching(_ query: ListQuery) async throws(AdminError) -> [StoredEvent] {
    try await reading { () async throws(StoreError) in try await store.events(query) }.items
  }

  static func json(_ event: StoredEvent) -> JSONValue {
    .object(
      JSONObject([
        ("id", .number(JSONNumber(event.id))), ("event", .string(event.event.eventID)),
        ("side", .string(event.event.side.rawValue)), ("type", .string(event.event.type)),
        ("origin", .string(event.event.origin.rawValue)), ("state", .string(event.state.rawValue)),
        ("invoiced_id", event.event.side == .invoiced ? text(event.event.record?.text) : .null),
        ("pms_id", event.event.side == .pms ? text(event.event.record?.text) : .null),
        ("attempts", .number(JSONNumber(event.attempts))), ("reason", text(event.reason)),
        ("at", .string(event.event.receivedAt.rfc3339)), ("due_at", text(event.dueAt?.rfc3339)),
        ("finished_at", text(event.finishedAt?.rfc3339)),
      ]))
  }

  // MARK: What the handlers share

  static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

  static func list(_ items: [JSONValue], _ next: Int64?) -> JSONValue {
    ["items": .array(items), "next": next.map { .string("\($0)") } ?? .null]
  }

  func reading<Result: Sendable>(_ body: () async throws(StoreError) -> Result) async throws(AdminError) -> Result {
    do throws(StoreError) { return try await body() } catch { throw .store(error) }
  }

  func commit(_ changes: Changes) async throws(AdminError) {
    _ = try await reading { () async throws(StoreError) in try await store.commit(changes) }
  }
}
