import Connectors
import JSON
import Mapping
import Store
import Sync

/// The flow that a linked pair is planned by, which may be another one than it was linked in (rule 23).
extension Worker {
  /// What a pair is planned by now.
  struct Course {
    var flow: Flow
    /// The side that is to be sent the flow's constants, because the other one's record came to fit it.
    var follower: Side?
  }

  /// Nil when there is nothing to plan: the link ended, sleeps or waits.
  func course(_ work: inout Work) async throws(Interruption) -> Course? {
    guard let link = work.link, let invoiced = work.records[link.key(on: .invoiced)]?.last?.record,
      let pms = work.records[link.key(on: .pms)]?.last?.record
    else { return nil }
    switch Planner.belonging(of: link, invoiced: invoiced, pms: pms, in: context.mapping) {
    case .stays(let flow): return Course(flow: flow, follower: nil)
    case .moves(let flow, let follower):
      if follower == nil { move(to: flow, &work) }
      return Course(flow: flow, follower: follower)
    case .conflict(let basis, let why):
      waitForDecision(basis, why, &work)
      return nil
    case .leaves(let side): return try await leave(side, &work)
    case .orphaned:
      work.outcome = (.done, "the mapping has no flow '\(link.flow)' any more, and no other one fits")
      return nil
    }
  }

  /// Both records fit the flow: the link is its own from now on. Rows that both flows share keep what was agreed.
  private func move(to flow: Flow, _ work: inout Work) {
    guard var link = work.link, link.flow != flow.name else { return }
    let former = link.flow
    link.flow = flow.name
    work.set(link)
    for side in Side.allCases {
      guard var state = work.records[link.key(on: side)] else { continue }
      state.flow = flow.name
      work.set(state)
    }
    work.note(
      .linked, rule: 23,
      "\(link.key(on: .invoiced)) and \(link.key(on: .pms)) came to fit flow \(flow.name), and their link goes along from flow \(former)",
      at: now)
  }

  private func waitForDecision(_ basis: String, _ why: String, _ work: inout Work) {
    guard let link = work.link else { return }
    work.outcome = (.conflict, why)
    if let filed = work.holds.first(where: { $0.cause == .conflict && $0.row == nil && $0.basis == basis }) {
      work.confirmedHolds.insert(filed.id)
      if filed.state == .discarded { work.outcome = (.done, why) }
      return
    }
    let hold = hold(
      work, .conflict, .conflict, row: nil, basis: basis,
      reason: "\(link.key(on: .invoiced)) and \(link.key(on: .pms)): \(why)",
      nextStep: "change what the flows' `where` looks at on one side, so that both records fit the same flow")
    work.file(hold)
    work.note(.conflict, rule: 23, why, at: now)
  }

  /// A linked record that fits no flow any more: `on_leave` decides.
  private func leave(_ side: Side, _ work: inout Work) async throws(Interruption) -> Course? {
    guard var link = work.link, let flow = context.mapping.flow(named: link.flow) else { return nil }
    let left = link.key(on: side)
    switch flow.onLeave {
    case .keep: return Course(flow: flow, follower: nil)
    case .unlink:
      link.state = .ended
      link.endedAt = now
      link.reason = "\(left) fits no flow any more"
      work.set(link)
      for side in Side.allCases {
        guard var state = work.records[link.key(on: side)] else { continue }
        state.apart = "its link ended when \(left) came to fit no flow"
        work.set(state)
      }
      work.note(
        .unlinked, side: side, rule: 23,
        "\(left) fits no flow any more; on_leave is unlink, so the link ended and both records are kept apart", at: now)
    case .delete:
      try await deletePartner(of: side, because: "\(left) fits no flow any more, and on_leave is delete", &work)
    }
    return nil
  }

  /// What the flow's `live` step held back of these records before, this planning has looked at again: one entry is
  /// enough, or none.
  func takeOverHeldBack(_ work: inout Work) async throws(Interruption) {
    guard let name = work.link?.flow ?? work.records[work.key]?.flow,
      let flow = context.mapping.flow(named: name), flow.live < .all,
      !work.holds.contains(where: { $0.kind == .deletion })
    else { return }
    for key in work.link.map({ link in Side.allCases.map { link.key(on: $0) } }) ?? [work.key] {
      var query = ListQuery(limit: UnitState.mostEvents)
      query.side = key.side
      query.record = key.id.text
      query.state = EventState.held.rawValue
      do throws(StoreError) {
        for event in try await context.store.events(query).items {
          work.changes.events.append(
            EventOutcome(
              id: event.id, state: .done, attempts: event.attempts, reason: "looked at again since", at: now))
        }
      } catch {
        throw .store(error)
      }
    }
  }
}
