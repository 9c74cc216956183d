import HTTP
import JSON
import Mapping
import Sync

extension PMSConnector {
  public func create(_ record: JSONValue, idempotencyKey: String) async throws(ConnectorError) -> Written {
    let target = client.root.target(entity.create.path)
    let response = try await write(entity.create, target, record, etag: nil, idempotencyKey)
    let body = try body(of: response)
    let seen = observation(in: body.flatMap(unwrapped), repeating: record, response)
    // A receipt with the id alone may come without the envelope.
    let id =
      seen?.key.id ?? identifier(body.flatMap(unwrapped)) ?? identifier(body)
      ?? located(response, created: target)
    return Written(id: id, observation: seen)
  }

  public func update(
    _ changes: [Assignment], of base: Observation, idempotencyKey: String
  ) async throws(ConnectorError) -> Written {
    let target = try target(entity.update, base.key.id)
    let replaces = entity.update.method == .put
    var before: Observation?
    // What was seen without an ETag (a listing's row, a callback's record) may be overtaken by now.
    #if SABOTAGE
      let givesETags = givesETags && !Sabotage.breaks(.writesOnStaleReads)
    #endif
    if replaces || (base.etag == nil && givesETags) {
      switch try await fetch(base.key.id) {
      case .gone(let status): throw .refused(side, status: status, message: "", property: nil, retryAfter: nil)
      case .found(let fresh):
        let paths = changes.map(\.path)
        let isBasis =
          replaces
          ? fresh.carries(base, replacing: JSONPath([]), changing: paths) : fresh.agrees(with: base, at: paths)
        guard isBasis else { throw .overtaken(side) }
        before = fresh
      }
    }
    let from = before ?? base
    let body = replaces ? Self.whole(from.record, changes) : JSONValue.mergePatch(setting: changes, base: from.record)
    let response = try await write(entity.update, target, body, etag: from.etag, idempotencyKey)
    let sent = JSONValue.mergePatch(setting: changes, base: from.record)
    let seen = observation(in: try self.body(of: response).flatMap(unwrapped), repeating: sent, response)
    return Written(id: base.key.id, observation: seen?.key == base.key ? seen : nil, before: before)
  }

  private static func whole(_ record: JSONValue, _ changes: [Assignment]) -> JSONValue {
    var record = record
    for change in changes { record.set(change.value, at: change.path) }
    return record
  }

  private func write(
    _ call: PMSEntity.Call, _ target: String, _ record: JSONValue, etag: String?, _ key: String
  ) async throws(ConnectorError) -> HTTPResponse {
    var headers: HTTPHeaders = ["Content-Type": call.contentType]
    if let name = entity.idempotencyHeader { headers[name] = IdempotencyKey.valid(key) }
    #if SABOTAGE
      let etag = Sabotage.breaks(.writesOnStaleReads) ? nil : etag
    #endif
    if entity.etag, let etag { headers["If-Match"] = etag }
    let body = entity.envelope.map { .object(JSONObject([(key: $0, value: record)])) } ?? record
    return try await client.send(call.method.rawValue, target, headers: headers, body: body.serialized)
  }

  /// Nil for an answer without a body.
  private func body(of response: HTTPResponse) throws(ConnectorError) -> JSONValue? {
    response.body.isEmpty ? JSONValue?.none : try client.json(response)
  }

  /// The record in a write's answer; nil for an answer that doesn't show it.
  private func observation(
    in answer: JSONValue?, repeating sent: JSONValue, _ response: HTTPResponse
  ) -> Observation? {
    let receipt = [entity.id, entity.updatedAt].compactMap { path in
      if case .key(let key)? = path?.components.first { key } else { nil }
    }
    guard let answer, answer.shows(sent, besides: Set(receipt)) else { return nil }
    return observation(of: answer, source: .answer, response)
  }

  private func identifier(_ answer: JSONValue?) -> RecordID? {
    guard let id = answer?[entity.id]?.identifier, !id.isEmpty else { return nil }
    return RecordID(id)
  }

  /// The id that ends the new record's address; nil where the address is the collection's own, or none is given.
  private func located(_ response: HTTPResponse, created target: String) -> RecordID? {
    guard let location = response.headers["Location"],
      let there = try? client.root.target(of: location.trimmed, from: target)
    else { return nil }
    let path = there.prefix { $0 != "?" }
    guard path != target.prefix(while: { $0 != "?" }), let last = path.split(separator: "/").last else { return nil }
    return RecordID(PercentEncoding.decode(last))
  }
}
