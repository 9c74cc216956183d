import HTTP
import JSON

extension InvoicedState {
  private static let parameters: Set<String> = [
    "page", "per_page", "sort", "updated_after", "updated_before", "advanced_filter", "payment_source", "open_balance",
    "balance", "owner", "paginate", "expand", "include", "exclude", "filter", "metadata", "silent",
  ]

  mutating func listCustomers(_ request: HTTPRequest, _ query: Query, now: Int64) throws(Refusal) -> Reply {
    let selection = try Self.selection(query)
    let order = Sorting(query["sort"] ?? "")
    let listing = Listing(request, query)
    // A `Link` leaves out the usual page size: the pages of one crawl share what is remembered of it all the same.
    let cacheKey = query.items.filter { $0.key != "page" && $0.key != "per_page" }.map { "\($0.key)=\($0.value)" }
      .joined(separator: "&")
    if order.terms.isEmpty {
      if listing.offset >= 10_000, !pages.hasCursor(cacheKey, page: listing.page, now: now) {
        throw .invalid("page", "Ask for the page before this one first")
      }
      pages.noteCursor(cacheKey, page: listing.page + 1, now: now)
    }

    let candidates = self.order[firstIndex(from: selection.lowestID)...]
    var rows: [Int64]
    let count: Int
    if selection.isWholeRange && order.terms.isEmpty {
      // Nothing to compare: a page out of a million is as quick as one out of ten.
      rows = Array(candidates.dropFirst(listing.offset).prefix(listing.perPage))
      count = candidates.count
    } else {
      var matching: [Int64]
      if let number = selection.number {
        matching = numbers[Self.folded(number)].map { [$0] } ?? []
        matching.removeAll { $0 < selection.lowestID || !fits($0, selection) }
      } else {
        matching = candidates.filter { fits($0, selection) }
      }
      if !order.terms.isEmpty {
        matching.sort { a, b in
          guard let x = customers[a]?.object, let y = customers[b]?.object else { return a < b }
          return order.precedes(x, y) ?? (a < b)
        }
      }
      count = matching.count
      rows = listing.slice(matching)
    }
    rows = faults.page(rows)
    var told: [JSONValue] = []
    for id in rows {
      guard let customer = customers[id] else { continue }
      let object = customer.former.flatMap { faults.readsStale(age: now - customer.changedAt) ? $0 : nil }
      told.append(.object(Self.shaped(object ?? customer.object, query)))
    }
    let total = pages.total(cacheKey, page: listing.page, counted: count, now: now)
    return listing.reply(page: told, total: total)
  }

  private func fits(_ id: Int64, _ selection: Selection) -> Bool {
    customers[id].map { customer in selection.conditions.allSatisfy { $0(customer) } } ?? false
  }

  /// `exclude` drops keys; what `include` and `expand` would add, a sandbox has nothing of.
  private static func shaped(_ object: JSONObject, _ query: Query) -> JSONObject {
    guard let excluded = query["exclude"] else { return object }
    let keys = Set(excluded.split(separator: ",").map(String.init))
    return JSONObject(object.members.filter { !keys.contains($0.key) })
  }

  private struct Selection {
    var lowestID: Int64 = 0
    /// An exact number that was asked for: found without a scan.
    var number: String?
    var conditions: [(InvoicedCustomer) -> Bool] = []
    var isWholeRange: Bool { conditions.isEmpty }
  }

  private static func selection(_ query: Query) throws(Refusal) -> Selection {
    var selection = Selection()
    for (key, value) in query.items {
      let name = String(key.prefix { $0 != "[" })
      guard parameters.contains(name) else { throw Refusal(400, "No such parameter: \(key)", param: "query") }
      switch name {
      case "filter":
        guard let field = Query.inner(key, of: name) else {
          throw Refusal(400, "filter[FIELD] expected", param: "query")
        }
        if field == "number" { selection.number = value }
        selection.conditions.append(try equality(field, value))
      case "metadata":
        // A key of other characters is passed over: then everything matches.
        guard let field = Query.inner(key, of: name), field.utf8.allSatisfy(isWord) else { continue }
        selection.conditions.append { $0.object["metadata"]?[field].map { same($0, value) } ?? false }
      case "updated_after":
        guard let after = Int64(value), after != 0 else { continue }
        selection.conditions.append { ($0.object["updated_at"]?.int64 ?? 0) > after }
      case "updated_before":
        guard let before = Int64(value), before != 0 else { continue }
        selection.conditions.append { ($0.object["updated_at"]?.int64 ?? 0) < before }
      case "owner":
        let wanted: JSONValue = Int64(value).flatMap { $0 == -1 ? nil : .number(JSONNumber($0)) } ?? .null
        selection.conditions.append { $0.object["owner_id"] == wanted }
      case "payment_source":
        selection.conditions.append { ($0.object["payment_source"]?.isNull ?? true) == (value == "0") }
      case "open_balance", "balance": selection.conditions.append { ($0.invoices > 0) == (value != "0") }
      case "advanced_filter": try advanced(value, &selection)
      default: break
      }
    }
    return selection
  }

  private static func equality(_ field: String, _ value: String) throws(Refusal) -> (InvoicedCustomer) -> Bool {
    if field.hasPrefix("metadata.") {
      let key = String(field.dropFirst("metadata.".count))
      return { $0.object["metadata"]?[key].map { same($0, value) } ?? false }
    }
    guard InvoicedField.filterable.contains(field) else {
      throw .invalid("filter", "Not to be filtered by: \(field)")
    }
    if field == "created_at" || field == "updated_at" {
      guard let time = Timestamp.parse(value), Int64(value) == nil else {
        throw .invalid("filter", "\(field): an ISO 8601 date expected")
      }
      return { $0.object[field]?.int64 == time / 1000 }
    }
    return { same($0.object[field] ?? .null, value) }
  }

  /// Text is compared without regard to case, as the database's collation does.
  private static func same(_ stored: JSONValue, _ wanted: String) -> Bool {
    switch stored {
    case .null: wanted.isEmpty
    case .bool(let flag): wanted == (flag ? "1" : "0")
    case .number(let number): number.text == wanted || (Double(number.text) == Double(wanted) && Int64(wanted) == nil)
    case .string(let text): text.utf8.elementsEqual(wanted.utf8) || text.lowercased() == wanted.lowercased()
    case .array, .object: false
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte || byte == 0x5F || byte == 0x2D
  }

  private static func advanced(_ text: String, _ selection: inout Selection) throws(Refusal) {
    guard let items = (try? JSONValue(parsing: text))?.array else {
      throw .invalid("advanced_filter", "advanced_filter: a JSON array expected")
    }
    for item in items {
      guard let field = item["field"]?.string, let operation = item["operator"]?.string else {
        throw .invalid("advanced_filter", "advanced_filter: field and operator expected")
      }
      guard InvoicedField.filterable.contains(field) || field.hasPrefix("metadata.") else {
        throw .invalid("advanced_filter", "Not to be filtered by: \(field)")
      }
      let wanted = item["value"] ?? .null
      if field == "id", operation == ">" || operation == ">=", let text = wanted.identifier, let id = Int64(text),
        id < .max
      {
        selection.lowestID = max(selection.lowestID, operation == ">" ? id + 1 : id)
        continue
      }
      let path = JSONPath(field.split(separator: ".", maxSplits: 1).map { .key(String($0)) })
      guard let test = Comparison(rawValue: operation) else {
        throw .invalid("advanced_filter", "No such operator: \(operation)")
      }
      selection.conditions.append { test.holds(JSONValue.object($0.object)[path] ?? .null, wanted) }
    }
  }
}

/// The operators of `advanced_filter`.
private enum Comparison: String {
  case equal = "=", unequal = "<>", atLeast = ">=", greater = ">", less = "<", atMost = "<="
  case starts = "starts_with", ends = "ends_with", contains, lacks = "not_contains", empty, filled = "not_empty"

  func holds(_ stored: JSONValue, _ wanted: JSONValue) -> Bool {
    let text = Self.text(stored)
    let other = Self.text(wanted)
    return switch self {
    case .equal: text == other
    case .unequal: text != other
    case .atLeast: Self.order(text, other) >= 0
    case .greater: Self.order(text, other) > 0
    case .less: Self.order(text, other) < 0
    case .atMost: Self.order(text, other) <= 0
    case .starts: text.hasPrefix(other)
    case .ends: text.hasSuffix(other)
    case .contains: text.contains(other)
    case .lacks: !text.contains(other)
    case .empty: text.isEmpty
    case .filled: !text.isEmpty
    }
  }

  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .null: ""
    case .bool(let flag): flag ? "1" : "0"
    case .number(let number): number.text
    case .string(let text): text.lowercased()
    case .array, .object: value.text
    }
  }

  private static func order(_ a: String, _ b: String) -> Int {
    if let x = Int64(a), let y = Int64(b) { return x < y ? -1 : x == y ? 0 : 1 }
    if let x = Double(a), let y = Double(b) { return x < y ? -1 : x == y ? 0 : 1 }
    return a < b ? -1 : a == b ? 0 : 1
  }
}

/// `field asc, field desc`: a term without its direction, or of an unknown field, is silently dropped.
private struct Sorting {
  let terms: [(field: String, isAscending: Bool)]

  init(_ text: String) {
    terms = text.split(separator: ",").compactMap { term in
      let words = term.split(separator: " ").map(String.init)
      guard words.count == 2, InvoicedField.filterable.contains(words[0]) else { return nil }
      switch words[1].lowercased() {
      case "asc": return (words[0], true)
      case "desc": return (words[0], false)
      default: return nil
      }
    }
  }

  /// Nil when every term ties.
  func precedes(_ a: JSONObject, _ b: JSONObject) -> Bool? {
    for (field, isAscending) in terms {
      let order = Self.order(a[field] ?? .null, b[field] ?? .null)
      if order != 0 { return isAscending ? order < 0 : order > 0 }
    }
    return nil
  }

  private static func order(_ a: JSONValue, _ b: JSONValue) -> Int {
    switch (a, b) {
    case (.null, .null): 0
    case (.null, _): -1
    case (_, .null): 1
    case (.number(let x), .number(let y)):
      if let x = x.int64, let y = y.int64 { x < y ? -1 : x == y ? 0 : 1 } else { order(Double(x.text), Double(y.text)) }
    case (.bool(let x), .bool(let y)): x == y ? 0 : x ? 1 : -1
    case (.string(let x), .string(let y)): order(x.lowercased(), y.lowercased())
    default: 0
    }
  }

  private static func order<Value: Comparable>(_ a: Value, _ b: Value) -> Int { a < b ? -1 : a == b ? 0 : 1 }
  private static func order(_ a: Double?, _ b: Double?) -> Int { order(a ?? 0, b ?? 0) as Int }
}
