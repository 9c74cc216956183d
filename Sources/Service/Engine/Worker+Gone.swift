import Connectors
import JSON
import Mapping
import Store
import Sync

/// A linked record is gone: the flow's policy decides (rule 14).
extension Worker {
  /// The other side's record is deleted as if `side`'s had been (rule 23, `on_leave: delete`).
  func deletePartner(of side: Side, because reason: String, _ work: inout Work) async throws(Interruption) {
    try await recordGone(side, &work)
  }

  func recordGone(_ side: Side, _ work: inout Work) async throws(Interruption) {
    guard var link = work.link, let flow = context.mapping.flow(named: link.flow) else { return }
    let gone = link.key(on: side)
    let survivor = link.key(on: side.other)
    let policy = flow.deletePolicy(deletedOn: side)
    switch policy {
    case .ignore:
      link.state = .asleep
      link.reason = "\(gone) is gone"
      work.set(link)
      work.note(.deleted, side: side, rule: 14, "\(gone) is gone; the link sleeps until it is seen again", at: now)
    case .unlink, .propagate, .archive:
      link.state = .ended
      link.endedAt = now
      link.reason = "\(gone) is gone"
      work.set(link)
      if var state = work.records[survivor], state.presence == .alive {
        state.apart = "its link ended when \(gone) was deleted"
        work.set(state)
      }
      work.note(
        .unlinked, side: side, rule: 14, "\(gone) is gone; the link ended, and \(survivor) is kept apart", at: now)
    }
  }
}
