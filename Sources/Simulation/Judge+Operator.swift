import Sync
import Synchronization

/// What the operator's decisions allow.
extension Judge {
  /// Held deletes are let go or rejected; the guard counts anew then.
  func decides(_ held: [Hold], isLet: Bool) {
    state.withLock { state in
      state.deletes = [:]
      guard isLet else { return }
      for hold in held {
        if let id = hold.invoicedID { state.approved.insert("invoiced:\(id)") }
        if let id = hold.pmsID { state.approved.insert("pms:\(id)") }
      }
    }
  }

  /// So many parked entries are tried again.
  func retries(_ count: Int) { state.withLock { $0.retries += count } }
}
