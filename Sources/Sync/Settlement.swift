import JSON
import Mapping

/// What a push's answer, or a later look at the target, says of the properties that were sent (rules 9 and 12).
public struct Settlement: Sendable, Hashable {
  /// Rows that are agreed now, each with the side's own form.
  public var agreed: [String: AgreedPair] = [:]
  /// Rows, and references, where the former value still stands: refused, unless a second look after `confirm` says
  /// otherwise. Of a create, nothing stands: the row isn't agreed, and goes again as an update.
  public var refused: [Push.Property] = []
  /// Rows where the target has a value of its own: its edit, which goes to the source.
  public var ownEdits: [Push.Property] = []
  /// Rows that were not taken: planned again.
  public var notTaken: [Push.Property] = []

  public init() {}
}

extension Planner {
  /// Judges the answer to a push for each property that was sent.
  public static func settle(_ push: Push, answer: JSONValue, flow: Flow) -> Settlement {
    var result = Settlement()
    for property in push.properties {
      guard let row = flow.row(keyed: property.row) else {
        switch push.action {
        case .reference: settleReference(property, answered: answer[property.path], into: &result)
        case .update: settleUnmapped(property, answered: answer[property.path], on: push.side, into: &result)
        case .create, .delete: break
        }
        continue
      }
      let answered = row.raw(on: push.side, in: answer)
      if row.taken(property, answered: answered, on: push.side) {
        result.agreed[row.key] = row.pair(of: property, target: answered, on: push.side)
      } else if row.same(answered, property.former, on: push.side) {
        result.refused.append(property)
      } else {
        // Agreed is what was sent: the target's value then differs from its half, as any edit does.
        result.agreed[row.key] = row.pair(of: property, target: property.sent, on: push.side)
        result.ownEdits.append(property)
      }
    }
    if push.action == .create { settleUnsent(push, answer: answer, flow: flow, into: &result) }
    return result
  }

  /// A constant, or a value that was put back.
  private static func settleUnmapped(
    _ property: Push.Property, answered: JSONValue?, on side: Side, into result: inout Settlement
  ) {
    let row = PropertyPair(invoiced: property.path, pms: property.path, type: .any)
    if row.taken(property, answered: answered, on: side) { return }
    if row.same(answered, property.former, on: side) {
      result.refused.append(property)
    } else {
      result.ownEdits.append(property)
    }
  }

  private static func settleReference(
    _ property: Push.Property, answered: JSONValue?, into result: inout Settlement
  ) {
    if let id = answered?.identifier, id == property.sent.identifier { return }
    let (answered, former) = (answered ?? .null, property.former ?? .null)
    if answered == former || answered.isBlank && former.isBlank {
      result.refused.append(property)
    } else {
      result.ownEdits.append(property)
    }
  }

  /// A row for which nothing was sent on create and which the target filled by itself (a generated number) is its edit.
  private static func settleUnsent(_ push: Push, answer: JSONValue, flow: Flow, into result: inout Settlement) {
    let sent = Set(push.properties.compactMap(\.row))
    // A row that only the new record feeds is left out: to it this is a first link.
    for row in flow.rows(from: push.source.side) where !sent.contains(row.key) {
      var pair = AgreedPair(invoiced: nil, pms: nil, fingerprint: row.fingerprint)
      // A copy that its target filled: there is nothing on the source to put in its place.
      if row.direction != .both { pair[push.side] = row.raw(on: push.side, in: answer) }
      result.agreed[row.key] = pair
    }
  }

  /// Settles an update that was never answered, by a later look at its target: the former value means not taken;
  /// the sent one, or one near it, taken; any other, that both changed (rule 12).
  public static func settleUnanswered(_ push: Push, seen: JSONValue, flow: Flow) -> Settlement {
    var result = Settlement()
    for property in push.properties {
      guard let row = flow.row(keyed: property.row) else {
        var looked = Settlement()
        if push.action == .reference {
          settleReference(property, answered: seen[property.path], into: &looked)
        } else {
          settleUnmapped(property, answered: seen[property.path], on: push.side, into: &looked)
        }
        result.notTaken += looked.refused
        result.ownEdits += looked.ownEdits
        continue
      }
      let present = row.raw(on: push.side, in: seen)
      if row.same(present, property.sent, on: push.side) {
        result.agreed[row.key] = row.pair(of: property, target: present, on: push.side)
      } else if row.same(present, property.former, on: push.side) {
        result.notTaken.append(property)
      } else if row.isNear(sent: property.sent, answered: present, on: push.side) {
        result.agreed[row.key] = row.pair(of: property, target: present, on: push.side)
      } else {
        result.ownEdits.append(property)
      }
    }
    return result
  }

  /// Notes, for `newest`, when each row's present value was edited (rule 8).
  /// - Parameters:
  ///   - shown: What events in hand show of the record since the previous observation, the newest first.
  ///   - own: The rows that our own push set: its version never counts.
  public static func noteEdits(
    _ link: inout Link, flow: Flow, previous: JSONValue?, now observation: Observation, shown: [Observation] = [],
    clockOffset: Duration, own: Set<String> = []
  ) {
    let side = observation.key.side
    for row in flow.properties where !own.contains(row.key) {
      let value = row.raw(on: side, in: observation.record)
      if let agreed = link.agreed[row.key], !agreed.isBaseOnly, row.same(value, agreed[side], on: side) {
        link.setEdit(nil, of: row.key, on: side)
        continue
      }
      if let previous, row.same(value, row.raw(on: side, in: previous), on: side),
        link.edits(on: side)[row.key] != nil
      {
        continue
      }
      // The first of those that show this very value.
      let first = shown.prefix { row.same(value, row.raw(on: side, in: $0.record), on: side) }.last ?? observation
      let at: Timestamp
      if first.source != .answer, let version = first.version {
        at = version.timestamp.adding(.zero - clockOffset)
      } else {
        at = first.seenAt
      }
      link.setEdit(Edit(at: at, value: value), of: row.key, on: side)
    }
  }
}

extension Flow {
  public func row(keyed key: String?) -> PropertyPair? { properties.first { $0.key == key } }
}

extension PropertyPair {
  /// What a push makes agreed. Where it was written down under other converters than the row has now, the pair says
  /// so, and is planned anew (rule 23).
  func pair(of property: Push.Property, target: JSONValue?, on side: Side) -> AgreedPair {
    let now = try? translated(from: side.other, raw: property.source)
    let isPresent = now.map { same($0, property.sent, on: side) } ?? false
    var pair = AgreedPair(invoiced: nil, pms: nil, fingerprint: isPresent ? fingerprint : pathFingerprint + "-")
    pair[side] = target
    #if SABOTAGE
      if Sabotage.breaks(.agreesWhatWasSent) { pair[side] = property.sent }
    #endif
    pair[side.other] = property.source
    return pair
  }

  /// The same meaning as what was sent, or near it.
  func taken(_ property: Push.Property, answered: JSONValue?, on side: Side) -> Bool {
    same(answered, property.sent, on: side) || isNear(sent: property.sent, answered: answered, on: side)
  }
}

extension Link {
  /// Takes agreed pairs over; edits that led to them are settled, a later one isn't.
  public mutating func agree(_ pairs: [String: AgreedPair]) {
    for (row, pair) in pairs {
      agreed[row] = pair
      if pair.isBaseOnly { continue }
      for side in Side.allCases where edits(on: side)[row]?.value == pair[side] { setEdit(nil, of: row, on: side) }
    }
  }
}
