import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync

/// Invoiced's REST API (reference/invoiced-api.md).
public final class InvoicedConnector: Connector {
  public let side = Side.invoiced
  public let abilities = ConnectorAbilities(hasVersions: true, hasETags: false, listsUpdatedSince: true, finds: true)
  public let idPath = JSONPath([.key("id")])
  private let client: SideClient
  private static let collection = "/customers"

  /// - Parameters:
  ///   - url: `https://api.invoiced.com`, or another root with the same API.
  ///   - timeout: Of a whole exchange.
  ///   - now: Our clock.
  public init(
    url: String, apiKey: Secret, timeout: Duration = .seconds(30), transport: any HTTPTransport,
    now: @escaping @Sendable () -> Timestamp
  ) {
    client = SideClient(
      side: .invoiced, url: url, authenticator: .basic(user: apiKey, password: Secret("")), timeout: timeout,
      transport: transport, now: now)
  }

  public var clockOffset: Duration? { client.clockOffset }

  /// Knows the side's clock as the one that it takes over from did (rule 8).
  public func keepTime(of former: InvoicedConnector) { client.keepTime(of: former.client) }

  public func fetch(_ id: RecordID) async throws(ConnectorError) -> Fetched {
    let target = try target(of: id)
    do throws(ConnectorError) {
      let (_, body) = try await client.get(target)
      guard let observation = observation(of: body, source: .fetch, at: client.now()), observation.key.id == id else {
        throw .unreadable(side, "it holds no customer \(id)")
      }
      return .found(observation)
    } catch {
      if case .refused(_, let status, _, _, _) = error, status == 404 || status == 410 { return .gone(status: status) }
      throw error
    }
  }

  public func find(_ path: JSONPath, _ value: JSONValue) async throws(ConnectorError) -> [Observation] {
    guard let text = Search.text(value) else { return [] }
    let filter = try InvoicedFilter(path, value, text)
    let target = client.root.target(
      Self.collection, [(name: filter.name, value: filter.value), (name: "per_page", value: "100")])
    return try await Search.all(path, text, on: side, from: target, page: page)
  }

  public func list(
    updatedSince: Timestamp?, cursor: ListCursor?
  ) async throws(ConnectorError) -> ListPage {
    var place = cursor.flatMap { ListPlace($0) } ?? ListPlace(target: firstPage(updatedSince: updatedSince))
    let (response, body) = try await client.get(place.target)
    let items = try rows(body)
    let total = response.headers["X-Total-Count"].flatMap { Int($0.trimmed) }
    guard let next = try next(after: place.target, response), !place.walk.repeats(items) else {
      return ListPage(items: items, next: nil, total: total)
    }
    place.target = next
    return ListPage(items: items, next: place.cursor, total: total)
  }

  public func create(_ record: JSONValue, idempotencyKey: String) async throws(ConnectorError) -> Written {
    let body = try InvoicedBody.creating(record)
    let response = try await write("POST", client.root.target(Self.collection), body, idempotencyKey)
    let answer = response.body.isEmpty ? JSONValue?.none : try client.json(response)
    let written = observation(of: answer, repeating: body)
    return Written(id: written?.key.id ?? answer?["id"]?.identifier.map { RecordID($0) }, observation: written)
  }

  public func update(
    _ changes: [Assignment], of base: Observation, idempotencyKey: String
  ) async throws(ConnectorError) -> Written {
    let target = try target(of: base.key.id)
    var before: Observation?
    // Metadata is replaced whole, so what stands there has to be known as of now.
    if changes.contains(where: { $0.path.components.first == .key("metadata") }) {
      switch try await fetch(base.key.id) {
      case .gone(let status): throw .refused(side, status: status, message: "", property: nil, retryAfter: nil)
      case .found(let fresh):
        guard fresh.carries(base, replacing: JSONPath([.key("metadata")]), changing: changes.map(\.path)) else {
          throw .overtaken(side)
        }
        before = fresh
      }
    }
    let body = try InvoicedBody.updating(changes, fresh: before?.record ?? base.record)
    let response = try await write("PATCH", target, body, idempotencyKey)
    let answer = response.body.isEmpty ? JSONValue?.none : try client.json(response)
    let written = observation(of: answer, repeating: body)
    return Written(id: base.key.id, observation: written?.key == base.key ? written : nil, before: before)
  }

  public func delete(_ id: RecordID, etag: String?) async throws(ConnectorError) {
    let target = try target(of: id)
    do throws(ConnectorError) {
      try client.refusePage(await client.send("DELETE", target))
    } catch {
      // It is gone already, which is what was wanted.
      guard error.status == 404 || error.status == 410 else { throw error }
    }
  }

  public func observation(of record: JSONValue, source: Observation.Source, at: Timestamp) -> Observation? {
    guard let id = record["id"]?.identifier, !id.isEmpty else { return nil }
    return Observation(
      key: RecordKey(side, RecordID(id)), record: record.withoutInvoicedTokens,
      version: record["updated_at"].flatMap { VersionForm.read($0)?.version }, source: source, seenAt: at)
  }

  public func misfits(in changes: [Assignment]) -> [Misfit] { InvoicedLimits.misfits(in: changes) }

  public func probe() async throws(ConnectorError) {
    let (_, body) = try await client.get(client.root.target(Self.collection, [(name: "per_page", value: "1")]))
    _ = try rows(body)
  }

  public func events(
    since: Timestamp, relatedTo id: RecordID?, type: String?
  ) async throws(ConnectorError) -> [JSONValue]? {
    var target: String? = firstEvents(since: since, relatedTo: id, type: type)
    var events: [JSONValue] = []
    var ids: Set<String> = []
    while let current = target {
      let (response, body) = try await client.get(current)
      guard let page = body.array else { throw .unreadable(side, "it is no list of events") }
      let fresh = page.filter { $0["id"]?.identifier.map { ids.insert($0).inserted } ?? true }
      events += fresh.filter { $0["type"]?.string?.hasPrefix("customer.") ?? false }.map(\.withoutInvoicedTokens)
      target = fresh.isEmpty ? nil : try next(after: current, response)
    }
    return events
  }

  public func eventPage(since: Timestamp, cursor: ListCursor?) async throws(ConnectorError) -> EventPage? {
    let target = cursor?.text ?? firstEvents(since: since, relatedTo: nil, type: nil)
    let (response, body) = try await client.get(target)
    guard let page = body.array else { throw .unreadable(side, "it is no list of events") }
    let next = page.isEmpty ? nil : try next(after: target, response)
    return EventPage(
      events: page.filter { $0["type"]?.string?.hasPrefix("customer.") ?? false }.map(\.withoutInvoicedTokens),
      next: next == target ? nil : next.map { ListCursor(text: $0) })
  }

  // MARK: Parts

  private func firstEvents(since: Timestamp, relatedTo id: RecordID?, type: String?) -> String {
    var query = [(name: "start_date", value: String(since.wholeSeconds)), (name: "sort", value: "id asc")]
    if let type { query.append((name: "filter[type]", value: type)) }
    if let id { query.append((name: "related_to", value: "customer,\(id)")) }
    query.append((name: "per_page", value: "100"))
    return client.root.target("/events", query)
  }

  private func target(of id: RecordID) throws(ConnectorError) -> String {
    client.root.target(Self.collection + "/" + (try id.pathSegment(side)))
  }

  private func firstPage(updatedSince: Timestamp?) -> String {
    var query: [(name: String, value: String)] = []
    // Strictly after, in whole seconds: the second before lets none of the same second slip. 0 would switch it off.
    if let since = updatedSince.map({ $0.wholeSeconds - 1 }), since > 0 {
      query = [(name: "updated_after", value: String(since)), (name: "sort", value: "updated_at asc")]
    }
    return client.root.target(Self.collection, query + [(name: "per_page", value: "100")])
  }

  private func page(_ target: String) async throws(ConnectorError) -> (rows: [Observation], next: String?) {
    let (response, body) = try await client.get(target)
    return (try rows(body), try next(after: target, response))
  }

  private func next(after target: String, _ response: HTTPResponse) throws(ConnectorError) -> String? {
    guard let link = LinkHeader.target("next", in: response.headers.all("Link")) else { return nil }
    return try client.target(ofNext: link, from: target)
  }

  private func rows(_ body: JSONValue) throws(ConnectorError) -> [Observation] {
    guard let records = body.array else { throw .unreadable(side, "it is no list of customers") }
    let now = client.now()
    return try records.observed(side, idAt: "id") { observation(of: $0, source: .listing, at: now) }
  }

  private func write(
    _ method: String, _ target: String, _ body: JSONValue, _ key: String
  ) async throws(ConnectorError) -> HTTPResponse {
    try await client.send(
      method, target, headers: ["Content-Type": "application/json", "Idempotency-Key": IdempotencyKey.valid(key)],
      body: body.serialized)
  }

  /// The record in a write's answer; nil for an answer that doesn't show it.
  private func observation(of answer: JSONValue?, repeating body: JSONValue) -> Observation? {
    guard let answer, answer.shows(body, besides: ["id", "updated_at"]) else { return nil }
    return observation(of: answer, source: .answer, at: client.now())
  }
}
