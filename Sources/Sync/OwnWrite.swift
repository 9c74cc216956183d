import JSON
import Mapping

/// What one settled push of ours wrote into one property: kept to tell an edit that it fell on (rule 18), and a value
/// that is pushed to and fro (rule 20).
public struct OwnWrite: Sendable, Hashable {
  public var side: Side
  /// The row's key; nil for Invoiced's metadata, which is written whole.
  public var row: String?
  public var path: JSONPath
  public var former: JSONValue?
  public var sent: JSONValue
  /// What stood there afterwards, in the side's own form.
  public var stands: JSONValue?
  /// The record's version as it was read before, and as the write left it or, of one without an answer, as it was seen
  /// next; nil where the side has none.
  public var read: Version?
  public var left: Version?
  public var readAt: Timestamp
  /// The side refuses a write on a stale read, so it can't have fallen on an edit.
  public var isGuarded: Bool
  /// Edits that it turned out to have fallen on.
  public var recovered: [JSONValue] = []

  public init(
    side: Side, row: String?, path: JSONPath, former: JSONValue?, sent: JSONValue, stands: JSONValue?, read: Version?,
    left: Version?, readAt: Timestamp, isGuarded: Bool
  ) {
    self.side = side
    self.row = row
    self.path = path
    self.former = former
    self.sent = sent
    self.stands = stands
    self.read = read
    self.left = left
    self.readAt = readAt
    self.isGuarded = isGuarded
  }
}

/// An edit that our write fell on, until it is decided (rule 18).
public struct Overwritten: Sendable, Hashable {
  public var side: Side
  /// The row's key; nil for a metadata key that no row maps.
  public var row: String?
  public var path: JSONPath
  /// The value that was edited in; null where the property was cleared.
  public var value: JSONValue
  /// Values of ours: where another one stands there now, the property was edited since.
  public var over: [JSONValue]
  /// Shown by our own write's event: nothing came between it and the write.
  public var isLast: Bool
  /// A person decided that it counts.
  public var isTaken = false

  public init(side: Side, row: String?, path: JSONPath, value: JSONValue, over: [JSONValue], isLast: Bool) {
    self.side = side
    self.row = row
    self.path = path
    self.value = value
    self.over = over
    self.isLast = isLast
  }
}

extension Link {
  /// How many writes are remembered of one property of one side, and of all.
  private static let mostWritesOfOne = 3
  private static let mostWrites = 24

  /// Remembers writes, and forgets the oldest.
  public mutating func remember(_ new: [OwnWrite]) {
    writes += new
    for write in new {
      let own = writes.indices.filter { writes[$0].side == write.side && writes[$0].path == write.path }
      if own.count > Self.mostWritesOfOne { writes.remove(at: own[0]) }
    }
    if writes.count > Self.mostWrites { writes.removeFirst(writes.count - Self.mostWrites) }
  }

  /// The rows in which a read shows, with the version of the read before it, something else than a write of ours that
  /// was seen there: what stood before the write, or anything after one that went unanswered and was seen late. It may
  /// lag behind, since within one tick of a side's clock versions don't tell.
  public func rowsFromBefore(_ seen: Observation, last: Observation, flow: Flow) -> [PropertyPair] {
    guard let version = seen.version, version == last.version else { return [] }
    let side = seen.key.side
    return flow.properties.filter { row in
      let (now, before) = (row.raw(on: side, in: seen.record), row.raw(on: side, in: last.record))
      if row.same(now, before, on: side) { return false }
      return lateWrites(of: row.key, on: side).contains { row.same(before, $0.sent, on: side) }
        || writes.contains { write in
          write.side == side && write.row == row.key && write.left == version && row.same(now, write.former, on: side)
        }
    }
  }

  /// Notes an edit that a write fell on; what our own write's event showed is not replaced by what others show.
  mutating func note(_ edit: Overwritten) {
    if let index = overwritten.firstIndex(where: { $0.side == edit.side && $0.path == edit.path }) {
      if overwritten[index].isLast && !edit.isLast { return }
      overwritten[index] = edit
    } else {
      overwritten.append(edit)
    }
  }
}

/// What an event shows of its record.
public struct ShownByEvent: Sendable {
  public var side: Side
  public var record: JSONValue
  /// The old values of what changed; nil where the side doesn't tell.
  public var previous: JSONValue?
  public var version: Version?
  public var receivedAt: Timestamp

  public init(side: Side, record: JSONValue, previous: JSONValue?, version: Version?, receivedAt: Timestamp) {
    self.side = side
    self.record = record
    self.previous = previous
    self.version = version
    self.receivedAt = receivedAt
  }

  /// Whether it tells of the first change of its record within a tick of Invoiced's clock: a read with its version was
  /// made after it.
  fileprivate var beganItsTick: Bool { previous?["updated_at"] != nil }

  /// Whether it tells of an edit of `row` from the one record's value to the other's.
  public func shows(_ row: PropertyPair, editedFrom before: JSONValue, to after: JSONValue) -> Bool {
    guard let previous = previous?[row.path(on: side)] else { return false }
    return row.same(previous, row.raw(on: side, in: before), on: side)
      && row.same(row.raw(on: side, in: record), row.raw(on: side, in: after), on: side)
  }
}

extension Planner {
  /// Finds, in an event of a target, edits that our writes there fell on, and notes them in the link (rule 18).
  public static func findOverwritten(in event: ShownByEvent, link: inout Link, flow: Flow) -> [Overwritten] {
    var found: [Overwritten] = []
    for index in link.writes.indices {
      let write = link.writes[index]
      guard write.side == event.side, !write.isGuarded, write.spans(event) else { continue }
      let properties: [Written]
      if let key = write.row {
        guard let row = flow.row(keyed: key) else { continue }
        properties = [Written(write, of: row, late: link.lateWrites(of: key, on: write.side))]
      } else {
        properties = Written.keys(of: write, beside: link.writes, event: event, flow: flow)
      }
      for property in properties {
        guard let (value, isLast) = property.overwritten(in: event, write) else { continue }
        let edit = Overwritten(
          side: write.side, row: property.key, path: property.path, value: value,
          over: property.own.compactMap { $0 ?? .null }, isLast: isLast)
        link.writes[index].recovered.append(property.key == nil ? [.string(property.name), value] : value)
        link.note(edit)
        found.append(edit)
      }
    }
    return found
  }
}

extension OwnWrite {
  /// Whether the event tells of the time between our read and our write.
  fileprivate func spans(_ event: ShownByEvent) -> Bool {
    guard let version = event.version else { return event.receivedAt >= readAt }
    // Of the very second of our read, but here long before it was made.
    if version == read, event.receivedAt < readAt.adding(.zero - Self.longestRead) { return false }
    return read.map { version >= $0 } ?? true && left.map { version <= $0 } ?? true
  }

  /// More than lies between a read's arrival at its side and the write that it led to.
  private static let longestRead: Duration = .seconds(60)
}

extension OwnWrite {
  /// Whether the event can be the one that our write set off: it has the version that we left and not the one that we
  /// read, and shows the metadata as we wrote it. An edit right before our read tells of a former value too.
  fileprivate func mayHaveCaused(_ event: ShownByEvent) -> Bool {
    if let version = event.version, let read, version == read, left != read { return false }
    return row != nil || event.record["metadata"] == sent
  }
}

/// One property of a write, and how its values are read and compared.
private struct Written {
  var key: String?
  var path: JSONPath
  var row: PropertyPair
  var former: JSONValue?
  /// What the write left there.
  var left: [JSONValue?]
  var recovered: [JSONValue]

  var own: [JSONValue?] { left + recovered.map(Optional.some) }

  init(_ write: OwnWrite, of row: PropertyPair, late: [LateWrite]) {
    key = row.key
    path = write.path
    self.row = row
    former = write.former
    left = [write.sent, write.stands] + late.map(\.sent)
    recovered = write.recovered
  }

  /// The metadata key.
  var name: String { if case .key(let name)? = path.components.last { name } else { "" } }

  private init(metadata key: String, former: JSONValue?, sent: JSONValue?, recovered: [JSONValue]) {
    path = JSONPath([.key("metadata"), .key(key)])
    row = PropertyPair(invoiced: path, pms: path, type: .any)
    self.former = former
    left = [sent]
    self.recovered = recovered
  }

  /// The keys of Invoiced's metadata that the event shows and no row of the write has.
  static func keys(of write: OwnWrite, beside writes: [OwnWrite], event: ShownByEvent, flow: Flow) -> [Written] {
    var names: [String] = []
    for map in [event.previous?["metadata"], event.record["metadata"]] {
      for member in map?.object?.members ?? [] where !names.contains(member.key) { names.append(member.key) }
    }
    return names.sorted { $0.precedes($1) }.compactMap { name in
      let property = Written(
        metadata: name, former: write.former?[name], sent: write.sent[name],
        recovered: write.recovered.compactMap { item in
          item.array.flatMap { $0.count == 2 && $0[0].string == name ? $0[1] : Optional.none }
        })
      let isSent = writes.contains {
        $0.row != nil && $0.side == write.side && $0.path == property.path && $0.readAt == write.readAt
      }
      return isSent || property.path == flow.reference(on: write.side) ? Optional.none : property
    }
  }

  private func isSame(_ a: JSONValue?, _ b: JSONValue?, _ side: Side) -> Bool {
    if row.same(a, b, on: side) { return true }
    guard let a = a?.identifier, let b = b?.identifier else { return false }
    return a.isIdentical(to: b)
  }

  /// The value that the write fell on, and whether the event is our write's own.
  func overwritten(in event: ShownByEvent, _ write: OwnWrite) -> (value: JSONValue, isLast: Bool)? {
    let side = event.side
    let shown = row.raw(on: side, in: event.record)
    let before = event.previous.flatMap { row.raw(on: side, in: $0) }
    func isOurs(_ value: JSONValue?) -> Bool { left.contains { isSame($0, value, side) } }
    func isNew(_ value: JSONValue?) -> Bool {
      !isOurs(value) && !isSame(value, former, side) && !recovered.contains { isSame($0, value, side) }
    }
    if let before, isOurs(shown) { return isNew(before) && write.mayHaveCaused(event) ? (before, true) : nil }
    guard let shown, isNew(shown) else { return nil }
    // Within one tick of the side's clock: an edit before our read, or after our write, was not overwritten.
    if let version = event.version, side == .invoiced {
      if version == write.read, before.map({ !isSame($0, former, side) }) ?? true || event.beganItsTick { return nil }
      if version == write.left, before.map({ isOurs($0) }) ?? false { return nil }
    }
    return (shown, false)
  }
}
