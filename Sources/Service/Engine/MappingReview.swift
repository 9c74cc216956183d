import Connectors
import Documents
import JSON
import Mapping
import Signatures
import Store
import Sync

/// What another mapping than the last one asks for (rule 23): linked pairs that are planned otherwise now, and work that
/// a flow's `live` step held back.
struct MappingReview {
  private static let name = "mapping digest"
  private static let page = 500
  let context: EngineContext

  /// Returns how many records are to be looked at; `notify` is told of them page by page.
  func run(_ notify: ([RecordKey]) -> Void) async throws(StoreError) -> Int {
    let mapping = context.mapping
    let digest = Hex.encode(Digest.sha256(Array(MappingDocument.write(mapping).utf8)))
    guard try await context.store.value(Self.name) != digest else { return 0 }
    let count = try await releaseHeld(notify) + reviewLinks(mapping, notify)
    try await context.store.setValue(digest, for: Self.name)
    return count
  }

  /// What was held back is worked on again; it is held again where nothing changed for it.
  private func releaseHeld(_ notify: ([RecordKey]) -> Void) async throws(StoreError) -> Int {
    var query = ListQuery(limit: Self.page)
    query.state = EventState.held.rawValue
    var count = 0
    while true {
      let listing = try await context.store.events(query)
      let now = context.clock.now
      var changes = Changes()
      changes.events = listing.items.map {
        EventOutcome(id: $0.id, state: .waiting, attempts: 0, dueAt: now, reason: "the mapping changed", at: now)
      }
      if !changes.events.isEmpty { _ = try await context.store.commit(changes) }
      notify(listing.items.compactMap(\.key))
      count += listing.items.count
      guard let next = listing.next else { return count }
      query.after = next
    }
  }

  private func reviewLinks(_ mapping: Mapping, _ notify: ([RecordKey]) -> Void) async throws(StoreError) -> Int {
    var query = ListQuery(limit: Self.page)
    var count = 0
    while true {
      let listing = try await context.store.links(query)
      var changes = Changes()
      var keys: [RecordKey] = []
      for link in listing.items where link.state == .active {
        guard try await isPlannedOtherwise(link, mapping) else { continue }
        let key = link.key(on: .invoiced)
        keys.append(key)
        changes.followUps.append(.look(at: key, now: context.clock.now, context.random))
      }
      if !keys.isEmpty { _ = try await context.store.commit(changes) }
      notify(keys)
      count += keys.count
      guard let next = listing.next else { return count }
      query.after = next
    }
  }

  /// Whether the pair, as it was seen last, isn't at rest.
  private func isPlannedOtherwise(_ link: Link, _ mapping: Mapping) async throws(StoreError) -> Bool {
    let unit = try await context.store.unit(of: link.key(on: .invoiced))
    guard let invoiced = unit.records[link.key(on: .invoiced)]?.last?.record,
      let pms = unit.records[link.key(on: .pms)]?.last?.record
    else { return false }
    guard case .stays(let flow) = Planner.belonging(of: link, invoiced: invoiced, pms: pms, in: mapping) else {
      return true
    }
    let plan = Planner.plan(
      PlanInput(
        flow: flow, link: link, invoiced: invoiced, pms: pms,
        invoicedID: link.key(on: .invoiced).json(in: invoiced, idPath: context.connector(.invoiced).idPath),
        pmsID: link.key(on: .pms).json(in: pms, idPath: context.connector(.pms).idPath), holds: unit.holds))
    return !plan.isQuiet || !plan.agreed.isEmpty || !plan.dropped.isEmpty || !plan.conflicts.isEmpty
      || plan.misfit != nil
  }
}
