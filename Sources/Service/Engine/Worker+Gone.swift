import Connectors
import JSON
import Mapping
import Store
import Sync

/// A linked record is gone: the flow's policy decides, and the mass-delete guard (rule 14).
extension Worker {
  /// The other side's record is deleted as if `side`'s had been (rule 23, `on_leave: delete`).
  func deletePartner(of side: Side, because reason: String, _ work: inout Work) async throws(Interruption) {
    guard let link = work.link, let flow = context.mapping.flow(named: link.flow) else { return }
    try await passOn(side, by: .propagate, because: reason, link, flow, &work)
  }

  func recordGone(_ side: Side, _ work: inout Work) async throws(Interruption) {
    guard let link = work.link, let flow = context.mapping.flow(named: link.flow) else { return }
    let gone = link.key(on: side)
    let survivor = link.key(on: side.other)
    if work.records[survivor]?.presence == .gone {
      end(link, apart: nil, side: side, "\(gone) and \(survivor) are gone; the link ended", &work)
      return
    }
    if work.pushes.contains(where: { $0.deletes(gone) }) {
      // We deleted it for one that is back meanwhile, which is no delete of a user's.
      end(link, apart: nil, side: side, "\(gone) was deleted for \(survivor), which is back; the link ended", &work)
      work.changes.followUps.append(.look(at: survivor, now: now, context.random))
      return
    }
    #if SABOTAGE
      let policy: DeletePolicy = Sabotage.breaks(.passesEveryDeleteOn) ? .propagate : flow.deletePolicy(deletedOn: side)
    #else
      let policy = flow.deletePolicy(deletedOn: side)
    #endif
    try await passOn(
      side, by: policy, because: "\(gone) is gone", link, flow, &work)
  }

  /// Does what `policy` says of a record that is gone on `side`.
  private func passOn(
    _ side: Side, by policy: DeletePolicy, because reason: String, _ link: Link, _ flow: Flow, _ work: inout Work
  ) async throws(Interruption) {
    let gone = link.key(on: side)
    let survivor = link.key(on: side.other)
    switch policy {
    case .ignore:
      var sleeping = link
      sleeping.state = .asleep
      sleeping.reason = "\(gone) is gone"
      work.set(sleeping)
      closeDeletionHolds(&work)
      work.note(.deleted, side: side, rule: 14, "\(gone) is gone; the link sleeps until it is seen again", at: now)
    case .unlink:
      try await askGuard(side, policy, reason, link, flow, &work)
      end(
        link, apart: "its link ended when \(gone) was deleted", side: side,
        "\(gone) is gone; the link ended, and \(survivor) is kept apart", &work)
    case .propagate, .archive:
      guard flow.live >= .all else {
        work.outcome = (
          .held,
          "\(reason); its delete is held back, since flow \(flow.name) is live only up to "
            + flow.live.rawValue
        )
        return
      }
      try await askGuard(side, policy, reason, link, flow, &work)
      try await delete(survivor, archiving: policy == .archive, because: reason, link, flow, &work)
    }
  }

  /// The link is over; what survives is kept apart for the reason given.
  func end(_ link: Link, apart: String?, side: Side, _ sentence: String, _ work: inout Work) {
    var ended = link
    ended.state = .ended
    ended.endedAt = now
    ended.reason = sentence
    work.set(ended)
    for side in Side.allCases {
      guard let apart, var state = work.records[link.key(on: side)], state.presence == .alive else { continue }
      state.apart = apart
      work.set(state)
    }
    work.changes.settledPushes += work.pushes.filter { $0.link == link.id && $0.action != .create }.map(\.id)
    work.pushes.removeAll { $0.link == link.id && $0.action != .create }
    closeDeletionHolds(&work)
    work.note(.unlinked, side: side, rule: 14, sentence, at: now)
  }

  private func closeDeletionHolds(_ work: inout Work) {
    for hold in work.holds where hold.kind == .deletion || hold.cause == .deletedAgainstEdit {
      work.confirmedHolds.remove(hold.id)
    }
  }

  /// Too many deletes at once are held until a person decides.
  private func askGuard(
    _ side: Side, _ policy: DeletePolicy, _ cause: String, _ link: Link, _ flow: Flow, _ work: inout Work
  ) async throws(Interruption) {
    let gone = link.key(on: side)
    let filed = work.holds.first { $0.kind == .deletion }
    if let filed { work.confirmedHolds.insert(filed.id) }
    if filed?.state == .approved { return }
    do throws(StoreError) {
      if try await context.deletions.lets(link, limits: context.settings.deletions, at: now) { return }
    } catch {
      throw .store(error)
    }
    let reason =
      "\(cause), and so it is with more records of flow \(flow.name) than delete_guard lets through: \(policy.effect(on: link.key(on: side.other))) waits for a person"
    if filed == nil {
      var hold = hold(
        work, .deletion, .massDelete, row: nil, basis: gone.description, reason: reason,
        nextStep:
          "let them go with: customer-sync deletes approve, or keep what is left with: customer-sync deletes reject"
      )
      hold.record = gone
      work.file(hold)
      work.note(.deleted, side: side, rule: 14, reason, at: now)
    }
    closeStaleHolds(&work)
    throw .parked(.held, reason: reason)
  }
}

extension Worker {
  /// The events that waited with a delete which is held no more are done with it.
  func takeUpHeldEvents(_ work: inout Work) async throws(Interruption) {
    for hold in work.released {
      for side in Side.allCases {
        guard let id = side == .invoiced ? hold.invoicedID : hold.pmsID else { continue }
        var query = ListQuery(limit: UnitState.mostEvents)
        query.side = side
        query.record = id.text
        query.state = EventState.held.rawValue
        do throws(StoreError) {
          for event in try await context.store.events(query).items {
            work.changes.events.append(
              EventOutcome(
                id: event.id, state: .done, attempts: event.attempts, reason: "the delete is held no more", at: now))
          }
        } catch {
          throw .store(error)
        }
      }
    }
  }

  /// Tells the guard of the deletes that are held no more.
  func release(_ work: Work) async throws(StoreError) {
    for hold in work.released {
      if let flow = hold.flow, let link = hold.link { try await context.deletions.release(link, of: flow) }
    }
  }
}

extension DeletePolicy {
  /// What it does to the record that is left.
  func effect(on survivor: RecordKey) -> String {
    switch self {
    case .propagate: "deleting \(survivor)"
    case .archive: "archiving \(survivor)"
    case .unlink, .ignore: "ending its link with \(survivor)"
    }
  }
}

extension Push {
  /// Whether it deletes or archives this record.
  func deletes(_ key: RecordKey) -> Bool { action == .delete && side == key.side && target == key.id }
}

extension NewEvent {
  /// Asks for nothing but a look at a record.
  static func look(at record: RecordKey, now: Timestamp, _ random: RandomSource) -> NewEvent {
    NewEvent(
      side: record.side, eventID: "look:\(random.idempotencyKey())", type: "record.look", kind: .seen, origin: .person,
      record: record.id, body: [], receivedAt: now)
  }
}
