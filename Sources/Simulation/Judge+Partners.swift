import JSON
import Mapping
import Sync
import Synchronization

/// What becomes of pairs when a record is merged away, leaves all flows or is deleted.
extension Judge {
  /// A person merges one of Invoiced's customers into another one.
  func merged(_ lost: String, into kept: String) {
    state.withLock { state in
      state.mergedInto["invoiced:\(lost)"] = "invoiced:\(kept)"
      // It is there, whatever was merged away under its id before.
      state.mergedInto["invoiced:\(kept)"] = nil
    }
  }

  /// A person made a record one that no flow is about; `before` is what it was, `partner` what it is linked with.
  func left(_ record: JSONValue, from before: JSONValue?, partner: String?, on side: Side, _ mapping: Mapping) {
    state.withLock { state in
      state.left.insert(Self.name(record, side))
      if let partner { state.abandoned.insert(partner) }
      guard let before, let flow = mapping.flow(owning: before, on: side) else { return }
      state.leftKeys.formUnion(flow.matchTexts(of: before, on: side))
    }
  }

  /// Whether `on_leave` may take a record along: its partner left, or the one that its partner was merged into, or a
  /// record with its match key right before the two were linked.
  func wasAbandoned(_ record: JSONValue, on side: Side, _ flow: Flow) -> Bool {
    state.withLock { state in
      if state.abandoned.contains(Self.name(record, side)) { return true }
      if let partner = flow.reference(in: record, on: side),
        state.left.contains(state.survivor(of: "\(side.other.rawValue):\(partner)"))
      {
        return true
      }
      return !state.leftKeys.isDisjoint(with: flow.matchTexts(of: record, on: side))
    }
  }

  /// What archives a record whose partner is gone stands in place of what a person had entered there: a merge may yet give
  /// the record another partner (rules 14 and 15).
  func noteArchive(_ body: JSONValue, _ before: JSONValue, _ side: Side, _ exists: (Side, String) -> Bool) {
    for flow in state.withLock({ $0.mappings }).flatMap(\.flows) {
      let archive = flow.archive(on: side)
      guard !archive.isEmpty, body == .mergePatch(setting: archive, base: before),
        let partner = flow.reference(in: before, on: side), !exists(side.other, partner.text)
      else { continue }
      state.withLock { state in
        for assignment in archive {
          state.entered[Self.name(before, side)]?[assignment.path.description] = nil
          for row in rows where row.path(on: side) == assignment.path {
            state.known[row.key, default: []].append((side, assignment.value))
          }
        }
      }
      return
    }
  }

  /// Whether a pair shows a value that was entered elsewhere: of the partner that one of its records had before, until a
  /// merge (rule 15), or a delete that the operator turned down (rule 14).
  func isCarriedOver(_ row: PropertyPair, _ records: [Side: JSONValue], _ state: State) -> Bool {
    let isRestored = records.contains { side, record in state.restored.contains(Self.name(record, side)) }
    guard let kept = records[.invoiced],
      isRestored || state.mergedInto.values.contains(Self.name(kept, .invoiced)),
      let value = try? row.canonical(on: .invoiced, raw: row.raw(on: .invoiced, in: kept))
    else { return false }
    return state.knows(value, of: row, orNear: true)
  }
}

extension Judge.State {
  /// Whether that value of a row was entered on either side, or one that it may be a side's own form of.
  func knows(_ value: Canonical, of row: PropertyPair, orNear: Bool) -> Bool {
    known[row.key, default: []].contains { entry in
      guard let entered = try? row.canonical(on: entry.side, raw: entry.raw) else { return false }
      return value == entered || orNear && value.isNear(to: entered)
    }
  }

  /// The record that stayed of those that one was merged into, itself included.
  fileprivate func survivor(of name: String) -> String {
    var name = name
    while let kept = mergedInto[name] { name = kept }
    return name
  }
}

extension Flow {
  /// A record's match keys with their values, the same on both sides and whichever flow it fits.
  fileprivate func matchTexts(of record: JSONValue, on side: Side) -> [String] {
    match.compactMap { key in matchText(key, of: record, on: side).map { "\(key.invoiced)=\($0)" } }
  }
}
