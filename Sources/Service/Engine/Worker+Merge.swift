import Connectors
import JSON
import Mapping
import Store
import Sync

/// Merges: the link of the record that went away moves to the one that stayed (rule 15).
extension Worker {
  /// Event ids are taken before commits are ordered, and clocks differ.
  private static let overlap: Duration = .seconds(300)

  /// Carries out what merge events of this unit say; true where the unit is to be loaded anew.
  func carryOutMerges(_ work: inout Work) async throws(Interruption) -> Bool {
    var isAnew = false
    for event in work.events where event.event.kind == .merged {
      guard let body = try? JSONValue(parsing: event.event.body), let merge = Merge(body) else { continue }
      if try await carryOut(merge, &work) { isAnew = true }
    }
    return isAnew
  }

  /// The merge that an Invoiced record which gave 404 went away by; nil for a record that was deleted.
  func merge(of state: RecordState, _ work: Work) async throws(Interruption) -> Merge? {
    guard state.key.side == .invoiced, let last = state.last else { return nil }
    let seen = last.seenAt.adding(context.connector(.invoiced).clockOffset ?? .zero)
    let since = min(seen, last.version?.timestamp ?? seen).adding(.zero - Self.overlap)
    return try await merges(since: since, relatedTo: nil, work).last { $0.lost == state.key }
  }

  /// What the Events API tells of merges, oldest first.
  private func merges(since: Timestamp, relatedTo id: RecordID?, _ work: Work) async throws(Interruption) -> [Merge] {
    let events = try await call(.invoiced, work) { (connector) async throws(ConnectorError) in
      do throws(ConnectorError) {
        return try await connector.events(since: since, relatedTo: id, type: "customer.merged")
      } catch {
        // One without an Events API has no merges to tell of.
        guard error.status == 404 || error.status == 405 else { throw error }
        return nil
      }
    }
    return events?.compactMap { Merge($0) } ?? []
  }

  /// An earlier merge, not told yet, by which the lost record had absorbed one that is linked.
  private func earlier(_ merge: Merge, _ work: Work) async throws(Interruption) -> Merge? {
    // The history of all that were absorbed answers under the one that stayed.
    let told = try await merges(since: Timestamp(milliseconds: 0), relatedTo: merge.kept.id, work)
    var absorbed: Set<RecordKey> = [merge.lost]
    for earlier in told.reversed() where absorbed.contains(earlier.kept) && earlier.lost != merge.kept {
      absorbed.insert(earlier.lost)
      if try await unit(of: earlier.lost).link != nil { return earlier }
    }
    return nil
  }

  /// Moves a link, or marks what is to be treated as deleted; true where the unit in hand is to be loaded anew.
  @discardableResult
  func carryOut(_ merge: Merge, _ work: inout Work) async throws(Interruption) -> Bool {
    guard work.lease.take(merge.lost), work.lease.take(merge.kept) else { throw .busy }
    try await commit(&work)
    let (lost, kept) = (try await unit(of: merge.lost), try await unit(of: merge.kept))
    markLost(merge, lost.records[merge.lost], &work)
    guard let link = try await movable(lost, merge) else {
      guard kept.link == nil, let earlier = try await earlier(merge, work) else { return false }
      return try await carryOut(earlier, &work)
    }
    if let other = kept.link {
      guard link.state != .ended else { return false }
      work.note(
        .merged, side: .invoiced, rule: 15,
        "\(merge.lost) was merged into \(merge.kept), which is linked with \(other.key(on: .pms)): it is treated as deleted",
        at: now)
      try await lookAtLost(merge, link, &work)
      return false
    }
    if kept.pushes.create(for: merge.kept) != nil {
      guard merge.kept == work.key, work.pushes.create(for: work.key) != nil else {
        throw .later(now.adding(min(context.settings.confirm, .seconds(1))), reason: "\(merge.kept) is being created")
      }
      // This event comes with every look at the record: nothing but this look would settle its create.
      _ = try await settleOwnCreate(&work)
      return try await carryOut(merge, &work)
    }
    if try await move(link, by: merge, lost, kept, &work) { return true }
    // The one that stayed is gone too, or was absorbed by one that is linked: the lost one is treated as deleted.
    if link.state != .ended { try await lookAtLost(merge, link, &work) }
    return false
  }

  /// What the lost record's end means for its link is its own unit's business.
  private func lookAtLost(_ merge: Merge, _ link: Link, _ work: inout Work) async throws(Interruption) {
    if work.link?.id == link.id { return }
    work.changes.followUps.append(.look(at: merge.lost, now: now, context.random))
    try await commit(&work)
    wake(.now([merge.lost]))
  }

  private func unit(of key: RecordKey) async throws(Interruption) -> UnitState {
    do throws(StoreError) { return try await context.store.unit(of: key) } catch { throw .store(error) }
  }

  /// Nothing as old as the merge revives it.
  private func markLost(_ merge: Merge, _ known: RecordState?, _ work: inout Work) {
    var state = known ?? RecordState(key: merge.lost, firstSeenAt: now)
    guard state.presence != .gone else { return }
    state.presence = .gone
    state.goneAt = [merge.at, goneAt(state)].compactMap(\.self).max()
    state.doubtSince = nil
    work.set(state)
    work.note(.merged, side: .invoiced, rule: 15, "\(merge.lost) was merged into \(merge.kept)", at: now)
  }

  /// The lost record's link: the one that it has, or, where the merge is told late, the one that ended with it.
  private func movable(_ lost: UnitState, _ merge: Merge) async throws(Interruption) -> Link? {
    if let link = lost.link { return link }
    // A person who unlinked it kept it apart; a delete marks what survives.
    guard lost.records[merge.lost]?.apart == nil else { return nil }
    var query = ListQuery(limit: 1000)
    query.record = merge.lost.id.text
    query.side = .invoiced
    query.state = Link.State.ended.rawValue
    let ended: [Link]
    do throws(StoreError) { ended = try await context.store.links(query).items } catch { throw .store(error) }
    guard let link = ended.last else { return nil }
    let partner = try await unit(of: link.key(on: .pms))
    return partner.link == nil && partner.records[link.key(on: .pms)]?.presence == .alive ? link : nil
  }

  private func move(_ link: Link, by merge: Merge, _ lost: UnitState, _ kept: UnitState, _ work: inout Work)
    async throws(Interruption) -> Bool
  {
    let partner = link.key(on: .pms)
    guard work.lease.take(partner) else { throw .busy }
    guard let seen = try await survivor(merge, kept, &work) else { return false }
    var states: [RecordState] = []
    for key in [seen.key, partner] {
      let known = try await unit(of: key).records[key]
      var state = work.records[key] ?? known ?? RecordState(key: key, firstSeenAt: now)
      state.apart = nil
      states.append(state)
    }
    var moved = link
    moved.invoiced = seen.key.id
    moved.state = .active
    moved.endedAt = nil
    moved.reason = nil
    (moved.invoicedReference, moved.pmsReference) = (nil, nil)
    moved.invoicedEdits = [:]
    // Where the survivor has nothing, its partner fills the gap; the absorbed one's values say nothing of it.
    if let flow = context.mapping.flow(named: link.flow) {
      for row in flow.properties where row.same(nil, row.raw(on: .invoiced, in: seen.record), on: .invoiced) {
        moved.agreed[row.key] = nil
      }
    }
    for state in states { work.set(state) }
    work.set(moved)
    work.changes.settledPushes += lost.pushes.filter { $0.action != .create }.map(\.id)
    work.changes.closedHolds += (lost.holds + kept.holds).map(\.id)
    work.changes.followUps.append(.look(at: seen.key, now: now, context.random))
    work.note(
      .merged, side: .invoiced, rule: 15,
      "\(merge.lost) was merged into \(seen.key): its link with \(partner) moved there", at: now)
    try await commit(&work)
    for hold in lost.holds + kept.holds where hold.kind == .deletion { work.released.append(hold) }
    // The link is another unit's now.
    work.link = nil
    work.holds = []
    work.pushes = []
    wake(.now([seen.key]))
    return true
  }

  /// The record that stayed, as it is now; where it was merged away too, the one that stayed then.
  private func survivor(_ merge: Merge, _ known: UnitState, _ work: inout Work) async throws(Interruption)
    -> Observation?
  {
    var (key, state) = (merge.kept, work.records[merge.kept] ?? known.records[merge.kept])
    // Each was absorbed later than the one before it, so this ends.
    for _ in 0..<20 {
      let id = key.id
      let fetched = try await call(.invoiced, work) { (connector) async throws(ConnectorError) in
        try await connector.fetch(id)
      }
      if case .found(let seen) = fetched {
        if work.records[key] == nil { work.records[key] = state }
        if Judgement.of(seen, against: work.state(of: key, now: now), paths: []) != .stale { accept(seen, &work) }
        return seen
      }
      var last = state ?? RecordState(key: key, firstSeenAt: now)
      last.last =
        last.last
        ?? Observation(
          key: key, record: [:], version: merge.at.map { Version(nanoseconds: $0.milliseconds * 1_000_000) },
          source: .listing, seenAt: now)
      guard let next = try await self.merge(of: last, work) else { return nil }
      guard work.lease.take(next.kept) else { throw .busy }
      let unit = try await unit(of: next.kept)
      guard unit.link == nil else { return nil }
      (key, state) = (next.kept, unit.records[next.kept])
    }
    return nil
  }
}
