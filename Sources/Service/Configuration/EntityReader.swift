import Connectors
import Documents
import JSON
import Mapping

/// Reads `pms.entities`: what the PMS's REST API calls things.
struct EntityReader {
  let problems: ProblemList

  /// The one entity of `entities`.
  func entity(among keys: KeyedReader) -> (name: String, entity: PMSEntity) {
    let name = keys.keys.first ?? "customer"
    if keys.keys.count > 1 {
      problems.error(
        at: keys.position(of: keys.keys[1]),
        "\(keys.name) has \(keys.keys.count) entities, and one is supported for now",
        advice: "keep '\(name)', and remove the others")
    }
    return (name, keys.section(name).map(entity) ?? PMSEntity())
  }

  private func entity(_ keys: KeyedReader) -> PMSEntity {
    let entity = PMSEntity(
      id: keys.jsonPath("id", JSONPath([.key("id")])),
      updatedAt: keys.optionalPath("updated_at", JSONPath([.key("updated_at")])),
      etag: keys.boolean("etag") ?? true,
      idempotencyHeader: keys.headerName("idempotency_header", "Idempotency-Key"),
      envelope: keys.optionalText("envelope", nil),
      list: list(keys), find: find(keys),
      get: call(keys, "get", .get, path: "/customers/{id}", methods: []),
      create: call(keys, "create", .post, path: "/customers", methods: [.post, .put]),
      update: call(keys, "update", .patch, path: "/customers/{id}", methods: [.patch, .put, .post]),
      delete: call(keys, "delete", .delete, path: "/customers/{id}", methods: [.delete, .post]))
    keys.finish()
    return entity
  }

  /// A call without methods to choose from has only a path.
  private func call(
    _ keys: KeyedReader, _ key: String, _ method: PMSEntity.Method, path: String,
    methods: [PMSEntity.Method]
  ) -> PMSEntity.Call {
    var call = PMSEntity.Call(method, path)
    guard let section = keys.section(key, advice: "write '\(key): { path: \"\(path)\" }'") else { return call }
    if !methods.isEmpty, let node = section.optional("method") {
      if let written = node.text.flatMap({ PMSEntity.Method(rawValue: $0.uppercased()) }),
        methods.contains(written)
      {
        call.method = written
      } else {
        section.refuse(node, key: "method", allowed: methods.map(\.rawValue))
      }
    }
    if key == "create" || key == "update" { call.contentType = contentType(section) ?? call.contentType }
    call.path = urlPath(section, path, needsID: path.contains("{id}"))
    section.finish()
    return call
  }

  private func contentType(_ keys: KeyedReader) -> String? {
    guard let node = keys.optional("content_type"), let text = keys.text(of: node, key: "content_type") else {
      return nil
    }
    guard !text.isEmpty, text.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
      problems.error(
        at: node.position, "\(keys.name): 'content_type' must be a header's value, and is \(node.kind)",
        advice: "write it like application/json")
      return nil
    }
    return text
  }

  private func urlPath(_ keys: KeyedReader, _ standard: String, needsID: Bool) -> String {
    guard let node = keys.optional("path"), let text = keys.text(of: node, key: "path") else { return standard }
    if !text.hasPrefix("/") || text.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value >= 0x7F }) {
      problems.error(
        at: node.position, "\(keys.name): 'path' must begin with a slash and hold no blanks, and is \(node.kind)",
        advice: "write the path below pms.url, such as '\(standard)'")
      return standard
    }
    if needsID, !text.contains("{id}") {
      problems.error(
        at: node.position, "\(keys.name): 'path' has no {id}, which stands for the record's id",
        advice: "write it like '\(standard)'")
    }
    if !needsID, text.contains("{id}") {
      problems.error(
        at: node.position, "\(keys.name): 'path' has {id}, and no record's id is known there",
        advice: "write it like '\(standard)'")
    }
    return text
  }

  private func list(_ keys: KeyedReader) -> PMSEntity.List {
    let standard = PMSEntity.List()
    guard let section = keys.section("list") else { return standard }
    let list = PMSEntity.List(
      path: urlPath(section, standard.path, needsID: false), items: section.optionalPath("items", standard.items),
      pagination: pagination(section), updatedSince: section.optionalText("updated_since", standard.updatedSince))
    section.finish()
    return list
  }

  private static let standardPagination = PMSEntity.List().pagination

  private enum Style: String, CaseIterable { case page, offset, cursor, link, none }

  private func pagination(_ list: KeyedReader) -> Pagination {
    guard let node = list.optional("pagination") else { return Self.standardPagination }
    // A style that takes nothing may be written as a word alone.
    if node.text != nil {
      switch list.choice("pagination", Style.self) {
      case .link: return .link
      case EntityReader.Style.none?: return .none
      case .cursor:
        problems.error(
          at: node.position, "\(list.name): pagination by cursor needs 'next'",
          advice: "write 'pagination: { style: cursor, cursor: cursor, next: PATH }'")
        return .none
      case .offset: return .offset(offset: "offset", limit: "limit", perPage: 100)
      case .page, nil: return Self.standardPagination
      }
    }
    guard let keys = list.section("pagination") else { return Self.standardPagination }
    defer { keys.finish() }
    switch keys.choice("style", Style.self) ?? .page {
    case .page:
      return .page(
        page: keys.text("page") ?? "page", size: keys.text("size") ?? "per_page",
        perPage: keys.integer("per_page", least: 1) ?? 100)
    case .offset:
      return .offset(
        offset: keys.text("offset") ?? "offset", limit: keys.text("limit") ?? "limit",
        perPage: keys.integer("per_page", least: 1) ?? 100)
    case .cursor:
      let cursor = keys.text("cursor") ?? "cursor"
      guard keys.required("next", advice: "write where an answer holds the next cursor: 'next: PATH'") != nil,
        let next = keys.optionalPath("next", nil)
      else { return .none }
      return .cursor(cursor: cursor, next: next)
    case .link: return .link
    case .none: return .none
    }
  }

  private func find(_ keys: KeyedReader) -> PMSEntity.Find {
    let standard = PMSEntity.Find()
    guard let section = keys.section("find") else { return standard }
    let find = PMSEntity.Find(
      path: urlPath(section, standard.path, needsID: false), query: query(section) ?? standard.query,
      items: section.optionalPath("items", standard.items))
    section.finish()
    if !find.path.contains("{value}"), !find.query.contains(where: { $0.value.contains("{value}") }) {
      problems.error(
        at: section.position, "\(section.name): nothing holds {value}, so that every search would find the same",
        advice: "write 'query: { \"{property}\": \"{value}\" }'")
    }
    return find
  }

  private func query(_ keys: KeyedReader) -> [PMSEntity.Find.Parameter]? {
    guard let node = keys.optional("query") else { return nil }
    guard let members = node.members else {
      problems.error(
        at: node.position, "\(keys.name): 'query' must be a mapping of parameters to values, and is \(node.kind)",
        advice: "write 'query: { \"{property}\": \"{value}\" }'")
      return nil
    }
    return members.compactMap { member in
      keys.text(of: member.value, key: member.key).map { .init(name: member.key, value: $0) }
    }
  }
}
