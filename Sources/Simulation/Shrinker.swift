import Mapping

/// Makes a failing day shorter: switches off its items, many at a time and then one by one, while the same invariant
/// still breaks.
struct Shrinker {
  let run: (Scenario) -> Simulator.Outcome
  /// How much work may go into it, in steps: days that never come to rest are long.
  var patience = 3_000_000

  /// - Returns: The shortest day found that breaks the same invariant.
  mutating func shrink(_ scenario: Scenario, breaking invariant: Invariant) -> Scenario {
    var best = scenario
    var size = max(1, best.items.count / 2)
    while true {
      var hasShrunk = false
      var index = 0
      while index < best.items.count, patience > 0 {
        let items = best.items
        let end = min(index + size, items.count)
        let shorter = best.without(Set(items[index..<end]))
        // The last change of an edit stays.
        guard shorter.items.count < items.count else {
          index = end
          continue
        }
        let outcome = run(shorter)
        patience -= outcome.steps + 1000
        if outcome.violation?.invariant == invariant {
          best = shorter
          hasShrunk = true
        } else {
          index = end
        }
      }
      if patience <= 0 { break }
      if size > 1 { size = max(1, size / 2) } else if !hasShrunk { break }
    }
    return best
  }
}

extension Scenario {
  /// One thing that can be taken away.
  enum Item: Hashable {
    case edit(Int), decision(Int), fault(Int), webhookFault(Int), storeFault(Int), outage(Int), crash(Int), reconcile(
      Int64)
    case mapping(crash: Int)
    case change(edit: Int, index: Int)
    case normalising, skew(Side), onlyIDs
  }

  var items: [Item] {
    var items: [Item] = faults.map { .fault($0.number) } + webhookFaults.map { .webhookFault($0.number) }
    items += storeFaults.map { .storeFault($0.number) }
    items += crashes.filter { $0.mapping != nil }.map { .mapping(crash: $0.number) }
    items += outages.map { .outage($0.number) } + crashes.map { .crash($0.number) } + reconciles.map { .reconcile($0) }
    items += decisions.map { .decision($0.number) } + edits.map { .edit($0.number) }
    if surroundings.normalises { items.append(.normalising) }
    if surroundings.callbacksCarryOnlyID { items.append(.onlyIDs) }
    items += Side.allCases.filter { surroundings.skews[$0] != nil }.map { .skew($0) }
    for edit in edits {
      if case .update(let changes) = edit.action, changes.count > 1 {
        items += changes.indices.map { .change(edit: edit.number, index: $0) }
      }
    }
    return items
  }

  func without(_ items: Set<Item>) -> Scenario {
    var shorter = self
    shorter.faults.removeAll { items.contains(.fault($0.number)) }
    shorter.webhookFaults.removeAll { items.contains(.webhookFault($0.number)) }
    shorter.storeFaults.removeAll { items.contains(.storeFault($0.number)) }
    shorter.outages.removeAll { items.contains(.outage($0.number)) }
    shorter.crashes.removeAll { items.contains(.crash($0.number)) }
    shorter.reconciles.removeAll { items.contains(.reconcile($0)) }
    shorter.edits.removeAll { items.contains(.edit($0.number)) }
    shorter.decisions.removeAll { items.contains(.decision($0.number)) }
    if items.contains(.normalising) { shorter.surroundings.normalises = false }
    if items.contains(.onlyIDs) { shorter.surroundings.callbacksCarryOnlyID = false }
    for side in Side.allCases where items.contains(.skew(side)) { shorter.surroundings.skews[side] = nil }
    for index in shorter.crashes.indices where items.contains(.mapping(crash: shorter.crashes[index].number)) {
      shorter.crashes[index].mapping = nil
    }
    for index in shorter.edits.indices {
      guard case .update(let changes) = shorter.edits[index].action else { continue }
      let number = shorter.edits[index].number
      let kept = changes.indices.filter { !items.contains(.change(edit: number, index: $0)) }.map { changes[$0] }
      if kept.count < changes.count, !kept.isEmpty { shorter.edits[index].action = .update(changes: kept) }
    }
    return shorter
  }
}
