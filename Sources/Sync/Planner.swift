import JSON
import Mapping

/// Decides what one link needs: a pure function of flow, link and observations (rules 7, 8, 13, 16, 20 and 23).
public enum Planner {
  /// Edits this close together can't be told apart: Invoiced's clock has whole seconds (rule 8).
  public static let tie: Duration = .seconds(2)

  public static func plan(_ input: PlanInput) -> Plan {
    var plan = Plan()
    for row in input.flow.properties {
      do throws(Misfit) {
        try RowPlanner(row: row, input: input).decide(into: &plan)
      } catch {
        var parked = Plan()
        parked.misfit = error
        return parked
      }
    }
    let keys = Set(input.flow.properties.map(\.key))
    plan.dropped = input.link.agreed.keys.filter { !keys.contains($0) }.sorted()
    for side in Side.allCases { references(input, on: side, into: &plan) }
    if input.flow.live < .updates {
      plan.heldBack = plan.toInvoiced.count + plan.toPMS.count + plan.references.count
      plan.toInvoiced = []
      plan.toPMS = []
      plan.references = [:]
    }
    return plan
  }

  /// Where a record doesn't carry the other's id yet, it is written there.
  private static func references(_ input: PlanInput, on side: Side, into plan: inout Plan) {
    guard let path = input.flow.reference(on: side) else { return }
    let other = side == .invoiced ? input.pmsID : input.invoicedID
    let present = input.record(on: side)[path]
    guard present?.identifier.map({ RecordID($0) }) != input.link.id(on: side.other) else { return }
    // Invoiced's metadata is text.
    let value: JSONValue = side == .invoiced ? .string(input.link.pms.text) : other
    plan.references[side] = Plan.Change(
      row: nil, path: path, value: value, former: present, source: other, lost: nil, rule: 12,
      sentence: "the id of \(side.other.title)'s record is kept on \(side.title)'s")
  }
}

/// The decision for one row.
struct RowPlanner {
  let row: PropertyPair
  let input: PlanInput
  private let raw: [Side: JSONValue?]

  init(row: PropertyPair, input: PlanInput) {
    self.row = row
    self.input = input
    raw = [
      .invoiced: row.raw(on: .invoiced, in: input.invoiced),
      .pms: row.raw(on: .pms, in: input.pms),
    ]
  }

  private func value(_ side: Side) -> JSONValue? { raw[side].flatMap(\.self) }

  func decide(into plan: inout Plan) throws(Misfit) {
    if let source = row.onlySource {
      try decideCopy(from: source, into: &plan)
      return
    }
    let invoiced = try row.canonical(on: .invoiced, raw: value(.invoiced))
    let pms = try row.canonical(on: .pms, raw: value(.pms))
    if invoiced == pms {
      agree(into: &plan)
      return
    }
    guard let agreed = input.link.agreed[row.key] else {
      try decideFirst(invoiced, pms, into: &plan)
      return
    }
    let changedInvoiced = !row.same(value(.invoiced), agreed.invoiced, on: .invoiced)
    let changedPMS = !row.same(value(.pms), agreed.pms, on: .pms)
    switch (changedInvoiced, changedPMS) {
    case (false, false):
      if agreed.isBaseOnly {
        try decideFirst(invoiced, pms, into: &plan)
      } else if agreed.fingerprint != row.fingerprint {
        // The row's meaning changed and neither side did (rule 23).
        try decideFirst(invoiced, pms, into: &plan)
      }
    case (true, false): try push(from: .invoiced, rule: 8, "Invoiced changed it and the PMS didn't", into: &plan)
    case (false, true): try push(from: .pms, rule: 8, "the PMS changed it and Invoiced didn't", into: &plan)
    case (true, true): try decideConflict(invoiced, pms, into: &plan)
    }
  }

  /// Both values mean the same: each side's own form is agreed.
  private func agree(into plan: inout Plan) {
    let pair = AgreedPair(invoiced: value(.invoiced), pms: value(.pms), fingerprint: row.fingerprint)
    if input.link.agreed[row.key] != pair { plan.agreed[row.key] = pair }
  }

  /// Nothing was agreed yet: the flow's `on_link` decides, and the other side fills the gaps (rule 13).
  private func decideFirst(_ invoiced: Canonical, _ pms: Canonical, into plan: inout Plan) throws(Misfit) {
    let winner: Side
    if invoiced.isNothing {
      winner = .pms
    } else if pms.isNothing {
      winner = .invoiced
    } else {
      switch input.flow.onLink {
      case .invoiced: winner = .invoiced
      case .pms: winner = .pms
      case .newest: winner = newest().side
      }
    }
    let gap = (winner == .invoiced ? pms : invoiced).isNothing
    let why =
      gap
      ? "the records were linked, and only \(winner.title) has a value"
      : "the records were linked, and on_link is \(input.flow.onLink.rawValue)"
    try push(from: winner, rule: 13, why, lost: gap ? nil : value(winner.other), into: &plan)
  }

  private func decideConflict(_ invoiced: Canonical, _ pms: Canonical, into plan: inout Plan) throws(Misfit) {
    switch input.flow.conflict {
    case .invoiced, .pms:
      let winner: Side = input.flow.conflict == .invoiced ? .invoiced : .pms
      try push(
        from: winner, rule: 8, "both sides changed it, and conflict is \(input.flow.conflict.rawValue)",
        lost: value(winner.other), into: &plan)
    case .newest:
      let (winner, why) = newest()
      try push(from: winner, rule: 8, "both sides changed it, \(why)", lost: value(winner.other), into: &plan)
    case .manual:
      hold(
        basis: invoiced.key + " | " + pms.key,
        "both sides changed it since they last agreed, and conflict is manual", into: &plan)
    }
  }

  /// A conflict that a person has to decide; one that is filed for the same values is left as it is (rule 20).
  private func hold(basis: String, _ sentence: String, into plan: inout Plan) {
    let filed = input.holds.first { $0.row == row.key && $0.cause == .conflict }
    if let filed, filed.basis == basis {
      plan.held.append(row.key)
    } else {
      plan.conflicts.append(
        Plan.Conflict(
          row: row, invoiced: value(.invoiced), pms: value(.pms), basis: basis, sentence: sentence))
    }
  }

  /// Which side's value was edited last; within `Planner.tie`, or where it can't be known, Invoiced's.
  private func newest() -> (side: Side, why: String) {
    let invoiced = input.link.invoicedEdits[row.key]?.at
    let pms = input.link.pmsEdits[row.key]?.at
    guard let invoiced, let pms else {
      if pms != nil { return (.pms, "and only the PMS's edit has a known time") }
      return (.invoiced, "and Invoiced's counts where the times aren't known")
    }
    if pms > invoiced.adding(Planner.tie) { return (.pms, "the PMS later") }
    if invoiced > pms.adding(Planner.tie) { return (.invoiced, "Invoiced later") }
    return (.invoiced, "within two seconds of each other, where Invoiced wins")
  }

  /// A one-way row's target is a copy of its source (rule 23).
  private func decideCopy(from source: Side, into plan: inout Plan) throws(Misfit) {
    let target = source.other
    let wanted = try row.canonical(on: source, raw: value(source))
    // A target's value that means nothing in this row counts as nothing there.
    let present = (try? row.canonical(on: target, raw: value(target))) ?? .nothing
    if wanted == present {
      agree(into: &plan)
      return
    }
    guard let agreed = input.link.agreed[row.key], !agreed.isBaseOnly else {
      try push(from: source, rule: 13, "the row is one-way, so its source wins", into: &plan)
      return
    }
    let sourceChanged = !row.same(value(source), agreed[source], on: source)
    let targetChanged = !row.same(value(target), agreed[target], on: target)
    if !sourceChanged && !targetChanged && agreed.fingerprint == row.fingerprint { return }
    if targetChanged {
      // Another row may read this path as its source: then the edit is that row's.
      let readElsewhere = input.flow.properties.contains {
        $0.key != row.key && $0.path(on: target) == row.path(on: target) && $0.direction.carries(from: target)
      }
      if readElsewhere && !sourceChanged { return }
      if input.flow.conflict == .manual {
        hold(
          basis: wanted.key + " | " + present.key, "the row is one-way, and its copy was edited; conflict is manual",
          into: &plan)
        return
      }
      try push(
        from: source, rule: 23, "the row is one-way: the edit of its copy is put back", lost: value(target), into: &plan
      )
      return
    }
    try push(from: source, rule: 8, "\(source.title) changed it", into: &plan)
  }

  private func push(
    from source: Side, rule: Int, _ why: String, lost: JSONValue? = nil, into plan: inout Plan
  ) throws(Misfit) {
    let target = source.other
    let value = try row.translated(from: source, raw: value(source))
    let basis = Planner.refusalBasis(sent: value, present: self.value(target))
    let refused = input.holds.contains { $0.row == row.key && $0.cause == .refused && $0.basis == basis }
    let discarded = input.holds.contains { hold in
      hold.row == row.key && hold.state == .discarded && same(hold)
    }
    if refused || discarded {
      plan.held.append(row.key)
      return
    }
    plan.add(
      Plan.Change(
        row: row, path: row.path(on: target), value: value, former: self.value(target), source: self.value(source),
        lost: lost, rule: rule, sentence: why),
      to: target)
  }

  /// Whether a hold was filed for just these values.
  private func same(_ hold: Hold) -> Bool {
    row.same(hold.invoiced, value(.invoiced), on: .invoiced) && row.same(hold.pms, value(.pms), on: .pms)
  }
}

extension Planner {
  /// What a refusal was about: while the same value would be sent against the same one, it isn't sent again.
  public static func refusalBasis(sent: JSONValue, present: JSONValue?) -> String {
    "\(sent.text) over \(present?.text ?? "nothing")"
  }
}
