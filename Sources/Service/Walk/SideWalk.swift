import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync

/// Walks the pages of one side, and hands what isn't in order to the workers as events of the inbox. It writes to
/// neither side, and decides nothing about a record: there is one engine (rule 21).
struct SideWalk: Sendable {
  let context: EngineContext
  let side: Side
  let run: WalkRun
  let inbox: WalkInbox
  /// Flows that say something else than at the last full pass.
  var changedFlows: Set<String> = []

  /// How far a bookmark is taken back: clocks differ, and a change shows up a moment after the time that it bears.
  static let overlap: Duration = .seconds(120)
  /// Above this many pages' worth of bits, the place isn't kept after each page.
  private static let smallPlace = 4096
  private static let pagesBetween = 20

  // MARK: What changed

  /// Walks what changed since the bookmark. A failure leaves the bookmark where it was.
  func changes() async throws(WalkError) {
    let name = WalkName.bookmark(side)
    guard let since = try await timestamp(name), context.connector(side).abilities.canListChanges else {
      return try await everything()
    }
    try await keep(try await changes(since: since).milliseconds.description, as: name)
  }

  /// - Returns: When it began, by the side's clock.
  private func changes(since: Timestamp, isCounted: Bool = true) async throws(WalkError) -> Timestamp {
    let start = context.clock.now
    var (cursor, began): (ListCursor?, Timestamp?) = (nil, nil)
    repeat {
      let page = try await page(since: since.adding(.zero - Self.overlap), cursor)
      began = began ?? start.adding(offset)
      try await take(page, isCounted: isCounted)
      cursor = page.next
    } while cursor != nil
    return began ?? start
  }

  // MARK: Everything

  /// Walks all records; a pass that was broken off just now goes on where it stopped.
  func everything() async throws(WalkError) {
    let name = WalkName.place(run.request, side)
    let mapping = context.digests.text
    var place = try await value(name).flatMap { PassPlace(text: $0) } ?? PassPlace()
    let wasBegun = place.cursor != nil && place.mapping == mapping && isRecent(place)
    if !wasBegun { place = try await fresh(mapping) }
    let isResumed = try await finish(&place, as: name, isResumed: wasBegun)
    if run.request.kind == .reconcile {
      // What had been listed before it was broken off may have changed since.
      if isResumed, context.connector(side).abilities.canListChanges, let began = place.began {
        _ = try await changes(since: began, isCounted: false)
      } else if isResumed {
        place = try await fresh(mapping)
        _ = try await finish(&place, as: name, isResumed: false)
      }
      try await lookForMissing(place)
    }
    if run.request.flow == nil, let began = place.began {
      let bookmark = try await timestamp(WalkName.bookmark(side))
      let newer = max(began, bookmark ?? began)
      if run.request.kind == .reconcile || bookmark == nil {
        try await keep("\(newer.milliseconds)", as: WalkName.bookmark(side))
      }
    }
    try await keep(nil, as: name)
  }

  /// What was listed long ago says little about now. A backfill leaves that to the walks after it, which begin where it
  /// began.
  private func isRecent(_ place: PassPlace) -> Bool {
    guard run.request.kind == .reconcile else { return true }
    return place.keptAt.map { context.clock.now.since($0) <= context.settings.reconcileEvery } ?? false
  }

  /// Walks the pages from the place on.
  /// - Returns: Whether it went on from there, and not from the beginning after all.
  private func finish(
    _ place: inout PassPlace, as name: String, isResumed: Bool
  ) async throws(WalkError) -> Bool {
    var (isFirst, isResumed, unsaved) = (true, isResumed, 0)
    run.update { [place] in $0.rows[side] = place.rows }
    while true {
      let start = context.clock.now
      let page: ListPage
      do throws(WalkError) { page = try await self.page(since: nil, place.cursor) } catch {
        // A cursor that the side doesn't know any more: from the beginning, where most rows are in order by now.
        guard isFirst, isResumed, case .side(.refused(_, let status, _, _, _)) = error, 400..<500 ~= status else {
          throw error
        }
        isResumed = false
        place = try await fresh(place.mapping)
        run.update { $0.rows[side] = 0 }
        continue
      }
      isFirst = false
      if place.began == nil { place.began = start.adding(offset) }
      try await note(page, in: &place)
      place.cursor = page.next
      place.keptAt = context.clock.now
      unsaved += 1
      guard page.next != nil else { return isResumed }
      if place.seen.bytes.count < Self.smallPlace || unsaved >= Self.pagesBetween {
        try await keep(place.text, as: name)
        unsaved = 0
      }
    }
  }

  private func fresh(_ mapping: String) async throws(WalkError) -> PassPlace {
    var place = PassPlace()
    place.mapping = mapping
    do throws(StoreError) { place.newest = try await context.store.newestNumber() } catch { throw .store(error) }
    return place
  }

  private func note(_ page: ListPage, in place: inout PassPlace) async throws(WalkError) {
    place.rows += page.items.count
    try await take(page)
    do throws(StoreError) {
      for number in try await context.store.numbers(of: page.items.map(\.key.id), on: side).values {
        place.seen.insert(number)
      }
    } catch {
      throw .store(error)
    }
  }

  // MARK: Records that are known and weren't listed

  private static let slice = 500
  /// A listing that leaves out more than this many, and more than one in five, is put to the proof.
  private static let doubtful = 1000

  /// What isn't listed may be deleted or merged away, or the listing lies: each is looked at, and rule 6 confirms it.
  private func lookForMissing(_ place: PassPlace) async throws(WalkError) {
    guard try await isBelievable(place) else { return }
    try await forEachMissing(place) { (keys) async throws(WalkError) in
      var events: [NewEvent] = []
      for key in keys {
        let unit = try await unit(of: key)
        guard unit.link != nil || unit.records[key]?.flow != nil,
          !unit.events.contains(where: { $0.key == key && $0.event.body.isEmpty })
        else { continue }
        events.append(inbox.event(about: key, body: []))
      }
      run.update { $0.missing += events.count }
      try await inbox.append(events)
      return true
    }
  }

  /// Whether records are missing, and the listing is to be believed: one that came back empty, or lost its later pages,
  /// would have every record fetched, so a few are tried first.
  private func isBelievable(_ place: PassPlace) async throws(WalkError) -> Bool {
    var (missing, first): (Int, [RecordKey]) = (0, [])
    try await forEachMissing(place) { (keys) async throws(WalkError) in
      missing += keys.count
      first += keys.prefix(max(0, 5 - first.count))
      return true
    }
    guard missing > Self.doubtful, missing * 5 > place.rows else { return missing > 0 }
    for key in first {
      if case .gone = try await call({ (connector) async throws(ConnectorError) in try await connector.fetch(key.id) })
      {
        return true
      }
    }
    context.logger.warning(
      "a listing left out records that are there; its gaps are not believed",
      metadata: [LogKey.side: "\(side.rawValue)", "missing": "\(missing)", "listed": "\(place.rows)"])
    return false
  }

  private func forEachMissing(
    _ place: PassPlace, _ body: ([RecordKey]) async throws(WalkError) -> Bool
  ) async throws(WalkError) {
    let seen = place.seen
    var after: RecordID?
    while true {
      try checkCancelled()
      let slice: [RecordKey]
      do throws(StoreError) {
        slice = try await context.store.alive(
          on: side, after: after, upTo: place.newest, unless: { seen.contains($0) }, limit: Self.slice)
      } catch {
        throw .store(error)
      }
      guard !slice.isEmpty, try await body(slice), slice.count == Self.slice else { return }
      after = slice.last?.id
    }
  }

  // MARK: Parts

  private var offset: Duration { context.connector(side).clockOffset ?? .zero }

  /// Hands the rows that need it to the workers; those that the run has counted before aren't counted again.
  private func take(_ page: ListPage, isCounted: Bool = true) async throws(WalkError) {
    let judge = SightingJudge(context, side: side, changedFlows: changedFlows, flow: run.request.flow)
    var events: [NewEvent] = []
    var seen: Set<RecordKey> = []
    for row in page.items where seen.insert(row.key).inserted {
      let unit = try await unit(of: row.key)
      var needsWork = judge.needsWork(row, unit)
      if !needsWork { needsWork = try await isFreed(unit) }
      if needsWork {
        events.append(inbox.event(about: row.key, body: row.record.serialized))
      }
    }
    run.update { progress in
      progress.side = side
      if isCounted { progress.rows[side, default: 0] += seen.count }
      if isCounted, let total = page.total { progress.totals[side] = total }
      progress.changed += events.count
    }
    try await inbox.append(events)
  }

  /// Whether the record waits with an ambiguous match that isn't one any more.
  private func isFreed(_ unit: UnitState) async throws(WalkError) -> Bool {
    guard run.request.isFull, unit.events.isEmpty else { return false }
    do throws(StoreError) {
      for hold in unit.holds where try await context.isFreed(hold, of: unit) { return true }
    } catch {
      throw .store(error)
    }
    return false
  }

  private func page(since: Timestamp?, _ cursor: ListCursor?) async throws(WalkError) -> ListPage {
    try checkCancelled()
    try await inbox.waitForRoom()
    let page = try await call { (connector) async throws(ConnectorError) in
      try await connector.list(updatedSince: since, cursor: cursor)
    }
    guard page.items.isEmpty else { return page }
    // An empty page ends most listings, and may be a lie: it is asked for once more.
    return try await call { (connector) async throws(ConnectorError) in
      try await connector.list(updatedSince: since, cursor: cursor)
    }
  }

  private func call<Result: Sendable>(
    _ body: (any Connector) async throws(ConnectorError) -> Result
  ) async throws(WalkError) -> Result {
    try await WalkCaller(context: context, side: side).call(body)
  }

  private func checkCancelled() throws(WalkError) { if Task.isCancelled { throw .cancelled } }

  private func unit(of key: RecordKey) async throws(WalkError) -> UnitState {
    do throws(StoreError) { return try await context.store.unit(of: key) } catch { throw .store(error) }
  }

  private func value(_ name: String) async throws(WalkError) -> String? {
    do throws(StoreError) { return try await context.store.value(name) } catch { throw .store(error) }
  }

  private func timestamp(_ name: String) async throws(WalkError) -> Timestamp? {
    try await value(name).flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
  }

  private func keep(_ value: String?, as name: String) async throws(WalkError) {
    do throws(StoreError) { try await context.store.setValue(value, for: name) } catch { throw .store(error) }
  }
}

extension ConnectorAbilities {
  /// Whether what changed since a moment can be listed, and told by its version.
  var canListChanges: Bool { listsUpdatedSince && hasVersions }
}
