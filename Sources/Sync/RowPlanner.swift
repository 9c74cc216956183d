import JSON
import Mapping

/// The decision for one row whose values don't both stand as they were agreed.
struct RowPlanner {
  let row: PropertyPair
  let input: PlanInput
  let agreed: AgreedPair?
  /// The raw values of both sides.
  let invoiced: JSONValue?
  let pms: JSONValue?

  private func value(_ side: Side) -> JSONValue? { side == .invoiced ? invoiced : pms }

  /// The row's type or converters are others than when it was agreed (rule 23).
  private var wasRedefined: Bool { agreed.map { $0.fingerprint != row.fingerprint } ?? false }

  private func changed(_ side: Side) -> Bool { !row.same(value(side), agreed?[side], on: side) }

  func decide(into plan: inout Plan) throws(Misfit) {
    if let lost = input.link.overwritten.first(where: { $0.row == row.key }), decideOverwritten(lost, into: &plan) {
      return
    }
    if let source = row.onlySource {
      try decideCopy(from: source, into: &plan)
      return
    }
    let invoiced = try meaning(.invoiced)
    let pms = try meaning(.pms)
    if invoiced == pms {
      agree(into: &plan)
      return
    }
    guard agreed != nil else {
      keepBase(into: &plan)
      try decideFirst(invoiced, pms, into: &plan)
      return
    }
    for side in Side.allCases where isLateWrite(on: side) {
      // What arrived is what is due, in the side's own form (rule 9).
      if try isSentAnew(to: side) { return agree(into: &plan) }
      let why = "\(side.title) shows an update of ours that went unanswered and arrived late"
      try push(from: side.other, rule: 12, why, into: &plan)
      return
    }
    #if SABOTAGE
      if Sabotage.breaks(.ignoresTheAgreedPair) { return try push(from: .invoiced, rule: 8, "", into: &plan) }
    #endif
    switch (changed(.invoiced), changed(.pms)) {
    case (false, false):
      let isGap = isGap(invoiced, beside: pms) || isGap(pms, beside: invoiced)
      if agreed?.isBaseOnly == true || wasRedefined || isGap { try decideFirst(invoiced, pms, into: &plan) }
    case (true, false): try push(from: .invoiced, rule: 8, "Invoiced changed it and the PMS didn't", into: &plan)
    case (false, true): try push(from: .pms, rule: 8, "the PMS changed it and Invoiced didn't", into: &plan)
    case (true, true): try decideConflict(invoiced, pms, into: &plan)
    }
  }

  /// What a side's value means. One that was agreed under the row's former converters, and has no counterpart under
  /// the present ones, counts as nothing (rule 23), unless the other side is no better off.
  private func meaning(_ side: Side) throws(Misfit) -> Canonical {
    do throws(Misfit) {
      return try row.canonical(on: side, raw: value(side))
    } catch {
      guard let agreed, wasRedefined, agreed[side] == value(side),
        (try? row.canonical(on: side.other, raw: value(side.other))) != nil
      else { throw error }
      return .nothing
    }
  }

  /// Whether nothing stands beside a value that it isn't a form of: agreed while the row was one-way the other way, of a
  /// copy that its side had filled by itself.
  private func isGap(_ value: Canonical, beside other: Canonical) -> Bool {
    value.isNothing && !value.isNear(to: other)
  }

  /// Both values mean the same: each side's own form is agreed.
  private func agree(into plan: inout Plan) {
    let pair = AgreedPair(invoiced: invoiced, pms: pms, fingerprint: row.fingerprint)
    if agreed != pair { plan.agreed[row.key] = pair }
  }

  /// While nothing may be written, both values are what later edits are told by (rule 23).
  private func keepBase(into plan: inout Plan) {
    guard input.flow.live < .updates else { return }
    plan.agreed[row.key] = AgreedPair(invoiced: invoiced, pms: pms, fingerprint: row.fingerprint, isBaseOnly: true)
  }

  /// Nothing is agreed that could tell the edits: the flow's `on_link` decides, and the other side fills the gaps
  /// (rules 13 and 23).
  private func decideFirst(_ invoiced: Canonical, _ pms: Canonical, into plan: inout Plan) throws(Misfit) {
    let winner: Side
    var why = "on_link is \(input.flow.onLink.rawValue)"
    if invoiced.isNothing {
      winner = .pms
    } else if pms.isNothing {
      winner = .invoiced
    } else {
      switch input.flow.onLink {
      case .invoiced: winner = .invoiced
      case .pms: winner = .pms
      case .newest:
        let (newest, times) = newest()
        winner = newest
        why += ", \(times)"
      }
    }
    let isGap = (winner == .invoiced ? pms : invoiced).isNothing
    if isGap { why = "only \(winner.title) has a value" }
    let isLoss = !isGap || value(winner.other).map { !$0.isBlank } == true && wasRedefined
    try push(
      from: winner, rule: wasRedefined ? 23 : 13,
      (wasRedefined ? "the row's type or converters changed, and " : "the records were linked, and ") + why,
      lost: isLoss ? value(winner.other) : nil, into: &plan)
  }

  /// Our write fell on an edit that hadn't been seen: unless the property was edited since, the two are a conflict, and
  /// under `newest` the edit wins (rule 18). True when there is nothing else to decide.
  private func decideOverwritten(_ lost: Overwritten, into plan: inout Plan) -> Bool {
    let (target, source) = (lost.side, lost.side.other)
    let present = value(target)
    let isOurs = lost.over.contains { row.same($0, present, on: target) }
    guard isOurs, !row.same(lost.value, present, on: target), agreed != nil, !changed(source),
      row.direction.carries(from: target)
    else {
      plan.settledOverwrites.append(lost)
      return false
    }
    let policy = input.flow.conflict
    if policy == .manual, !lost.isTaken {
      var conflict = Plan()
      hold(
        basis: "overwritten \(lost.value.text) | \(present?.text ?? "nothing")",
        "our write fell on an edit of \(target.title) that had not been seen, and conflict is manual", into: &conflict)
      for var filed in conflict.conflicts {
        if target == .invoiced { filed.invoiced = lost.value } else { filed.pms = lost.value }
        plan.conflicts.append(filed)
      }
      plan.held += conflict.held
      return true
    }
    guard lost.isTaken || policy == .newest || policy.rawValue == target.rawValue else {
      plan.settledOverwrites.append(lost)
      return false
    }
    plan.addUnmapped(
      row.path(on: target), lost.value, over: present, to: target, rule: 18,
      "our write fell on an edit of \(target.title) that had not been seen, and conflict is \(policy.rawValue)", input)
    return true
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
    if input.holds.contains(where: { $0.row == row.key && $0.cause == .conflict && $0.basis == basis }) {
      plan.held.append(row.key)
    } else {
      plan.conflicts.append(
        Plan.Conflict(row: row, invoiced: invoiced, pms: pms, basis: basis, sentence: sentence))
    }
  }

  /// Which side's value was edited last; within `Planner.tie`, or where it can't be known, Invoiced's.
  private func newest() -> (side: Side, why: String) {
    let (invoiced, pms) = (edited(.invoiced), edited(.pms))
    guard let invoiced, let pms else {
      if pms != nil { return (.pms, "and only the PMS's edit has a known time") }
      return (.invoiced, "and Invoiced's counts where the times aren't known")
    }
    #if SABOTAGE
      if Sabotage.breaks(.takesTheOlderEdit) { return (pms < invoiced ? .pms : .invoiced, "") }
    #endif
    if pms > invoiced.adding(Planner.tie) { return (.pms, "the PMS later") }
    if invoiced > pms.adding(Planner.tie) { return (.invoiced, "Invoiced later") }
    return (.invoiced, "within two seconds of each other, where Invoiced wins")
  }

  /// When a side's present value was edited; nil where that isn't known of this very value.
  private func edited(_ side: Side) -> Timestamp? {
    guard let edit = input.link.edits(on: side)[row.key], row.same(edit.value, value(side), on: side) else {
      return nil
    }
    return edit.at
  }

  /// Whether a side shows, in place of what was agreed, an update of ours that was taken for lost (rule 12).
  private func isLateWrite(on side: Side) -> Bool {
    let writes = input.link.lateWrites(of: row.key, on: side)
    guard !writes.isEmpty, agreed?.isBaseOnly == false, changed(side), let edit = edited(side) else { return false }
    return writes.contains { write in
      (row.same(value(side), write.sent, on: side) || row.isNear(sent: write.sent, answered: value(side), on: side))
        && write.sentAt <= edit.adding(Planner.tie) && edit <= write.until
    }
  }

  /// Whether the update that arrived late would be sent once more as it was.
  private func isSentAnew(to side: Side) throws(Misfit) -> Bool {
    let due = try row.translated(from: side.other, raw: value(side.other))
    return input.link.lateWrites(of: row.key, on: side).contains { write in
      row.same(due, write.sent, on: side) && row.isNear(sent: write.sent, answered: value(side), on: side)
    }
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
    let lost = value(target).flatMap { $0.isBlank ? Optional.none : $0 }
    guard let agreed, !agreed.isBaseOnly else {
      if agreed == nil { keepBase(into: &plan) }
      try push(from: source, rule: 13, "the row is one-way, so its source wins", lost: lost, into: &plan)
      return
    }
    switch (changed(source), changed(target)) {
    case (false, false) where wasRedefined:
      try push(from: source, rule: 23, "the row's type or converters changed", lost: lost, into: &plan)
    case (false, false):
      guard lost == nil, isGap(present, beside: wanted), !isRead(on: target) else { return }
      try push(from: source, rule: 13, "only \(source.title) has a value", into: &plan)
    case (true, false): try push(from: source, rule: 8, "\(source.title) changed it", into: &plan)
    case (false, true) where isRead(on: target):
      // The edit is carried by the row that reads it; for this one it is what stands there now.
      plan.agreed[row.key] = AgreedPair(invoiced: invoiced, pms: pms, fingerprint: row.fingerprint)
    case (_, true):
      if input.flow.conflict == .manual, !isLateWrite(on: target) {
        hold(
          basis: wanted.key + " | " + present.key, "the row is one-way, and its copy was edited; conflict is manual",
          into: &plan)
        return
      }
      let why = "the row is one-way: the edit of its copy is put back"
      try push(from: source, rule: 23, why, lost: value(target), into: &plan)
    }
  }

  /// Whether another row reads this one's path on `target` as its source.
  private func isRead(on target: Side) -> Bool {
    input.flow.properties.contains {
      $0.key != row.key && $0.path(on: target) == row.path(on: target) && $0.direction.carries(from: target)
    }
  }

  private func push(
    from source: Side, rule: Int, _ why: String, lost: JSONValue? = nil, into plan: inout Plan
  ) throws(Misfit) {
    let target = source.other
    let sent = try row.translated(from: source, raw: value(source))
    let isDiscarded = input.holds.contains { $0.row == row.key && $0.state == .discarded && isAbout($0) }
    if isDiscarded || input.isRefused(row.key, sent: sent, present: value(target)) {
      plan.held.append(row.key)
      return
    }
    if isLooping(sent, to: target, into: &plan) { return }
    plan.add(
      Plan.Change(
        row: row, path: row.path(on: target), value: sent, former: value(target), source: value(source), lost: lost,
        rule: rule, sentence: why),
      to: target)
  }

  /// Whether the row is pushed to and fro, and waits (rule 20).
  private func isLooping(_ sent: JSONValue, to target: Side, into plan: inout Plan) -> Bool {
    guard let loopGuard = input.loopGuard else { return false }
    let filed = input.holds.first { $0.cause == .loop && $0.row == row.key && $0.state == .open }
    if let filed, isAbout(filed) || loopGuard.now.since(filed.at) < loopGuard.window {
      plan.held.append(row.key)
      return true
    }
    guard loopGuard.counts(sent, of: row, to: target, input.link), loopGuard.isExceeded(of: row, input.link) else {
      return false
    }
    plan.loops.append(Plan.Loop(row: row, to: target, value: sent))
    return true
  }

  /// Whether a hold was filed for just these values.
  private func isAbout(_ hold: Hold) -> Bool {
    row.same(hold.invoiced, invoiced, on: .invoiced) && row.same(hold.pms, pms, on: .pms)
  }
}
