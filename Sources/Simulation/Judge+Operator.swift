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
      for hold in conflicts {
        guard let invoiced = hold.invoicedID, let row = hold.row else { continue }
        state.decided.insert("\(invoiced) \(row)")
      }
      let deletes = conflicts.filter { $0.cause == .deletedAgainstEdit }
      state.approve(deletes.filter { $0.record?.side == side })
      for hold in deletes where hold.record?.side == side.other {
        guard let id = side == .invoiced ? hold.invoicedID : hold.pmsID else { continue }
        state.restored.insert("\(side.rawValue):\(id)")
      }
    }
  }

  /// Whether the operator decided a conflict of that row: an edit of before may stand.
  func isDecided(_ row: PropertyPair, of link: Link) -> Bool {
    state.withLock { $0.decided.contains("\(link.invoiced) \(row.key)") }
  }

  /// Whether the copy of a row that is one-way, or was, may stay as it was edited, since the operator took it.
  func mayKeepCopy(_ row: PropertyPair, of link: Link) -> Bool {
    (row.direction != .both || !isSteady(row)) && isDecided(row, of: link)
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
