import JSON
import Mapping

/// Which flow a linked pair belongs to, now that both records were seen (rule 23).
public enum Belonging: Sendable, Hashable {
  /// Nothing changed.
  case stays(Flow)
  /// It came to fit another flow; where a side doesn't fit that one yet, it is sent its constants.
  case moves(Flow, follower: Side?)
  /// The two sides fit different flows, or no single value would make one follow.
  case conflict(basis: String, why: String)
  /// The record of this side fits no flow any more.
  case leaves(Side)
  /// The link's flow is gone from the mapping, and no other fits.
  case orphaned
}

extension Mapping {
  /// The flow that a linked record fits: the first one whose conditions on that side hold. A flow without conditions
  /// there says nothing of a record, unless the link is its own or no other one fits.
  public func flow(fitting record: JSONValue, on side: Side, linkedIn current: String) -> Flow? {
    let fitting = flows.filter { $0.covers(record, on: side) }
    return fitting.first { !$0.side(side).conditions.isEmpty || $0.name.isIdentical(to: current) }
      ?? fitting.first
  }
}

extension Planner {
  public static func belonging(of link: Link, invoiced: JSONValue, pms: JSONValue, in mapping: Mapping) -> Belonging {
    let current = mapping.flow(named: link.flow)
    let mine = mapping.flow(fitting: invoiced, on: .invoiced, linkedIn: link.flow)
    let its = mapping.flow(fitting: pms, on: .pms, linkedIn: link.flow)
    if let current, mine?.name == current.name, its?.name == current.name { return .stays(current) }
    guard let mine else {
      guard its != nil || current != nil else { return .orphaned }
      return current == nil ? .orphaned : .leaves(.invoiced)
    }
    guard let its else { return follow(mine, on: .pms, pms, isFree: current == nil) ?? .leaves(.pms) }
    if mine.name == its.name { return .moves(mine, follower: nil) }
    // The record that is where it was follows the one that left.
    if its.name == current?.name { return follow(mine, on: .pms, pms, isFree: true) ?? .leaves(.pms) }
    if mine.name == current?.name { return follow(its, on: .invoiced, invoiced, isFree: true) ?? .leaves(.invoiced) }
    return .conflict(
      basis: "\(mine.name) | \(its.name)",
      why: "Invoiced's record fits flow \(mine.name) and the PMS's fits flow \(its.name)")
  }

  /// The record of `side` is to follow into `flow`; nil where it went its own way.
  private static func follow(_ flow: Flow, on side: Side, _ record: JSONValue, isFree: Bool) -> Belonging? {
    guard isFree else { return nil }
    var moved = record
    for constant in flow.constants(on: side) { moved.set(constant.value, at: constant.path) }
    guard flow.covers(moved, on: side) else {
      return .conflict(
        basis: "\(flow.name) on \(side.rawValue)",
        why:
          "\(side.other.title)'s record came to fit flow \(flow.name), and no single value lets \(side.title)'s follow")
    }
    return .moves(flow, follower: side)
  }
}
