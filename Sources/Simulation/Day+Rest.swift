import JSON
import Mapping
import Sandbox
import Store
import Sync

/// Rule 22: what must be true when edits have stopped, both sides answer, and a reconcile has been through.
extension Day {
  func checkRest() async {
    do throws(StoreError) {
      let heldBack = try await checkEvents()
      let holds = try await allHolds()
      let links = try await standingLinks()
      for link in links where link.state == .active { checkPair(link, holds, heldBack) }
      for side in Side.allCases {
        try await checkLinked(side, links, holds)
        checkKeys(side)
      }
    } catch {
      judge.fail(.notAtRest, "the store failed: \(error)")
    }
  }

  /// There is no end of work: names what is still pending.
  func tellUnrest() async {
    let pending = (try? await store.events(ListQuery(limit: 1000)).items.filter(\.state.isPending)) ?? []
    let named = pending.prefix(3).map { event in
      "\(event.key?.description ?? "?") is \(event.state.rawValue) since \(event.attempts) attempts (\(event.reason ?? "no reason"))"
    }
    judge.fail(
      .notAtRest, "\(steps) steps of work, and \(pending.count) events pending: \(named.joined(separator: "; "))")
  }

  private func truth(_ side: Side) -> [String: JSONValue] {
    let pairs = (systems[side]?.customers ?? []).compactMap { record in
      record["id"]?.identifier.map { ($0, record) }
    }
    return Dictionary(pairs) { first, _ in first }
  }

  // MARK: Events

  /// - Returns: The records of which an event says that `live` holds something back.
  private func checkEvents() async throws(StoreError) -> Set<RecordKey> {
    var states: [String: EventState] = [:]
    var heldBack: Set<RecordKey> = []
    var query = ListQuery(limit: 1000)
    while true {
      let page = try await store.events(query)
      for event in page.items {
        states["\(event.event.side.rawValue) \(event.event.eventID)"] = event.state
        if event.state == .held, let key = event.key { heldBack.insert(key) }
        if event.state.isPending, let key = event.key, truth(key.side)[key.id.text] != nil {
          judge.fail(
            .notAtRest,
            "event \(event.event.eventID) of \(key) is still \(event.state.rawValue): \(event.reason ?? "no reason")")
        }
      }
      guard let next = page.next else { break }
      query.after = next
    }
    for (side, event) in judge.accepted where states["\(side.rawValue) \(event)"] == nil {
      judge.fail(.acceptedEventLost, "\(side.rawValue) event \(event) was answered 200 and is not in the store")
    }
    return heldBack
  }

  // MARK: Links

  private func allHolds() async throws(StoreError) -> [Hold] {
    var holds: [Hold] = []
    for kind in Hold.Kind.allCases {
      for state in [Hold.State.open, .discarded] {
        var query = ListQuery(limit: 1000)
        query.state = state.rawValue
        holds += try await store.holds(kind, query).items
      }
    }
    return holds
  }

  private func standingLinks() async throws(StoreError) -> [Link] {
    try await store.links(ListQuery(limit: 1000)).items.filter { $0.state != .ended }
  }

  private func isListed(_ key: RecordKey, row: String? = nil, _ holds: [Hold]) -> Bool {
    holds.contains { hold in
      let isAbout = hold.record == key || (key.side == .invoiced ? hold.invoicedID : hold.pmsID) == key.id
      return isAbout && (hold.row == nil || row == nil || hold.row == row)
    }
  }

  private func checkPair(_ link: Link, _ holds: [Hold], _ heldBack: Set<RecordKey>) {
    let (invoicedKey, pmsKey) = (link.key(on: .invoiced), link.key(on: .pms))
    let pair = "\(invoicedKey) and \(pmsKey)"
    guard let flow = mapping.flow(named: link.flow), flow.live >= .updates else { return }
    guard let invoiced = truth(.invoiced)[invoicedKey.id.text], let pms = truth(.pms)[pmsKey.id.text] else {
      // Before the last step of `live`, a delete waits for it.
      if flow.live == .all, !isListed(invoicedKey, holds), !isListed(pmsKey, holds) {
        judge.fail(.deletedButLinked, pair)
      }
      return
    }
    // A pair that its delete waits for, as one event of it says, is written to no more.
    if flow.onLeave == .delete, flow.live < .all, heldBack.contains(invoicedKey) || heldBack.contains(pmsKey),
      case .leaves = Planner.belonging(of: link, invoiced: invoiced, pms: pms, in: mapping)
    {
      return
    }
    for (key, record) in [(invoicedKey, invoiced), (pmsKey, pms)] {
      guard let path = flow.reference(on: key.side), !isListed(key, row: path.description, holds),
        !isListed(link.key(on: key.side.other), row: path.description, holds)
      else { continue }
      let reference = flow.reference(in: record, on: key.side)
      if reference != link.id(on: key.side.other) {
        judge.fail(.pairDiffers, "\(pair): \(key) carries the reference \(reference?.text ?? "nothing") at '\(path)'")
      }
    }
    for row in flow.properties
    where !isListed(invoicedKey, row: row.key, holds) && !isListed(pmsKey, row: row.key, holds) {
      let (left, right) = (row.raw(on: .invoiced, in: invoiced), row.raw(on: .pms, in: pms))
      guard !agrees(row, left, right, link) else {
        if row.direction == .both, judge.isSteady(row), !judge.isDecided(row, of: link),
          !judge.isEntered(row, [.invoiced: invoiced, .pms: pms])
        {
          judge.fail(.editLost, "\(pair): '\(row.invoiced)' = \(left?.text ?? "nothing")")
        }
        if row.direction == .both, judge.isOlderEdit(row, [.invoiced: invoiced, .pms: pms]) {
          judge.fail(.olderEditWon, "\(pair): '\(row.invoiced)' = \(left?.text ?? "nothing")")
        }
        if row.direction == .both,
          judge.isOverwritten(row, [.invoiced: invoiced, .pms: pms], linkedAt: link.createdAt.milliseconds)
        {
          judge.fail(.editOverwritten, "\(pair): '\(row.pms)' = \(right?.text ?? "nothing")")
        }
        continue
      }
      if judge.mayKeepCopy(row, of: link) { continue }
      judge.fail(
        .pairDiffers,
        "\(pair) in flow \(flow.name): '\(row.invoiced)' = \(left?.text ?? "nothing"), '\(row.pms)' = \(right?.text ?? "nothing")"
      )
    }
  }

  /// Of two records with the same key, the service made none (rule 11).
  private func checkKeys(_ side: Side) {
    var found: [String: String] = [:]
    for (id, record) in truth(side).sorted(by: { $0.key < $1.key }) {
      guard let flow = mapping.flow(owning: record, on: side), let key = flow.match.first,
        let text = flow.matchText(key, of: record, on: side)
      else { continue }
      if let other = found[text],
        [id, other].contains(where: { judge.hasMade($0, on: side, with: text, for: key, of: flow) })
      {
        judge.fail(.recordDoubled, "\(side.rawValue):\(other) and \(side.rawValue):\(id) have the same key \(text)")
      }
      found[text] = id
    }
  }

  /// The same meaning, or each side's own form of one value, as it was agreed.
  private func agrees(_ row: PropertyPair, _ invoiced: JSONValue?, _ pms: JSONValue?, _ link: Link) -> Bool {
    guard let left = try? row.canonical(on: .invoiced, raw: invoiced),
      let right = try? row.canonical(on: .pms, raw: pms)
    else { return false }
    if left == right { return true }
    guard let agreed = link.agreed[row.key], !agreed.isBaseOnly else { return false }
    guard row.same(agreed.invoiced, invoiced, on: .invoiced), row.same(agreed.pms, pms, on: .pms) else { return false }
    // A copy that its side filled by itself: its source has nothing to put in its place.
    if row.direction == .toPMS, left.isNothing { return true }
    if row.direction == .toInvoiced, right.isNothing { return true }
    return right.isNear(to: left) || left.isNear(to: right)
  }

  private func checkLinked(_ side: Side, _ links: [Link], _ holds: [Hold]) async throws(StoreError) {
    let linked = Set(links.map { $0.id(on: side) })
    for (id, record) in truth(side).sorted(by: { $0.key < $1.key }) where !linked.contains(RecordID(id)) {
      let key = RecordKey(side, RecordID(id))
      guard let flow = mapping.flow(owning: record, on: side), flow.live >= .creates,
        flow.create.allows(on: side.other), !isListed(key, holds)
      else { continue }
      let state = try await store.record(key)
      if state?.apart == nil { judge.fail(.recordUnlinked, "\(key) in flow \(flow.name)") }
    }
  }
}
