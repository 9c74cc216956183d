import JSON
import Mapping
import Sync

/// What a link remembers of our own writes, in one column: most links have none of it. Lists, with null for what isn't
/// there and a one-element list round what may be JSON's null.
extension Link {
  var memory: JSONValue? {
    if writes.isEmpty && overwritten.isEmpty && loops.isEmpty && late.isEmpty { return nil }
    let times = loops.sorted { $0.key < $1.key }.map { row, times in
      (key: row, value: JSONValue.array(times.map { .number(JSONNumber($0.milliseconds)) }))
    }
    return [
      .array(writes.map(\.stored)), .array(overwritten.map(\.stored)), .object(JSONObject(times)),
      .array(late.map(\.stored)),
    ]
  }

  mutating func recall(_ memory: JSONValue, _ row: Row, _ place: String) throws {
    let parts = memory.array ?? []
    guard parts.count == 4 else { throw Damage(what: place) }
    writes = try (parts[0].array ?? []).map { try row.needed(OwnWrite(stored: $0), place) }
    overwritten = try (parts[1].array ?? []).map { try row.needed(Overwritten(stored: $0), place) }
    late = try (parts[3].array ?? []).map { try row.needed(LateWrite(stored: $0), place) }
    for (key, value) in parts[2].object?.members ?? [] {
      loops[key] = (value.array ?? []).compactMap { $0.int64.map { Timestamp(milliseconds: $0) } }
    }
  }
}

extension JSONValue {
  fileprivate static func boxed(_ value: JSONValue?) -> JSONValue { .array(value.map { [$0] } ?? []) }
  fileprivate static func number(_ value: Int64?) -> JSONValue { value.map { .number(JSONNumber($0)) } ?? .null }
  fileprivate static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
  fileprivate var unboxed: JSONValue? { array?.first }
  fileprivate var side: Side? { string.flatMap { Side(rawValue: $0) } }
  fileprivate var path: JSONPath? { string.flatMap { JSONPath($0) } }
}

extension OwnWrite {
  fileprivate var stored: JSONValue {
    [
      .string(side.rawValue), .text(row), .string(path.description), .boxed(former), sent, .boxed(stands),
      .number(read?.nanoseconds), .number(left?.nanoseconds), .number(readAt.milliseconds), .bool(isGuarded),
      .array(recovered),
    ]
  }

  fileprivate init?(stored: JSONValue) {
    guard let parts = stored.array, parts.count == 11, let side = parts[0].side, let path = parts[2].path,
      let readAt = parts[8].int64, let isGuarded = parts[9].bool, let recovered = parts[10].array
    else { return nil }
    self.init(
      side: side, row: parts[1].string, path: path, former: parts[3].unboxed, sent: parts[4], stands: parts[5].unboxed,
      read: parts[6].int64.map { Version(nanoseconds: $0) }, left: parts[7].int64.map { Version(nanoseconds: $0) },
      readAt: Timestamp(milliseconds: readAt), isGuarded: isGuarded)
    self.recovered = recovered
  }
}

extension Overwritten {
  fileprivate var stored: JSONValue {
    [
      .string(side.rawValue), .text(row), .string(path.description), value, .array(over), .bool(isLast),
      .bool(isTaken),
    ]
  }

  fileprivate init?(stored: JSONValue) {
    guard let parts = stored.array, parts.count == 7, let side = parts[0].side, let path = parts[2].path,
      let over = parts[4].array, let isLast = parts[5].bool, let isTaken = parts[6].bool
    else { return nil }
    self.init(side: side, row: parts[1].string, path: path, value: parts[3], over: over, isLast: isLast)
    self.isTaken = isTaken
  }
}

extension LateWrite {
  fileprivate var stored: JSONValue {
    [.string(side.rawValue), .string(row), sent, .number(sentAt.milliseconds), .number(until.milliseconds)]
  }

  fileprivate init?(stored: JSONValue) {
    guard let parts = stored.array, parts.count == 5, let side = parts[0].side, let row = parts[1].string,
      let sentAt = parts[3].int64, let until = parts[4].int64
    else { return nil }
    self.init(
      side: side, row: row, sent: parts[2], sentAt: Timestamp(milliseconds: sentAt),
      until: Timestamp(milliseconds: until))
  }
}
