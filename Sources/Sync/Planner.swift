import JSON
import Mapping

/// Decides what one link needs: a pure function of flow, link and observations (rules 7, 8, 13, 16, 20 and 23).
public enum Planner {
  /// Edits this close together can't be told apart: Invoiced's clock has whole seconds (rule 8).
  public static let tie: Duration = .seconds(2)

  public static func plan(_ input: PlanInput) -> Plan {
    var plan = Plan()
    var known = 0
    for row in input.flow.properties {
      let agreed = input.link.agreed[row.key]
      let invoiced = row.raw(on: .invoiced, in: input.invoiced)
      let pms = row.raw(on: .pms, in: input.pms)
      if let agreed {
        known += 1
        // Most rows of most plans: nothing else is looked at.
        if agreed.stands(row, invoiced: invoiced, pms: pms), input.link.overwritten.isEmpty { continue }
      }
      do throws(Misfit) {
        try RowPlanner(row: row, input: input, agreed: agreed, invoiced: invoiced, pms: pms).decide(into: &plan)
      } catch {
        var parked = Plan()
        parked.misfit = error
        return parked
      }
    }
    if known < input.link.agreed.count {
      let keys = Set(input.flow.properties.map(\.key))
      plan.dropped = input.link.agreed.keys.filter { !keys.contains($0) }.sorted()
    }
    restore(input, into: &plan)
    constants(input, into: &plan)
    for side in Side.allCases { references(input, on: side, into: &plan) }
    if input.flow.live < .updates {
      plan.heldBack = plan.toInvoiced.count + plan.toPMS.count + plan.references.count
      plan.toInvoiced = []
      plan.toPMS = []
      plan.references = [:]
    }
    return plan
  }

  /// A metadata key that no row maps, and that our write changed by falling on an edit, is put back (rule 18).
  private static func restore(_ input: PlanInput, into plan: inout Plan) {
    for lost in input.link.overwritten where lost.row == nil {
      let present = input.record(on: lost.side)[lost.path]
      let isOurs = lost.over.contains { same($0, present) }
      guard isOurs, !same(lost.value, present) else {
        plan.settledOverwrites.append(lost)
        continue
      }
      plan.addUnmapped(
        lost.path, lost.value, over: present, to: lost.side, rule: 18,
        "our write fell on an edit of it that had not been seen: it is put back", input)
    }
  }

  /// The other side's record follows into the flow (rule 23).
  private static func constants(_ input: PlanInput, into plan: inout Plan) {
    let side = input.constantsSide
    for constant in input.constants {
      let isCarried = input.flow.rows(from: side.other).contains { $0.path(on: side) == constant.path }
      let present = input.record(on: side)[constant.path]
      guard !isCarried, !(present ?? .null).means(constant.value) else { continue }
      plan.addUnmapped(
        constant.path, constant.value, over: present, to: side, rule: 23,
        "\(side.other.title)'s record came to fit flow \(input.flow.name)", input)
    }
  }

  private static func same(_ a: JSONValue?, _ b: JSONValue?) -> Bool {
    let (a, b) = (a ?? .null, b ?? .null)
    if a == b || a.isBlank && b.isBlank { return true }
    // Metadata is read back as text, whatever it was written as.
    guard let a = a.identifier, let b = b.identifier else { return false }
    return a.isIdentical(to: b)
  }

  /// Where a record doesn't carry the other's id yet, it is written there.
  private static func references(_ input: PlanInput, on side: Side, into plan: inout Plan) {
    #if SABOTAGE
      if Sabotage.breaks(.forgetsReferences) { return }
    #endif
    guard let path = input.flow.reference(on: side) else { return }
    let other = side == .invoiced ? input.pmsID : input.invoicedID
    let present = input.record(on: side)[path]
    guard present?.identifier.map({ RecordID($0) }) != input.link.id(on: side.other) else { return }
    // Invoiced's metadata is text.
    let value: JSONValue = side == .invoiced ? .string(input.link.pms.text) : other
    let property = Push.Property(row: nil, path: path, former: present, sent: value, source: other)
    if input.isRefused(property.holdKey, sent: value, present: present) {
      plan.held.append(property.holdKey)
      return
    }
    plan.references[side] = Plan.Change(
      row: nil, path: path, value: value, former: present, source: other, lost: nil, rule: 12,
      sentence: "the id of \(side.other.title)'s record is kept on \(side.title)'s")
  }

  /// What a refusal was about: while the same value would be sent against the same one, it isn't sent again.
  public static func refusalBasis(sent: JSONValue, present: JSONValue?) -> String {
    "\(sent.text) over \(present?.text ?? "nothing")"
  }
}

extension AgreedPair {
  /// Whether both values stand as they were agreed under the very row.
  func stands(_ row: PropertyPair, invoiced: JSONValue?, pms: JSONValue?) -> Bool {
    guard !isBaseOnly, fingerprint == row.fingerprint, self.invoiced == invoiced, self.pms == pms else { return false }
    // A value beside nothing may be what a copy's side had filled in while the row was one-way. Where it still is one,
    // that stays.
    let isGap = (invoiced: (invoiced ?? .null).isBlank, pms: (pms ?? .null).isBlank)
    return isGap.invoiced == isGap.pms || row.onlySource.map { $0 == .invoiced ? isGap.invoiced : isGap.pms } ?? false
  }
}

extension PlanInput {
  /// Whether the target refused this very value over this very one.
  func isRefused(_ key: String, sent: JSONValue, present: JSONValue?) -> Bool {
    let refusals = holds.filter { $0.cause == .refused && $0.row == key }
    if refusals.isEmpty { return false }
    let basis = Planner.refusalBasis(sent: sent, present: present)
    return refusals.contains { $0.basis == basis }
  }
}

extension Plan {
  /// A value that stands for no row; one that the side refused isn't sent again.
  mutating func addUnmapped(
    _ path: JSONPath, _ value: JSONValue, over present: JSONValue?, to side: Side, rule: Int, _ sentence: String,
    _ input: PlanInput
  ) {
    if input.isRefused(path.description, sent: value, present: present) {
      held.append(path.description)
      return
    }
    add(
      Change(
        row: nil, path: path, value: value, former: present, source: nil, lost: nil, rule: rule, sentence: sentence),
      to: side)
  }
}

extension Push.Property {
  /// What a hold names in its `row`: the row's key, or where it is none (a reference) the path.
  public var holdKey: String { row ?? path.description }
}
