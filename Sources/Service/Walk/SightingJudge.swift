import Connectors
import JSON
import Mapping
import Store
import Sync

/// Whether a listed row gives the workers something to do, by what the store knows of the record: pure.
///
/// What waits for a change, a person or a later `live` step is at rest: it isn't taken up again and again.
struct SightingJudge: Sendable {
  var mapping: Mapping
  var idPaths: [Side: JSONPath]
  /// How far the row's side is ahead of our clock.
  var clockOffset: Duration
  /// Flows that say something else than at the last full pass: all their records are looked at.
  var changedFlows: Set<String> = []
  /// Only this flow's records; nil for all.
  var flow: String?

  /// No two edits further apart than this share a version: Invoiced's clock has whole seconds.
  private static let resolution: Duration = .seconds(2)

  func needsWork(_ row: Observation, _ unit: UnitState) -> Bool {
    let owner = mapping.flow(owning: row.record, on: row.key.side)
    if let flow, owner?.name != flow, unit.link?.flow != flow { return false }
    guard owner != nil || unit.link != nil else { return false }
    guard let state = unit.records[row.key], state.presence != .unseen else { return !isUnderWay(row, unit) }
    if state.presence == .gone {
      return Judgement.of(row, against: state, paths: []) == .fetch && !isUnderWay(row, unit)
    }
    if isNews(row, state, owner ?? unit.link.flatMap { mapping.flow(named: $0.flow) }) { return !isUnderWay(row, unit) }
    // Also an event of the other record, which may be waiting as long as its side asked us to.
    guard unit.events.isEmpty else { return false }
    let flows = [owner?.name, unit.link?.flow, state.flow]
    if flows.contains(where: { $0.map { changedFlows.contains($0) } ?? false }) { return true }
    return !isAtRest(unit, state, owner)
  }

  /// Whether the very row is with the workers already.
  private func isUnderWay(_ row: Observation, _ unit: UnitState) -> Bool {
    let body = row.record.serialized
    return unit.events.contains { $0.key == row.key && $0.event.kind == .seen && $0.event.body == body }
  }

  /// Whether the row shows something else than what was seen last.
  private func isNews(_ row: Observation, _ state: RecordState, _ flow: Flow?) -> Bool {
    guard let last = state.last else { return true }
    if let version = row.version, version != last.version { return true }
    for path in flow?.paths(on: row.key.side) ?? [] {
      let (shown, known) = (row.record[path], last.record[path])
      if shown == known || (shown ?? .null).isNull && (known ?? .null).isNull { continue }
      // What a row leaves out says nothing where the version says that nothing changed.
      if shown == nil, isProven(last, version: row.version) { continue }
      return true
    }
    return false
  }

  /// Whether no edit after this observation can carry the same version.
  private func isProven(_ last: Observation, version: Version?) -> Bool {
    guard let version, version == last.version, last.source == .fetch || last.source == .answer else { return false }
    return last.seenAt.adding(clockOffset).since(version.timestamp) >= Self.resolution
  }

  /// Whether nothing is left to do, or what is left waits for a change or a person.
  private func isAtRest(_ unit: UnitState, _ state: RecordState, _ owner: Flow?) -> Bool {
    if unit.holds.contains(where: { $0.row == nil }) { return true }
    guard unit.pushes.isEmpty else { return false }
    guard let link = unit.link else { return isLeftAlone(state, owner) }
    guard link.state == .active, let flow = mapping.flow(named: link.flow) else { return true }
    guard let invoiced = seen(unit, link.key(on: .invoiced)), let pms = seen(unit, link.key(on: .pms)) else {
      return false
    }
    let plan = Planner.plan(
      PlanInput(
        flow: flow, link: link, invoiced: invoiced, pms: pms, invoicedID: id(link.key(on: .invoiced), invoiced),
        pmsID: id(link.key(on: .pms), pms), holds: unit.holds))
    return plan.isQuiet && plan.agreed.isEmpty && plan.dropped.isEmpty && plan.conflicts.isEmpty && plan.misfit == nil
  }

  /// Whether an unlinked record stays so: kept apart, or not let by `live` or `create`. What it might be matched with
  /// brings it along when it comes.
  private func isLeftAlone(_ state: RecordState, _ owner: Flow?) -> Bool {
    guard let owner, state.apart == nil else { return true }
    return owner.live < .creates || !owner.create.allows(on: state.key.side.other)
  }

  private func seen(_ unit: UnitState, _ key: RecordKey) -> JSONValue? {
    guard let state = unit.records[key], state.presence == .alive else { return nil }
    return state.last?.record
  }

  private func id(_ key: RecordKey, _ record: JSONValue) -> JSONValue {
    key.json(in: record, idPath: idPaths[key.side] ?? JSONPath([.key("id")]))
  }
}

extension SightingJudge {
  init(_ context: EngineContext, side: Side, changedFlows: Set<String>, flow: String?) {
    self.init(
      mapping: context.mapping,
      idPaths: Dictionary(uniqueKeysWithValues: Side.allCases.map { ($0, context.connector($0).idPath) }),
      clockOffset: context.connector(side).clockOffset ?? .zero, changedFlows: changedFlows, flow: flow)
  }
}
