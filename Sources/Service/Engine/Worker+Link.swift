import Connectors
import JSON
import Mapping
import Store
import Sync

/// A linked pair: plan, push, take the answer over, until nothing differs.
extension Worker {
  /// More rounds than the loop guard lets a property make: a backstop.
  private var mostRounds: Int { 4 * context.settings.loopPushes + 12 }

  func syncLink(_ work: inout Work) async throws(Interruption) {
    try await settleLeftovers(&work)
    findOverwritten(&work)
    guard try await bothAlive(&work) else { return }
    var rounds = 0
    while try await bothAlive(&work), let link = work.link {
      guard let input = try await input(of: link, &work) else { return }
      let flow = input.flow
      try checkReferences(input, &work)
      let plan = Planner.plan(input)
      try apply(plan, input, &work)
      guard
        let side = [Side.pms, .invoiced].first(where: { !plan.changes(to: $0).isEmpty || plan.references[$0] != nil })
      else {
        if !plan.conflicts.isEmpty || plan.held.contains(where: { key in isOpenConflict(key, work) }) {
          work.outcome = (.conflict, "a property waits for a person's decision")
        } else if !plan.loops.isEmpty {
          work.outcome = (.parked, "a property is pushed to and fro between the two records")
        }
        return
      }
      rounds += 1
      if rounds > mostRounds {
        let names = plan.changes(to: side).map(\.path.description).joined(separator: ", ")
        throw park(
          &work, .loop, basis: names,
          reason: "\(names) is pushed to and fro between the two records without coming to rest",
          nextStep:
            "make one direction of the row one-way, or stop what rewrites the value; then: customer-sync parked retry ID"
        )
      }
      if needsLook(side, work) {
        try await fetch(link.key(on: side), &work)
        guard try await bothAlive(&work) else { return }
        continue
      }
      try await push(plan, to: side, flow, &work)
    }
  }

  private func isOpenConflict(_ key: String, _ work: Work) -> Bool {
    work.holds.contains { $0.row == key && $0.kind == .conflict && $0.state == .open }
  }

  private func input(of link: Link, _ work: inout Work) async throws(Interruption) -> PlanInput? {
    guard let course = try await course(&work), let link = work.link,
      let invoiced = work.records[link.key(on: .invoiced)]?.last?.record,
      let pms = work.records[link.key(on: .pms)]?.last?.record
    else { return nil }
    var input = PlanInput(
      flow: course.flow, link: link, invoiced: invoiced, pms: pms,
      invoicedID: link.key(on: .invoiced).json(in: invoiced, idPath: context.connector(.invoiced).idPath),
      pmsID: link.key(on: .pms).json(in: pms, idPath: context.connector(.pms).idPath), holds: work.holds)
    if let follower = course.follower {
      input.constants = course.flow.constants(on: follower)
      input.constantsSide = follower
    }
    input.loopGuard = loopGuard
    return input
  }

  /// Whether the target must be looked at before it is written: always where it can't refuse a write on a stale read (rule 18).
  private func needsLook(_ side: Side, _ work: Work) -> Bool {
    guard let link = work.link, !work.fresh.contains(side) else { return false }
    return !context.connector(side).abilities.hasETags || work.records[link.key(on: side)]?.last?.etag == nil
  }

  /// Observes the partner where it was never seen, and ends the link where a record is gone; false when there is nothing to sync.
  private func bothAlive(_ work: inout Work) async throws(Interruption) -> Bool {
    for side in Side.allCases {
      guard let known = work.link?.key(on: side) else { return false }
      if work.records[known]?.last == nil && work.records[known]?.presence != .gone { try await fetch(known, &work) }
      // A fetch may have found a merge, which moves the link.
      guard let link = work.link, link.state == .active else { return false }
      if work.records[link.key(on: side)]?.presence == .gone {
        try await recordGone(side, &work)
        return false
      }
    }
    return true
  }

  /// A linked record that no longer carries the reference seen on it may be another customer's by now (rule 5).
  private func checkReferences(_ input: PlanInput, _ work: inout Work) throws(Interruption) {
    var link = input.link
    for side in Side.allCases {
      guard input.flow.reference(on: side) != nil else { continue }
      let wanted = link.id(on: side.other)
      let present = input.flow.reference(in: input.record(on: side), on: side)
      let seen = side == .invoiced ? link.invoicedReference : link.pmsReference
      if present == wanted {
        if seen != wanted {
          if side == .invoiced { link.invoicedReference = wanted } else { link.pmsReference = wanted }
        }
      } else if seen == wanted {
        let what = present.map { "carries the reference \($0)" } ?? "carries no reference any more"
        throw park(
          &work, .referenceLost, basis: present?.text ?? "",
          reason: "\(link.key(on: side)) \(what), in place of \(wanted): it may belong to another customer now",
          nextStep:
            "put the reference back on the record, or end the link with: customer-sync links unlink \(link.id)")
      }
    }
    if link != input.link { work.set(link) }
  }

  /// Takes over what a plan found without writing to a side.
  private func apply(_ plan: Plan, _ input: PlanInput, _ work: inout Work) throws(Interruption) {
    if let misfit = plan.misfit {
      throw park(
        &work, .misfit, showing: shown(misfit.property, on: misfit.side, input.flow, work),
        basis: "\(misfit.side.rawValue) \(misfit.property) \(misfit.value) \(misfit.reason)",
        reason:
          "\(input.link.key(on: misfit.side)) in flow \(input.flow.name): property '\(misfit.property)' = \(misfit.value) \(misfit.reason)",
        nextStep: misfit.nextStep)
    }
    if !plan.agreed.isEmpty || !plan.dropped.isEmpty, var link = work.link {
      for row in input.flow.properties { noteMeeting(row, plan.agreed[row.key], formerly: link.agreed[row.key], &work) }
      link.agree(plan.agreed)
      // Those of the flow that it leaves stay until both records have left it.
      if link.flow == input.flow.name {
        for row in plan.dropped {
          link.agreed[row] = nil
          link.loops[row] = nil
        }
      }
      work.set(link)
    }
    if !plan.settledOverwrites.isEmpty, var link = work.link {
      link.overwritten.removeAll { plan.settledOverwrites.contains($0) }
      work.set(link)
    }
    for loop in plan.loops { parkLoop(loop, &work) }
    for hold in work.holds where hold.row.map({ plan.held.contains($0) }) == true {
      work.confirmedHolds.insert(hold.id)
    }
    for conflict in plan.conflicts {
      let name = conflict.row.path(on: .invoiced)
      var hold = hold(
        work, .conflict, .conflict, row: conflict.row, basis: conflict.basis,
        reason:
          "'\(name)' of \(input.link.key(on: .invoiced)) and \(input.link.key(on: .pms)): \(conflict.sentence)",
        nextStep: "decide with: customer-sync conflicts resolve ID --take invoiced|pms")
      hold.invoiced = conflict.invoiced
      hold.pms = conflict.pms
      work.file(hold)
      work.note(
        .conflict, property: name.description, old: conflict.invoiced, new: conflict.pms, rule: 8, conflict.sentence,
        at: now)
    }
    if plan.heldBack > 0 {
      work.outcome = (
        .held,
        "\(plan.heldBack) writes are held back, since flow \(input.flow.name) is live only up to \(input.flow.live.rawValue)"
      )
    }
  }

  /// Both sides changed the row to what means the same, so that nothing is written (rule 8).
  private func noteMeeting(_ row: PropertyPair, _ pair: AgreedPair?, formerly: AgreedPair?, _ work: inout Work) {
    guard row.direction == .both, let pair, let formerly, !formerly.isBaseOnly,
      !row.same(pair.invoiced, formerly.invoiced, on: .invoiced), !row.same(pair.pms, formerly.pms, on: .pms)
    else { return }
    work.note(
      .agreed, side: .pms, property: row.pms.description, old: formerly.pms, new: pair.pms ?? .null,
      from: pair.invoiced, agreed: formerly, rule: 8, "both sides changed it to the same meaning: nothing is written",
      at: now)
  }

  /// The property waits until its values change and the window is over, or a person retries it (rule 20).
  private func parkLoop(_ loop: Plan.Loop, _ work: inout Work) {
    guard var link = work.link else { return }
    let path = loop.row.path(on: loop.to)
    let reason =
      "'\(path)' of \(link.key(on: .invoiced)) and \(link.key(on: .pms)) was pushed to and fro more than \(context.settings.loopPushes) times in \(context.settings.loopWindow)"
    let filed = hold(
      work, .parked, .loop, row: loop.row, basis: loop.value.text, reason: reason,
      nextStep:
        "make the row one-way, or stop what rewrites the value on one side; then: customer-sync parked retry ID")
    work.file(filed)
    work.note(.parked, side: loop.to, property: path.description, new: loop.value, rule: 20, reason, at: now)
    // The entry itself keeps the property from being pushed; a retry starts anew.
    link.loops[loop.row.key] = nil
    work.set(link)
  }

  // MARK: Pushes that an earlier attempt left behind

  /// Updates without a known outcome are settled by a look at their target (rule 12).
  private func settleLeftovers(_ work: inout Work) async throws(Interruption) {
    for push in work.pushes where push.action == .update || push.action == .reference {
      let named = context.mapping.flow(named: push.flow) ?? work.link.flatMap { context.mapping.flow(named: $0.flow) }
      guard let link = work.link, let flow = named else { continue }
      if push.state == .doubted {
        let due = push.sentAt.adding(context.settings.confirm)
        if now < due { throw .later(due, reason: "a value that did not take is looked at again") }
      }
      let target = link.key(on: push.side)
      try await fetch(target, &work)
      guard let seen = work.records[target]?.last, work.records[target]?.presence == .alive else { continue }
      let settled = Planner.settleUnanswered(push, seen: seen.record, flow: flow)
      if !settled.agreed.isEmpty, var link = work.link {
        link.agree(settled.agreed)
        work.set(link)
      }
      let lost = settled.notTaken + settled.ownEdits
      let taken = push.properties.filter { !lost.contains($0) }
      remember(push, taken, before: nil, seen: seen, flow: flow, &work)
      if push.state == .doubted {
        for property in settled.notTaken { refuse(property, of: push, &work) }
      } else {
        expect(lost, of: push, &work)
      }
      work.changes.settledPushes.append(push.id)
      work.pushes.removeAll { $0.id == push.id }
    }
  }

  /// What wasn't taken may still arrive (rule 12).
  private func expect(_ properties: [Push.Property], of push: Push, _ work: inout Work) {
    guard var link = work.link else { return }
    let until = push.sentAt.adding(context.settings.confirm)
    link.expect(
      properties.compactMap { property in
        property.row.map { LateWrite(side: push.side, row: $0, sent: property.sent, sentAt: push.sentAt, until: until) }
      }, now: now)
    work.set(link)
  }

  /// The target kept its former value twice: it refuses this one (rule 9).
  private func refuse(_ property: Push.Property, of push: Push, _ work: inout Work) {
    guard let link = work.link, let flow = context.mapping.flow(named: link.flow) else { return }
    // A reference is no row.
    let row = flow.row(keyed: property.row)
    let present = work.records[link.key(on: push.side)]?.last.flatMap { seen in
      if let row { row.raw(on: push.side, in: seen.record) } else { seen.record[property.path] }
    }
    let reason =
      "\(link.key(on: push.side)) kept '\(property.path)' = \(present?.text ?? "nothing"), though \(property.sent.text) was sent"
    var hold = hold(
      work, .parked, .refused, row: row, basis: Planner.refusalBasis(sent: property.sent, present: present),
      reason: reason, nextStep: "see why \(push.side.title) refuses the value, then: customer-sync parked retry ID")
    hold.row = property.holdKey
    hold.property = property.path.description
    work.file(hold)
    work.note(
      .parked, side: push.side, property: property.path.description, old: present, new: property.sent, rule: 9, reason,
      at: now)
  }
}
