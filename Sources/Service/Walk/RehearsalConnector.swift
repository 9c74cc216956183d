import Connectors
import JSON
import Mapping
import Sync
import Synchronization

/// A write that a rehearsal would have sent.
struct RehearsedWrite: Sendable {
  var key: RecordKey
  var isCreate: Bool
  /// What would be written, and what stands there now.
  var changes: [(path: JSONPath, from: JSONValue?, to: JSONValue)]
}

/// A side that is read as it is, and never written: what would have been written is remembered, and shown by later
/// reads, so that the engine goes on as after a real write.
final class RehearsalConnector: Connector {
  private struct State {
    var records: [RecordID: JSONValue] = [:]
    var created: [RecordID] = []
    var writes: [RehearsedWrite] = []
  }

  private let base: any Connector
  private let clock: any ServiceClock
  private let state = Mutex(State())

  init(_ base: any Connector, clock: any ServiceClock) {
    self.base = base
    self.clock = clock
  }

  var writes: [RehearsedWrite] { state.withLock { $0.writes } }

  var side: Side { base.side }
  var abilities: ConnectorAbilities { base.abilities }
  var idPath: JSONPath { base.idPath }
  var clockOffset: Duration? { base.clockOffset }

  func fetch(_ id: RecordID) async throws(ConnectorError) -> Fetched {
    if let record = state.withLock({ $0.records[id] }), let seen = observed(record, .fetch) { return .found(seen) }
    return try await base.fetch(id)
  }

  func find(_ path: JSONPath, _ value: JSONValue) async throws(ConnectorError) -> [Observation] {
    let created = state.withLock { state in state.created.compactMap { state.records[$0] } }
    let hits = created.filter { $0[path]?.identifier == value.identifier }.compactMap { observed($0, .listing) }
    return try await base.find(path, value).map(written) + hits
  }

  func list(updatedSince: Timestamp?, cursor: ListCursor?) async throws(ConnectorError) -> ListPage {
    var page = try await base.list(updatedSince: updatedSince, cursor: cursor)
    page.items = page.items.map(written)
    return page
  }

  func create(_ record: JSONValue, idempotencyKey: String) async throws(ConnectorError) -> Written {
    let (id, made) = state.withLock { state in
      let id = RecordID("new-\(state.created.count + 1)")
      var made = record
      made.set(.string(id.text), at: base.idPath)
      state.created.append(id)
      state.records[id] = made
      let members = record.object?.members ?? []
      state.writes.append(
        RehearsedWrite(
          key: RecordKey(side, id), isCreate: true,
          changes: members.map { (JSONPath([.key($0.key)]), nil, $0.value) }))
      return (id, made)
    }
    return Written(id: id, observation: observed(made, .answer))
  }

  func update(
    _ changes: [Assignment], of base: Observation, idempotencyKey: String
  ) async throws(ConnectorError) -> Written {
    let record = state.withLock { state in
      let former = state.records[base.key.id] ?? base.record
      var record = former
      for change in changes { record.set(change.value, at: change.path) }
      state.records[base.key.id] = record
      state.writes.append(
        RehearsedWrite(
          key: base.key, isCreate: false, changes: changes.map { ($0.path, former[$0.path], $0.value) }))
      return record
    }
    return Written(id: base.key.id, observation: observed(record, .answer))
  }

  func delete(_ id: RecordID, etag: String?) async throws(ConnectorError) {
    state.withLock { $0.writes.append(RehearsedWrite(key: RecordKey(side, id), isCreate: false, changes: [])) }
  }

  func observation(of record: JSONValue, source: Observation.Source, at: Timestamp) -> Observation? {
    base.observation(of: record, source: source, at: at)
  }

  func misfits(in changes: [Assignment]) -> [Misfit] { base.misfits(in: changes) }
  func probe() async throws(ConnectorError) { try await base.probe() }
  func events(since: Timestamp, relatedTo id: RecordID?, type: String?) async throws(ConnectorError) -> [JSONValue]? {
    try await base.events(since: since, relatedTo: id, type: type)
  }

  private func observed(_ record: JSONValue, _ source: Observation.Source) -> Observation? {
    base.observation(of: record, source: source, at: clock.now)
  }

  private func written(_ row: Observation) -> Observation {
    state.withLock { $0.records[row.key.id] }.flatMap { observed($0, row.source) } ?? row
  }
}
