import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync

/// Passing a delete on: looked at, written down, sent, answered (rules 12 and 14).
extension Worker {
  /// What became of a call that deletes or archives.
  fileprivate enum Outcome: Sendable {
    case done(Observation?)
    case gone
    /// It had changed since it was looked at.
    case overtaken
    case refused(ConnectorError)
  }

  /// Deletes, or archives, what is left of a link.
  func delete(
    _ survivor: RecordKey, archiving: Bool, because reason: String, _ link: Link, _ flow: Flow, _ work: inout Work
  ) async throws(Interruption) {
    let left = work.pushes.first { $0.deletes(survivor) }
    if let left, try await settle(left, of: survivor, link, &work) { return }
    var archive = (archiving ? flow.archive(on: survivor.side) : left?.assignments) ?? []
    var isArchiving = archiving
    for _ in 0..<5 {
      if !work.fresh.contains(survivor.side) { try await fetch(survivor, &work) }
      // A merge may have moved the link meanwhile.
      guard work.link?.id == link.id, work.link?.key(on: survivor.side) == survivor, let state = work.records[survivor]
      else { return }
      guard state.presence == .alive, let base = state.last else {
        if state.presence == .gone { try await recordGone(survivor.side, &work) }
        return
      }
      try holdEdit(base, archive, because: reason, link, flow, &work)
      if isArchiving && archive.isEmpty {
        throw refused(
          survivor, "flow \(flow.name) does not say how to archive it (archive.\(survivor.side.rawValue))", &work)
      }
      try checkRefused(survivor, &work)
      var push = Push(
        action: .delete, flow: flow.name, source: link.key(on: survivor.side.other), target: survivor.id, link: link.id,
        properties: isArchiving ? Push.Property.list(archive, over: base.record) : [],
        idempotencyKey: context.random.idempotencyKey(), sentAt: now, event: work.cause)
      work.changes.pushes.append(push)
      push.id = try await commit(&work).pushes.first ?? 0
      switch try await send(push, to: base, &work) {
      case .done(let answer):
        work.writes += 1
        if isArchiving {
          try await judge(push, answer, of: survivor, link, &work)
        } else {
          deleted(survivor, link, &work)
        }
        return
      case .gone:
        deleted(survivor, link, &work)
        return
      case .overtaken: work.fresh.remove(survivor.side)
      case .refused(let error):
        let instead = flow.archive(on: survivor.side)
        guard !isArchiving, !instead.isEmpty else { throw refused(survivor, "\(error)", &work) }
        (archive, isArchiving) = (instead, true)
        work.note(
          .deleted, side: survivor.side, rule: 14, "\(survivor) is archived, since its delete was refused: \(error)",
          at: now)
      }
    }
    throw .retry(reason: "\(survivor) changes each time it is to be deleted", after: nil)
  }

  /// An edit that nobody has seen on the other side: whatever `conflict` says, a person decides (rule 14).
  private func holdEdit(
    _ seen: Observation, _ own: [Assignment], because cause: String, _ link: Link, _ flow: Flow, _ work: inout Work
  ) throws(Interruption) {
    let side = seen.key.side
    let gone = link.key(on: side.other)
    let edits = Deletion.edits(in: seen.record, on: side, of: link, flow: flow, besides: own)
    guard let first = edits.first else { return }
    let basis = Deletion.basis(of: edits, in: seen.record, on: side)
    let names = edits.map { "'\($0.path(on: side))'" }.joined(separator: ", ")
    let reason = "\(cause), and \(names) of \(seen.key) was edited since they last agreed"
    if let filed = work.holds.first(where: { $0.cause == .deletedAgainstEdit && $0.basis == basis }) {
      work.confirmedHolds.insert(filed.id)
      if filed.state == .approved { return }
    } else {
      var hold = hold(
        work, .conflict, .deletedAgainstEdit, row: nil, basis: basis, reason: reason,
        nextStep:
          "delete both or create \(gone.side.title)'s anew with: customer-sync conflicts resolve ID --take invoiced|pms"
      )
      hold.record = gone
      hold.property = first.path(on: side).description
      let value = first.raw(on: side, in: seen.record)
      if side == .invoiced { hold.invoiced = value } else { hold.pms = value }
      work.file(hold)
      work.note(
        .conflict, side: side, property: hold.property, old: link.agreed[first.key]?[side], new: value, rule: 14,
        reason, at: now)
    }
    closeStaleHolds(&work)
    throw .parked(.conflict, reason: reason)
  }

  // MARK: The call and its answer

  private func send(_ push: Push, to base: Observation, _ work: inout Work) async throws(Interruption) -> Outcome {
    let side = push.side
    let gate = context.gate(side)
    if let reason = gate.closedReason {
      work.changes.settledPushes.append(push.id)
      throw .blocked(side, reason: reason)
    }
    let action: Push.Action = push.isArchive ? .update : .delete
    let start = now
    do throws(ConnectorError) {
      let outcome = try await gate.call(for: work.key, own: SideGate.ofRecords) {
        () async throws(ConnectorError) -> Outcome in
        let connector = context.connector(side)
        do throws(ConnectorError) {
          if !push.isArchive {
            try await connector.delete(base.key.id, etag: base.etag)
            return .done(nil)
          }
          return .done(
            try await connector.update(push.assignments, of: base, idempotencyKey: push.idempotencyKey).observation)
        } catch {
          // A delete that is refused is no trouble of the side's: its breaker isn't told.
          guard let outcome = Self.outcome(of: error) else { throw error }
          return outcome
        }
      }
      switch outcome {
      case .done, .gone: context.metrics.pushed(side, action, .ok, now.since(start))
      case .overtaken: context.metrics.pushed(side, action, .retried, nil)
      case .refused: context.metrics.pushed(side, action, .parked, nil)
      }
      // What was archived is settled when its answer was judged.
      if !push.isArchive || !outcome.isDone { work.changes.settledPushes.append(push.id) }
      return outcome
    } catch {
      context.metrics.pushed(side, action, .retried, nil)
      if Self.mayHaveBeenDone(error) {
        var left = push
        left.state = .unanswered
        work.changes.pushes.append(left)
      } else {
        work.changes.settledPushes.append(push.id)
      }
      throw interruption(for: error, side)
    }
  }

  private static func outcome(of error: ConnectorError) -> Outcome? {
    switch error.status {
    case 404, 410: .gone
    case 412: .overtaken
    case 401, 402, 408, 425, 429, nil: nil
    case let status?: 400..<500 ~= status ? .refused(error) : nil
    }
  }

  /// The record went by our own call.
  private func deleted(_ survivor: RecordKey, _ link: Link, _ work: inout Work) {
    var state = work.state(of: survivor, now: now)
    state.presence = .gone
    state.goneAt = goneAt(state)
    state.doubtSince = nil
    // Where the side only marks it as deleted, it is what survives.
    state.apart = "it was deleted when \(link.key(on: survivor.side.other)) was"
    work.set(state)
    context.logger.info("deleted", metadata: [LogKey.record: "\(survivor)"])
    let gone = link.key(on: survivor.side.other)
    end(
      link, apart: "its link ended when \(survivor) was deleted", side: survivor.side,
      "\(survivor) was deleted for \(gone); the link ended", &work)
  }

  private func archived(_ survivor: RecordKey, _ link: Link, _ work: inout Work) {
    context.logger.info("archived", metadata: [LogKey.record: "\(survivor)"])
    let gone = link.key(on: survivor.side.other)
    end(
      link, apart: "it was archived when \(gone) was deleted", side: survivor.side,
      "\(survivor) was archived for \(gone); the link ended, and it is kept apart", &work)
  }

  /// An archive's answer must show it, else a second look decides (rule 9).
  private func judge(_ push: Push, _ answer: Observation?, of survivor: RecordKey, _ link: Link, _ work: inout Work)
    async throws(Interruption)
  {
    if let answer { accept(answer, &work) } else { try await fetch(survivor, &work) }
    guard let seen = work.records[survivor]?.last, push.stands(in: seen.record) else {
      var doubted = push
      doubted.state = .doubted
      work.changes.pushes.append(doubted)
      throw .later(
        push.sentAt.adding(context.settings.confirm), reason: "\(survivor) does not show that it was archived")
    }
    archived(survivor, link, &work)
  }

  /// A delete of ours without a known outcome is settled by a look at its target (rule 12); true when it was done.
  private func settle(_ push: Push, of survivor: RecordKey, _ link: Link, _ work: inout Work)
    async throws(Interruption) -> Bool
  {
    if push.state == .doubted {
      let due = push.sentAt.adding(context.settings.confirm)
      if now < due { throw .later(due, reason: "whether \(survivor) was archived is looked at again") }
    }
    let fetched = try await call(survivor.side, work) { (connector) async throws(ConnectorError) in
      try await connector.fetch(survivor.id)
    }
    switch fetched {
    case .gone:
      deleted(survivor, link, &work)
      return true
    case .found(let seen):
      if Judgement.of(seen, against: work.state(of: survivor, now: now), paths: []) != .stale { accept(seen, &work) }
      work.fresh.insert(survivor.side)
      if push.isArchive, push.stands(in: seen.record) {
        archived(survivor, link, &work)
        return true
      }
      work.changes.settledPushes.append(push.id)
      work.pushes.removeAll { $0.id == push.id }
      if push.state == .doubted { throw refused(survivor, "it keeps its values, though it was to be archived", &work) }
      return false
    }
  }

  // MARK: Refusals

  private func refused(_ survivor: RecordKey, _ why: String, _ work: inout Work) -> Interruption {
    park(
      &work, .deleteRefused, basis: survivor.description,
      reason: "\(survivor) could be neither deleted nor archived, though its counterpart is gone: \(why)",
      nextStep:
        "put right what is named, then: customer-sync parked retry ID; or end the link: customer-sync links unlink ID")
  }

  /// One that was refused is not tried again by itself (rule 20).
  private func checkRefused(_ survivor: RecordKey, _ work: inout Work) throws(Interruption) {
    guard let filed = work.holds.first(where: { $0.cause == .deleteRefused }) else { return }
    work.confirmedHolds.insert(filed.id)
    closeStaleHolds(&work)
    throw .parked(filed.state == .discarded ? .done : .parked, reason: filed.reason)
  }
}

extension Worker.Outcome {
  fileprivate var isDone: Bool { if case .done = self { true } else { false } }
}

extension Push {
  var assignments: [Assignment] { properties.map { Assignment($0.path, $0.sent) } }

  /// Whether all that was sent is in `record`.
  fileprivate func stands(in record: JSONValue) -> Bool {
    properties.allSatisfy { property in
      let value = record[property.path] ?? .null
      return value == property.sent || (value.identifier != nil && value.identifier == property.sent.identifier)
    }
  }
}

extension Push.Property {
  fileprivate static func list(_ assignments: [Assignment], over record: JSONValue) -> [Push.Property] {
    assignments.map { Push.Property(row: nil, path: $0.path, former: record[$0.path], sent: $0.value, source: nil) }
  }
}
