import HTTP
import HTTPServer
import JSON
import Mapping
import Store
import Sync

extension AdminAPI {
  func links(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let query = try call.listQuery(states: ["active", "asleep", "ended"])
    let listing = try await reading { () async throws(StoreError) in try await store.links(query) }
    return .json(Self.list(listing.items.map { Self.json($0) }, listing.next))
  }

  /// Both sides next to each other, the agreed values, and the records' history.
  func link(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let text = call.variable("id")
    guard let link = try await find(link: text) else { throw Self.noLink(text) }
    let flow = context.mapping.flow(named: link.flow)
    var records: [Side: JSONValue] = [:]
    for side in Side.allCases {
      let state = try await reading { () async throws(StoreError) in try await store.record(link.key(on: side)) }
      records[side] = state?.last?.record
    }
    let properties = (flow?.properties ?? []).map { row -> JSONValue in
      func raw(_ side: Side) -> JSONValue { records[side].flatMap { row.raw(on: side, in: $0) } ?? .null }
      let agreed = link.agreed[row.key]
      return [
        "property": .string(row.invoiced.description), "pms_property": .string(row.pms.description),
        "invoiced": raw(.invoiced), "pms": raw(.pms),
        "agreed": agreed.map { ["invoiced": $0.invoiced ?? .null, "pms": $0.pms ?? .null] } ?? .null,
      ]
    }
    var object = Self.json(link).object ?? JSONObject()
    object["properties"] = .array(properties)
    object["history"] = .array(try await story(of: link).map { Self.json($0) })
    return .json(.object(object))
  }

  private static let mostTold = 1000

  /// What happened to the two records, the newest first: together, and each by itself or linked with another one before.
  private func story(of link: Link) async throws(AdminError) -> [HistoryEntry] {
    var entries: [HistoryEntry] = []
    for side in Side.allCases {
      var query = ListQuery(limit: 500)
      query.record = link.id(on: side).text
      var told = 0
      repeat {
        let page = query
        let listing = try await reading { () async throws(StoreError) in try await store.history(page) }
        // An id of the one side may be another record's on the other.
        let own = listing.items.filter { entry in
          let ids: [Side: RecordID?] = [.invoiced: entry.invoicedID, .pms: entry.pmsID]
          return ids[side] == link.id(on: side) && (side == .invoiced || entry.invoicedID != link.invoiced)
        }
        entries += own
        told += own.count
        query.after = listing.next
      } while query.after != nil && told < Self.mostTold
    }
    // Each side's are in their order already.
    return entries.enumerated().sorted { a, b in
      a.element.at == b.element.at ? a.offset < b.offset : a.element.at > b.element.at
    }
    .map(\.element)
  }

  static func noLink(_ name: String) -> AdminError {
    .notFound("There is no link \(name); see: customer-sync links list")
  }

  /// A link by the store's number, or by the id of one of its records.
  func find(link text: String) async throws(AdminError) -> Link? {
    if let id = Int64(text) {
      let found = try await reading { () async throws(StoreError) in try await store.link(id) }
      if let found { return found }
    }
    let query = ListQuery(record: text, limit: 100)
    let all = try await reading { () async throws(StoreError) in try await store.links(query) }.items
    // A record has one link that lives, and any number of ended ones.
    let alive = all.filter { $0.state != .ended }
    let found = alive.isEmpty ? all : alive
    guard found.count <= 1 else {
      throw .conflict("Several links have a record \(text): name it invoiced:\(text) or pms:\(text).")
    }
    return found.first
  }

  func holds(_ kind: Hold.Kind, _ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let query = try call.listQuery(states: ["open", "discarded", "approved"])
    let listing = try await reading { () async throws(StoreError) in try await store.holds(kind, query) }
    return .json(Self.list(listing.items.map { Self.json($0) }, listing.next))
  }

  func hold(_ kind: Hold.Kind, _ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    .json(Self.json(try await find(kind, call.variable("id"))))
  }

  func history(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let query = try call.listQuery()
    let listing = try await reading { () async throws(StoreError) in try await store.history(query) }
    return .json(Self.list(listing.items.map { Self.json($0) }, listing.next))
  }

  /// What is parked is looked at again now.
  func retry(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    let hold = try await find(.parked, call.variable("id"))
    guard let record = hold.record else {
      throw .conflict("Parked \(hold.id) is an event that can't be read: there is no record to try again.")
    }
    let now = context.clock.now
    var changes = Changes()
    changes.closedHolds = [hold.id]
    changes.followUps = [.look(at: record, now: now, context.random)]
    try await commit(changes)
    core.engine.notify(record)
    return .json(["id": .number(JSONNumber(hold.id)), "state": "retrying"])
  }

  /// What is parked stays as it is until one of its values changes.
  func discard(_ call: AdminCall) async throws(AdminError) -> HTTPResponse {
    var hold = try await find(.parked, call.variable("id"))
    hold.state = .discarded
    var changes = Changes()
    changes.holds = [hold]
    try await commit(changes)
    return .json(["id": .number(JSONNumber(hold.id)), "state": "discarded"])
  }

  /// An entry by the store's number, or by the id of the one record it is about.
  func find(_ kind: Hold.Kind, _ text: String) async throws(AdminError) -> Hold {
    let (what, list) =
      switch kind {
      case .parked: ("parked entry", "parked")
      case .conflict: ("conflict", "conflicts")
      case .deletion: ("held delete", "deletes")
      }
    if let id = Int64(text) {
      let found = try await reading { () async throws(StoreError) in try await store.hold(id) }
      if let found, found.kind == kind, kind == .parked || found.state == .open { return found }
    }
    let query = ListQuery(record: text, limit: 2)
    let found = try await reading { () async throws(StoreError) in try await store.holds(kind, query) }.items
    guard let hold = found.first else {
      throw .notFound("There is no \(what) \(text); see: customer-sync \(list) list")
    }
    guard found.count == 1 else { throw .conflict("Several entries are about \(text): name one by its number.") }
    return hold
  }

  static func json(_ link: Link) -> JSONValue {
    .object(
      JSONObject([
        ("id", .number(JSONNumber(link.id))), ("flow", .string(link.flow)), ("state", .string(link.state.rawValue)),
        ("invoiced_id", .string(link.invoiced.text)), ("pms_id", .string(link.pms.text)),
        ("reason", text(link.reason)), ("at", .string(link.createdAt.rfc3339)),
        ("ended_at", text(link.endedAt?.rfc3339)),
      ]))
  }

  static func json(_ hold: Hold) -> JSONValue {
    // From the PMS, an event that can't be read is refused and not kept.
    let side = hold.cause == .unreadable ? .invoiced : hold.record?.side
    return .object(
      JSONObject([
        ("id", .number(JSONNumber(hold.id))), ("flow", text(hold.flow)), ("state", .string(hold.state.rawValue)),
        ("cause", .string(hold.cause.rawValue)), ("side", text(side?.rawValue)),
        ("invoiced_id", text(hold.invoicedID?.text)), ("pms_id", text(hold.pmsID?.text)),
        ("property", text(hold.property)), ("invoiced", hold.invoiced ?? .null), ("pms", hold.pms ?? .null),
        ("reason", .string(hold.reason)), ("next", .string(hold.nextStep)),
        ("attempts", .number(JSONNumber(hold.attempts))), ("at", .string(hold.at.rfc3339)),
      ]))
  }

  static func json(_ entry: HistoryEntry) -> JSONValue {
    .object(
      JSONObject([
        ("kind", .string(entry.kind.rawValue)), ("flow", text(entry.flow)), ("side", text(entry.side?.rawValue)),
        ("invoiced_id", text(entry.invoicedID?.text)), ("pms_id", text(entry.pmsID?.text)),
        ("property", text(entry.property)), ("old", entry.old ?? .null), ("new", entry.new ?? .null),
        ("from", entry.source ?? .null),
        ("agreed", entry.agreed.map { ["invoiced": $0.invoiced ?? .null, "pms": $0.pms ?? .null] } ?? .null),
        ("rule", .number(JSONNumber(entry.rule))), ("reason", .string(entry.sentence)),
        ("event", entry.event.map { .number(JSONNumber($0)) } ?? .null), ("at", .string(entry.at.rfc3339)),
      ]))
  }
}

extension ListQuery {
  /// What is about a record, named by its id or by `SIDE:ID`.
  init(record text: String, limit: Int) {
    self.init(limit: limit)
    if let colon = text.firstIndex(of: ":"), let side = Side(rawValue: String(text[..<colon])) {
      self.side = side
      record = String(text[text.index(after: colon)...])
    } else {
      record = text
    }
  }
}
