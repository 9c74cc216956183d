import HTTP
import JSON

/// One page of a list as Invoiced pages: clamped `per_page`, `X-Total-Count`, `Link`.
struct Listing {
  let page: Int
  let perPage: Int
  private let request: HTTPRequest
  private let query: Query

  init(_ request: HTTPRequest, _ query: Query) {
    self.request = request
    self.query = query
    page = min(max(1, query.integer("page") ?? 1), 1_000_000_000)
    perPage = min(100, max(1, query.integer("per_page") ?? 100))
  }

  var offset: Int { (page - 1) * perPage }

  func slice<Rows: RandomAccessCollection>(_ rows: Rows) -> [Rows.Element] where Rows.Index == Int {
    Array(rows.dropFirst(offset).prefix(perPage))
  }

  func slice<Row>(_ rows: ReversedCollection<[Row]>) -> [Row] { Array(rows.dropFirst(offset).prefix(perPage)) }

  func reply(_ rows: [JSONValue]) -> Reply { reply(page: slice(rows), total: rows.count) }

  func reply(page rows: [JSONValue], total: Int) -> Reply {
    if query["paginate"] == "none" { return (200, .array(rows), [:]) }
    return (200, .array(rows), ["X-Total-Count": String(total), "Link": links(total: total)])
  }

  private func links(total: Int) -> String {
    let last = max(1, (total + perPage - 1) / perPage)
    var links = [(page, "self"), (1, "first")]
    if page > 1 { links.append((page - 1, "previous")) }
    if page < last { links.append((page + 1, "next")) }
    links.append((last, "last"))
    return links.map { "<\(address(of: $0.0))>; rel=\"\($0.1)\"" }.joined(separator: ", ")
  }

  private func address(of page: Int) -> String {
    var parts = query.items.filter { $0.key != "page" && $0.key != "per_page" }
      .map { "\(Query.encode($0.key))=\(Query.encode($0.value))" }
    parts.append("page=\(page)")
    if perPage != 100 { parts.append("per_page=\(perPage)") }
    return "http://\(request.headers["Host"] ?? "localhost")\(request.path)?\(parts.joined(separator: "&"))"
  }
}

/// What Invoiced remembers of a crawl for five minutes: totals, and which pages may be asked for next.
struct PageCache: Sendable {
  private let lifetime: Int64 = 300_000
  private var totals: [String: (total: Int, at: Int64)] = [:]
  private var cursors: [String: Int64] = [:]

  /// The total as it is told: counted anew on page 1, else perhaps of some minutes ago.
  mutating func total(_ key: String, page: Int, counted: Int, now: Int64) -> Int {
    if page > 1, let known = totals[key], now - known.at < lifetime { return known.total }
    if totals.count > 1000 { totals = totals.filter { now - $0.value.at < lifetime } }
    totals[key] = (counted, now)
    return counted
  }

  mutating func noteCursor(_ key: String, page: Int, now: Int64) {
    if cursors.count > 10_000 { cursors = cursors.filter { now - $0.value < lifetime } }
    cursors["\(page) \(key)"] = now
  }

  func hasCursor(_ key: String, page: Int, now: Int64) -> Bool {
    cursors["\(page) \(key)"].map { now - $0 < lifetime } ?? false
  }
}
