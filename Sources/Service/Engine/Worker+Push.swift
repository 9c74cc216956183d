import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync

/// One push: written down, sent, and its answer judged.
extension Worker {
  /// Pushes what a plan wants written to `side`: its properties, or else its reference.
  func push(_ plan: Plan, to side: Side, _ flow: Flow, _ work: inout Work) async throws(Interruption) {
    guard let link = work.link, let base = work.records[link.key(on: side)]?.last else { return }
    let isReference = plan.changes(to: side).isEmpty
    let changes = isReference ? plan.references[side].map { [$0] } ?? [] : plan.changes(to: side)
    let assignments = changes.map { Assignment($0.path, $0.value) }
    try checkLimits(assignments, side, flow, &work)
    let basis = assignments.map { "\($0.path)=\($0.value.text)" }.joined(separator: "; ")
    if let filed = work.holds.first(where: { $0.isRejection && $0.basis == basis }) {
      work.confirmedHolds.insert(filed.id)
      closeStaleHolds(&work)
      throw .parked(filed.state == .discarded ? .done : .parked, reason: filed.reason)
    }
    var push = Push(
      action: isReference ? .reference : .update, flow: flow.name, source: link.key(on: side.other),
      target: base.key.id,
      link: link.id,
      properties: changes.map {
        Push.Property(row: $0.row?.key, path: $0.path, former: $0.former, sent: $0.value, source: $0.source)
      },
      idempotencyKey: context.random.idempotencyKey(), sentAt: now, event: work.cause)
    push.read = base.version
    if push.replacesMetadata { push.metadata = base.record["metadata"] ?? [:] }
    work.pushBasis = basis
    push.id = try await writeDown(push, &work)

    let written = try await send(push, &work) { (connector) async throws(ConnectorError) in
      try await connector.update(assignments, of: base, idempotencyKey: push.idempotencyKey)
    }
    guard let written else { return }
    work.writes += 1
    work.fresh.insert(side)
    if let answer = written.observation, !flow.isCutShort(answer, over: base.record, sent: assignments) {
      accept(answer, own: Set(changes.compactMap { $0.row?.key }), &work)
    } else {
      try await fetch(base.key, &work)
    }
    guard let seen = work.records[base.key]?.last else { return }
    try await settle(push, changes, before: written.before ?? base, seen: seen, flow, &work)
  }

  /// Makes a push durable before it is sent (rule 12). What was merely taken over from pending events waits for the
  /// answer: after a crash they tell it again.
  private func writeDown(_ push: Push, _ work: inout Work) async throws(Interruption) -> Int64 {
    let observed = work.changes.isToldByEvents ? work.changes : Changes()
    if !observed.isEmpty { work.changes = Changes() }
    work.changes.pushes.append(push)
    let number = try await commit(&work).pushes.first ?? 0
    if !observed.isEmpty { work.changes = observed }
    return number
  }

  private func checkLimits(_ assignments: [Assignment], _ side: Side, _ flow: Flow, _ work: inout Work)
    throws(Interruption)
  {
    guard let misfit = context.connector(side).misfits(in: assignments).first else { return }
    throw park(
      &work, .misfit, showing: shown(misfit.property, on: misfit.side, flow, work),
      basis: "\(misfit.side.rawValue) \(misfit.property) \(misfit.value) \(misfit.reason)",
      reason: "flow \(flow.name): property '\(misfit.property)' = \(misfit.value) \(misfit.reason)",
      nextStep: misfit.nextStep)
  }

  /// Takes the answer over, property by property (rule 9).
  private func settle(
    _ push: Push, _ changes: [Plan.Change], before: Observation, seen: Observation, _ flow: Flow, _ work: inout Work
  ) async throws(Interruption) {
    let settled = Planner.settle(push, answer: seen.record, flow: flow)
    let formerly = work.link?.agreed ?? [:]
    func agreed(_ property: Push.Property) -> AgreedPair? {
      property.row.flatMap { formerly[$0] }.flatMap { $0.isBaseOnly ? nil : $0 }
    }
    if var link = work.link {
      link.agree(settled.agreed)
      work.set(link)
    }
    let refused = Set(settled.refused.map(\.path))
    remember(
      push, push.properties.filter { !refused.contains($0.path) }, before: before, seen: seen,
      flow: flow, &work)
    for (change, property) in zip(changes, push.properties) {
      work.note(
        .pushed, side: push.side, property: property.path.description, old: property.former, new: property.sent,
        from: property.source, agreed: agreed(property), rule: change.rule, change.sentence, at: now)
      noteForm(property, of: push, settled, flow, &work)
      if let lost = change.lost {
        work.note(
          .resolved, side: push.side, property: property.path.description, old: lost, new: property.sent,
          from: property.source, agreed: agreed(property), rule: change.rule,
          "the value \(lost.text) lost: \(change.sentence)", at: now)
      }
    }
    context.logger.info(
      "pushed",
      metadata: [
        LogKey.record: "\(seen.key)", LogKey.action: "\(push.action.rawValue)",
        LogKey.properties: "\(push.properties.map(\.path.description).joined(separator: ","))",
      ])
    guard settled.refused.isEmpty else {
      // Perhaps an answer from before the write: a second look after `confirm` decides.
      var doubted = push
      doubted.state = .doubted
      doubted.properties = settled.refused
      work.changes.pushes.append(doubted)
      throw .later(
        push.sentAt.adding(context.settings.confirm),
        reason:
          "\(seen.key) answered with the former value of \(settled.refused.map(\.path.description).joined(separator: ", "))"
      )
    }
    work.changes.settledPushes.append(push.id)
  }

  /// A value that the target keeps in a form of its own, near what was sent, is agreed and never written back: that is a
  /// decision too (rules 9 and 10).
  private func noteForm(
    _ property: Push.Property, of push: Push, _ settled: Settlement, _ flow: Flow, _ work: inout Work
  ) {
    guard let row = flow.row(keyed: property.row), let pair = settled.agreed[row.key],
      !settled.ownEdits.contains(property), !row.same(pair[push.side], property.sent, on: push.side)
    else { return }
    work.note(
      .agreed, side: push.side, property: property.path.description, old: property.sent, new: pair[push.side] ?? .null,
      from: property.source, rule: 9,
      "\(push.side.title) keeps a form of its own of what was sent: the two are agreed, and it isn't written back",
      at: now)
  }

  /// Sends a push; nil when the target had changed and the unit is to be planned again.
  func send<Result: Sendable>(
    _ push: Push, _ work: inout Work, _ body: (any Connector) async throws(ConnectorError) -> Result
  ) async throws(Interruption) -> Result? {
    let side = push.side
    let gate = context.gate(side)
    if let reason = gate.closedReason {
      work.changes.settledPushes.append(push.id)
      throw .blocked(side, reason: reason)
    }
    let start = now
    do throws(ConnectorError) {
      let own = push.action == .create ? SideGate.ofVersions : SideGate.ofRecords
      let result = try await gate.call(for: work.key, own: own) { () throws(ConnectorError) in
        try await body(context.connector(side))
      }
      context.metrics.pushed(side, push.action, .ok, now.since(start))
      return result
    } catch {
      return try await failed(push, error, &work)
    }
  }

  private func failed<Result>(_ push: Push, _ error: ConnectorError, _ work: inout Work) async throws(Interruption)
    -> Result?
  {
    let side = push.side
    if Self.mayHaveBeenDone(error) {
      var left = push
      left.state = .unanswered
      // An answer may be stored with the key, as Invoiced does with a 500.
      if !error.isSilence { left.idempotencyKey = context.random.idempotencyKey() }
      work.changes.pushes.append(left)
      guard error.isPassing else {
        if push.action != .create { throw refused(push, error, &work) }
        context.metrics.pushed(side, push.action, .parked, nil)
        throw unanswered(push, because: "\(error), and whether a record was created is not known", &work)
      }
      context.metrics.pushed(side, push.action, .retried, nil)
      if push.action == .create {
        throw .later(
          push.sentAt.adding(context.settings.confirm), reason: "\(error); whether it was created is looked up first")
      }
      throw interruption(for: error, side)
    }
    work.changes.settledPushes.append(push.id)
    switch error.status {
    case 409, 412:
      // Planned again on what the target is now.
      context.metrics.pushed(side, push.action, .retried, nil)
      guard push.action != .create else { break }
      work.overtaken += 1
      guard work.overtaken < 5, let target = push.target else { throw interruption(for: error, side, isPassing: true) }
      work.fresh.remove(side)
      try await fetch(RecordKey(side, target), &work)
      return nil
    case 404 where push.action != .create, 410 where push.action != .create:
      context.metrics.pushed(side, push.action, .retried, nil)
      work.fresh.remove(side)
      work.missing += 1
      // It answers a fetch and refuses the update as not there.
      if work.missing > 2 { throw interruption(for: error, side, isPassing: true) }
      if let target = push.target { try await fetch(RecordKey(side, target), &work) }
      return nil
    default: break
    }
    if error.isPassing || context.gate(side).closedReason != nil {
      context.metrics.pushed(side, push.action, .retried, nil)
      throw interruption(for: error, side)
    }
    if push.action == .create, error.status == 409 || push.isDuplicate(error) {
      // Somebody else's create was quicker: it is matched again.
      work.collision = error
      return nil
    }
    throw refused(push, error, &work)
  }

  /// A refusal that no retry will fix.
  func refused(_ push: Push, _ error: ConnectorError, _ work: inout Work) -> Interruption {
    let side = push.side
    context.metrics.pushed(side, push.action, .parked, nil)
    let named = error.property.flatMap { name in push.properties.first { $0.path.description == name } }
    let property = named ?? (push.properties.count == 1 ? push.properties[0] : nil)
    return park(
      &work, error.cause,
      showing: property.map { shown($0.path, on: side, context.mapping.flow(named: push.flow), work) },
      basis: push.basis,
      reason: "\(error)\(error.property.map { ", naming '\($0)'" } ?? ""), when \(push.task) was due",
      nextStep: "correct the value on one side (it is tried again by itself then), or: customer-sync parked retry ID")
  }

  /// Whether a write that failed this way may have happened all the same.
  static func mayHaveBeenDone(_ error: ConnectorError) -> Bool {
    switch error {
    case .unanswered, .unreadable, .tooLarge, .cancelled: true
    case .notSent, .unsendable, .overtaken: false
    case .refused(_, let status, _, _, _): status >= 500 || status == 408
    }
  }

}

extension Push {
  /// What the hold of a refusal is known by.
  var basis: String { properties.map { "\($0.path)=\($0.sent.text)" }.joined(separator: "; ") }

  /// What it was to do, with the values that were sent.
  fileprivate var task: String {
    let record = target.map { "\(RecordKey(side, $0))" } ?? "a record for \(source)"
    let shown = properties.prefix(3).map { property in
      let text = property.sent.text
      return "'\(property.path)' = \(text.count > 60 ? text.prefix(60) + "..." : text[...])"
    }
    let more = properties.count > shown.count ? " and \(properties.count - shown.count) more" : ""
    return "\(action.rawValue) of \(record)" + (shown.isEmpty ? "" : " with \(shown.joined(separator: ", "))\(more)")
  }

  /// Invoiced knows no 409: a number that is taken is a 400 that names it.
  fileprivate func isDuplicate(_ error: ConnectorError) -> Bool {
    guard error.status == 400, let property = error.property else { return false }
    return side == .invoiced && property == "number" && properties.contains { $0.path.description == property }
  }
}

extension Changes {
  /// Whether pending events tell all of it: what their payloads show, and what follows from that for stored links.
  fileprivate var isToldByEvents: Bool {
    records.allSatisfy { $0.last?.source == .payload } && links.allSatisfy { $0.id != 0 } && pushes.isEmpty
      && settledPushes.isEmpty && holds.isEmpty && closedHolds.isEmpty && events.isEmpty && finished.isEmpty
      && followUps.isEmpty && history.isEmpty
  }
}

extension Hold {
  /// Filed for what was to be sent: the same is not sent again.
  var isRejection: Bool { cause == .rejected || cause == .gaveUp || cause == .misfit }
}

extension ConnectorError {
  /// No answer came.
  fileprivate var isSilence: Bool {
    switch self {
    case .unanswered, .cancelled: true
    case .notSent, .unreadable, .tooLarge, .unsendable, .overtaken, .refused: false
    }
  }

  /// Trouble that passes by itself (rule 19).
  var isPassing: Bool {
    switch self {
    case .notSent, .unanswered, .unreadable, .cancelled: true
    case .unsendable, .tooLarge, .overtaken: false
    case .refused(_, let status, _, _, _): Self.passes(status) || status == 401 || status == 402
    }
  }

  /// The property that a refusal names.
  var property: String? {
    switch self {
    case .refused(_, _, _, let property, _), .unsendable(_, let property, _): property
    case .notSent, .unanswered, .unreadable, .tooLarge, .overtaken, .cancelled: nil
    }
  }

  /// What work that fails of it is parked for: our own refusal is the record's misfit.
  var cause: Hold.Cause { if case .unsendable = self { .misfit } else { .rejected } }
}
