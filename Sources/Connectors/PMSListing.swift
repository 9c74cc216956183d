import HTTP
import JSON
import Mapping
import Sync

extension PMSConnector {
  /// One answer of a listing or a search.
  struct Page {
    var rows: [Observation]
    var next: String?
    var total: Int?
  }

  public func list(
    updatedSince: Timestamp?, cursor: ListCursor?
  ) async throws(ConnectorError) -> ListPage {
    var place = cursor.flatMap { ListPlace($0) }
    if place == nil {
      var first = ListPlace(target: firstPage())
      if let updatedSince, let parameter = entity.list.updatedSince, let text = try await written(updatedSince) {
        first.target = Self.replacing(parameter, with: text, in: first.target)
      }
      place = first
    }
    guard var place else { return ListPage(items: [], next: nil) }
    let page = try await page(place.target)
    guard let next = page.next, !place.walk.repeats(page.rows) else {
      return ListPage(items: page.rows, next: nil, total: page.total)
    }
    place.target = next
    return ListPage(items: page.rows, next: place.cursor, total: page.total)
  }

  public func find(_ path: JSONPath, _ value: JSONValue) async throws(ConnectorError) -> [Observation] {
    guard let text = Search.text(value) else { return [] }
    let find = entity.find
    let inPath: KeyValuePairs = [
      "property": PercentEncoding.encode(path.description), "value": try text.pathSegment(side, as: "the value"),
    ]
    let inQuery: KeyValuePairs = ["property": path.description, "value": text]
    let query = find.query.map { parameter in
      (
        name: URLTemplate(text: parameter.name).expanded(inQuery),
        value: URLTemplate(text: parameter.value).expanded(inQuery)
      )
    }
    let first = client.root.target(URLTemplate(text: find.path).expanded(inPath), query)
    return try await Search.all(path, text, on: side, from: first) { (target) throws(ConnectorError) in
      let page = try await self.page(target, items: find.items, isSearch: true)
      return (page.rows, page.next)
    }
  }

  /// - Parameter rows: How many rows to ask for, where the style says so.
  func firstPage(rows: Int? = nil) -> String {
    let query: [(name: String, value: String)] =
      switch entity.list.pagination {
      case .page(let page, let size, let perPage): [(page, "1"), (size, String(rows ?? perPage))]
      case .offset(let offset, let limit, let perPage): [(offset, "0"), (limit, String(rows ?? perPage))]
      case .cursor, .link, .none: []
      }
    return client.root.target(entity.list.path, query)
  }

  func page(_ target: String) async throws(ConnectorError) -> Page {
    try await page(target, items: entity.list.items, isSearch: false)
  }

  private func page(_ target: String, items: JSONPath?, isSearch: Bool) async throws(ConnectorError) -> Page {
    let (response, body) = try await client.get(target)
    guard let records = items.map({ body[$0] }) ?? body, case .array(let raw) = records else {
      throw .unreadable(side, "it has no list" + (items.map { " at '\($0)'" } ?? ""))
    }
    let now = client.now()
    let rows = try raw.observed(side, idAt: entity.id.description) { row in
      // Rows may be wrapped one by one as a single record is.
      observation(of: row, source: .listing, at: now)
        ?? unwrapped(row).flatMap { observation(of: $0, source: .listing, at: now) }
    }
    let total = response.headers["X-Total-Count"].flatMap { Int($0.trimmed) }
    if raw.isEmpty { return Page(rows: rows, next: nil, total: total) }
    let next = try next(after: target, body, response, rows: raw.count, isSearch: isSearch)
    return Page(rows: rows, next: next, total: total)
  }

  private func next(
    after target: String, _ body: JSONValue, _ response: HTTPResponse, rows: Int, isSearch: Bool
  ) throws(ConnectorError) -> String? {
    // A search elsewhere than at the listing needn't know the listing's parameters.
    let isNumbered = !isSearch || entity.find.path == entity.list.path
    switch entity.list.pagination {
    case .page(let page, _, _):
      let number = Self.value(of: page, in: target).flatMap { Int($0) } ?? 1
      return isNumbered && number < Int.max ? Self.replacing(page, with: String(number + 1), in: target) : nil
    case .offset(let offset, _, _):
      let (sum, overflow) = (Self.value(of: offset, in: target).flatMap { Int($0) } ?? 0).addingReportingOverflow(rows)
      return isNumbered && !overflow ? Self.replacing(offset, with: String(sum), in: target) : nil
    case .cursor(let cursor, let path):
      guard let next = body[path]?.identifier, !next.isEmpty else { return nil }
      if Self.isLink(next) { return try client.target(ofNext: next, from: target) }
      return Self.replacing(cursor, with: next, in: target)
    case .link:
      guard let link = LinkHeader.target("next", in: response.headers.all("Link")) else { return nil }
      return try client.target(ofNext: link, from: target)
    case .none: return nil
    }
  }

  /// Some sides give the next page's whole address in place of a cursor.
  private static func isLink(_ next: String) -> Bool {
    let start = next.prefix(8).lowercased()
    return start.hasPrefix("http://") || start.hasPrefix("https://") || (next.hasPrefix("/") && next.contains("?"))
  }

  /// The moment in the form that the side uses, which its records show.
  private func written(_ moment: Timestamp) async throws(ConnectorError) -> String? {
    if entity.updatedAt != nil, versionForm == nil { _ = try await page(firstPage(rows: 1)) }
    return (versionForm ?? .rfc3339).text(of: moment)
  }

  // MARK: Query parameters of a target

  private static func value(of name: String, in target: String) -> String? {
    let key = PercentEncoding.encode(name) + "="
    return parameters(of: target).first { $0.hasPrefix(key) }.map { PercentEncoding.decode($0.dropFirst(key.count)) }
  }

  static func replacing(_ name: String, with value: String, in target: String) -> String {
    let key = PercentEncoding.encode(name) + "="
    let parameter = key + PercentEncoding.encode(value)
    var parameters = parameters(of: target).map(String.init)
    if let index = parameters.firstIndex(where: { $0.hasPrefix(key) }) {
      parameters[index] = parameter
    } else {
      parameters.append(parameter)
    }
    return target.prefix { $0 != "?" } + "?" + parameters.joined(separator: "&")
  }

  private static func parameters(of target: String) -> [Substring] {
    guard let mark = target.firstIndex(of: "?") else { return [] }
    return target[target.index(after: mark)...].split(separator: "&")
  }
}
