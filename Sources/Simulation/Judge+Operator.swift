import Mapping
import Sync
import Synchronization

/// What the operator's decisions allow.
extension Judge {
  /// Held deletes are let go or rejected; the guard counts anew then.
  func decides(_ held: [Hold], isLet: Bool) {
    state.withLock { state in
      state.deletes = [:]
      if isLet { state.approve(held) }
    }
  }

  /// One side counts in these conflicts: its value, or its delete.
  func takes(_ side: Side, in conflicts: [Hold]) {
    state.withLock { state in
      state.retries += conflicts.count
      let deletes = conflicts.filter { $0.cause == .deletedAgainstEdit }
      state.approve(deletes.filter { $0.record?.side == side })
      for hold in deletes where hold.record?.side == side.other {
        guard let id = side == .invoiced ? hold.invoicedID : hold.pmsID else { continue }
        state.restored.insert("\(side.rawValue):\(id)")
      }
    }
  }

  /// So many parked entries are tried again.
  func retries(_ count: Int) { state.withLock { $0.retries += count } }
}

extension Judge.State {
  /// A person let these deletes go.
  fileprivate mutating func approve(_ deletes: [Hold]) {
    for hold in deletes {
      if let id = hold.invoicedID { approved.insert("invoiced:\(id)") }
      if let id = hold.pmsID { approved.insert("pms:\(id)") }
    }
  }
}
