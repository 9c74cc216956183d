import Connectors
import JSON
import Mapping
import Store
import Sync

/// Compares every record of both sides as they are listed now. Nothing is written, neither to a side nor to the store.
///
/// Bounded in memory: Invoiced's linked records wait on a scratch disk for their partners to be listed.
struct Audit {
  private let context: EngineContext
  private let mapping: Mapping
  private let flow: String?
  private let waiting: ScratchRecords
  private let listed: [Side: ScratchRecords]
  private var reports: [String: AuditReport.FlowReport] = [:]
  /// Pairs that differ are looked at once more, record by record: they may have been listed at different moments.
  private var looks = 0
  private static let mostLooks = 500

  init(_ context: EngineContext, flow: String?) throws(WalkError) {
    self.context = context
    self.flow = flow
    mapping = context.mapping
    do throws(StoreError) {
      waiting = try ScratchRecords()
      listed = [.invoiced: try ScratchRecords(), .pms: try ScratchRecords()]
    } catch {
      throw .store(error)
    }
    for flow in mapping.flows where self.flow.map({ flow.name == $0 }) ?? true {
      reports[flow.name] = AuditReport.FlowReport(flow)
    }
  }

  mutating func report() async throws(WalkError) -> AuditReport {
    for side in Side.allCases {
      var cursor: ListCursor?
      repeat {
        if Task.isCancelled { throw .cancelled }
        let page = try await list(side, cursor)
        for row in page.items where try first(row) { try await take(row) }
        cursor = page.next
      } while cursor != nil
    }
    try await takeLeft()
    try await countHolds()
    return AuditReport(at: context.clock.now, flows: mapping.flows.compactMap { reports[$0.name] })
  }

  /// Whether the row wasn't listed before.
  private func first(_ row: Observation) throws(WalkError) -> Bool {
    do throws(StoreError) { return try listed[row.key.side]?.put(row.key.id, []) ?? false } catch {
      throw .store(error)
    }
  }

  private mutating func take(_ row: Observation) async throws(WalkError) {
    let (key, side) = (row.key, row.key.side)
    let unit = try await unit(of: key)
    if let link = unit.link, link.state == .active {
      guard reports[link.flow] != nil else { return }
      reports[link.flow]?.records[side, default: 0] += 1
      try await takeLinked(row, link)
      return
    }
    guard let owner = mapping.flow(owning: row.record, on: side), reports[owner.name] != nil else { return }
    reports[owner.name]?.records[side, default: 0] += 1
    if try await isKeptApart(key, unit) {
      reports[owner.name]?.apart[side, default: []].append(key.id)
    } else if !unit.events.isEmpty {
      reports[owner.name]?.inFlight += 1
    } else if owner.create.allows(on: side.other) {
      reports[owner.name]?.unlinked[side, default: []].append(key.id)
    }
  }

  /// By a person or a policy, or since it was forgotten (rule 24).
  private func isKeptApart(_ key: RecordKey, _ unit: UnitState) async throws(WalkError) -> Bool {
    if unit.records[key]?.apart != nil || unit.link != nil { return true }
    do throws(StoreError) { return try await context.store.isForgotten(key) } catch { throw .store(error) }
  }

  private mutating func takeLinked(_ row: Observation, _ link: Link) async throws(WalkError) {
    if row.key.side == .invoiced {
      do throws(StoreError) { _ = try waiting.put(link.pms, row.record.serialized) } catch { throw .store(error) }
      return
    }
    let partner: [UInt8]?
    do throws(StoreError) { partner = try waiting.take(row.key.id) } catch { throw .store(error) }
    if let record = partner.flatMap({ try? JSONValue(parsing: $0) }) {
      try await compare(link, invoiced: record, pms: row.record)
    } else if let found = try await fetch(link.key(on: .invoiced)) {
      try await compare(link, invoiced: found, pms: row.record)
    } else {
      reports[link.flow]?.unlinked[.pms, default: []].append(row.key.id)
    }
  }

  /// Invoiced's linked records whose partner wasn't listed.
  private mutating func takeLeft() async throws(WalkError) {
    var after: RecordID?
    while true {
      let slice: [(id: RecordID, value: [UInt8])]
      do throws(StoreError) { slice = try waiting.left(after: after, limit: 100) } catch { throw .store(error) }
      guard let last = slice.last else { return }
      for (id, value) in slice {
        guard let record = try? JSONValue(parsing: value) else { continue }
        let key = RecordKey(.pms, id)
        guard let link = try await unit(of: key).link else { continue }
        if let found = try await fetch(key) {
          try await compare(link, invoiced: record, pms: found)
        } else {
          reports[link.flow]?.unlinked[.invoiced, default: []].append(link.invoiced)
        }
      }
      after = last.id
    }
  }

  // MARK: Pairs

  private enum Verdict { case agreeing, equivalent, differing }

  private mutating func compare(_ link: Link, invoiced: JSONValue, pms: JSONValue) async throws(WalkError) {
    guard let flow = reports[link.flow]?.flow else { return }
    reports[link.flow]?.linked += 1
    var (invoiced, pms, link) = (invoiced, pms, link)
    var verdicts = flow.properties.map { Self.verdict($0, link, invoiced, pms) }
    var isInFlight = false
    if verdicts.contains(.differing) {
      isInFlight = try await !unit(of: link.key(on: .invoiced)).events.isEmpty
      if !isInFlight, looks < Self.mostLooks {
        looks += 1
        invoiced = try await fetch(link.key(on: .invoiced)) ?? invoiced
        pms = try await fetch(link.key(on: .pms)) ?? pms
        let now = try await unit(of: link.key(on: .invoiced))
        link = now.link ?? link
        verdicts = flow.properties.map { Self.verdict($0, link, invoiced, pms) }
        isInFlight = verdicts.contains(.differing) && !now.events.isEmpty
      }
    }
    if isInFlight { reports[link.flow]?.inFlight += 1 }
    if !verdicts.contains(.differing) { reports[link.flow]?.agreeing += 1 }
    for (index, verdict) in verdicts.enumerated() {
      let row = flow.properties[index]
      switch verdict {
      case .agreeing: reports[link.flow]?.properties[index].agreeing += 1
      case .equivalent: reports[link.flow]?.properties[index].equivalent += 1
      // The workers have it in hand, and say so in `in_flight`.
      case .differing where isInFlight: break
      case .differing:
        reports[link.flow]?.properties[index].differing += 1
        guard reports[link.flow]?.properties[index].examples.count ?? 0 < AuditReport.Property.mostExamples else {
          break
        }
        reports[link.flow]?.properties[index].examples.append(
          AuditReport.Example(
            invoicedID: link.invoiced, pmsID: link.pms, invoiced: row.raw(on: .invoiced, in: invoiced),
            pms: row.raw(on: .pms, in: pms)))
      }
    }
  }

  private static func verdict(_ row: PropertyPair, _ link: Link, _ invoiced: JSONValue, _ pms: JSONValue) -> Verdict {
    let values = (invoiced: row.raw(on: .invoiced, in: invoiced), pms: row.raw(on: .pms, in: pms))
    if let a = try? row.canonical(on: .invoiced, raw: values.invoiced),
      let b = try? row.canonical(on: .pms, raw: values.pms), a == b
    {
      return .agreeing
    }
    guard let agreed = link.agreed[row.key], !agreed.isBaseOnly, agreed.fingerprint == row.fingerprint,
      row.same(agreed.invoiced, values.invoiced, on: .invoiced), row.same(agreed.pms, values.pms, on: .pms)
    else { return .differing }
    return .equivalent
  }

  private mutating func countHolds() async throws(WalkError) {
    for kind in [Hold.Kind.parked, .conflict] {
      var query = ListQuery(limit: 500)
      repeat {
        let listing: Listing<Hold>
        do throws(StoreError) { listing = try await context.store.holds(kind, query) } catch { throw .store(error) }
        for hold in listing.items {
          guard let flow = hold.flow else { continue }
          if kind == .parked { reports[flow]?.parked += 1 } else { reports[flow]?.conflicts += 1 }
        }
        query.after = listing.next
      } while query.after != nil
    }
  }

  // MARK: Parts

  private func list(_ side: Side, _ cursor: ListCursor?) async throws(WalkError) -> ListPage {
    try await call(side) { (connector) async throws(ConnectorError) in
      let page = try await connector.list(updatedSince: nil, cursor: cursor)
      // An empty page may be a lie: it is asked for once more.
      return page.items.isEmpty ? try await connector.list(updatedSince: nil, cursor: cursor) : page
    }
  }

  private func fetch(_ key: RecordKey) async throws(WalkError) -> JSONValue? {
    let fetched = try await call(key.side) { (connector) async throws(ConnectorError) in
      try await connector.fetch(key.id)
    }
    guard case .found(let seen) = fetched else { return nil }
    return seen.record
  }

  /// Also where pushes to the side are paused: this only reads.
  private func call<Result: Sendable>(
    _ side: Side, _ body: (any Connector) async throws(ConnectorError) -> Result
  ) async throws(WalkError) -> Result {
    try await WalkCaller(context: context, side: side, keepsToGate: false).call(body)
  }

  private func unit(of key: RecordKey) async throws(WalkError) -> UnitState {
    do throws(StoreError) { return try await context.store.unit(of: key) } catch { throw .store(error) }
  }
}
