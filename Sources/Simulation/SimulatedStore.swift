import JSON
import Mapping
import Store
import Sync

/// The store as one run of the service sees it: the real one, which outlives that run, with a crash right before or
/// after a commit, and with room for other work to come in between.
struct SimulatedStore: Store {
  let base: SQLiteStore
  let process: SimulatedProcess
  /// Told of each commit, before and after it; may kill the process, and says whether the commit is to go on.
  let atCommit: @Sendable (_ after: Bool) -> Bool

  private static let cutOff = StoreError.unavailable("the process has ended")
  private static let full = StoreError.unavailable("the disk is full")

  private func turn() async throws(StoreError) {
    await Task.yield()
    if process.isOver { throw Self.cutOff }
  }

  private func read<T>(_ body: () async throws(StoreError) -> T) async throws(StoreError) -> T {
    try await turn()
    return try await body()
  }

  private func write<T>(_ body: () async throws(StoreError) -> T) async throws(StoreError) -> T {
    try await turn()
    let goesOn = atCommit(false)
    if process.isOver { throw Self.cutOff }
    guard goesOn else { throw Self.full }
    let result = try await body()
    _ = atCommit(true)
    try await turn()
    return result
  }

  func append(_ event: NewEvent, completion: @escaping @Sendable (Result<Receipt, StoreError>) -> Void) {
    let goesOn = atCommit(false)
    if process.isOver { return completion(.failure(Self.cutOff)) }
    guard goesOn else { return completion(.failure(Self.full)) }
    base.append(event) { result in
      _ = atCommit(true)
      completion(process.isOver ? .failure(Self.cutOff) : result)
    }
  }

  func commit(_ changes: Changes) async throws(StoreError) -> Committed {
    try await write { () throws(StoreError) in try await base.commit(changes) }
  }
  func setValue(_ value: String?, for name: String) async throws(StoreError) {
    try await write { () throws(StoreError) in try await base.setValue(value, for: name) }
  }
  func prune(events: Timestamp, history: Timestamp) async throws(StoreError) {
    try await write { () throws(StoreError) in try await base.prune(events: events, history: history) }
  }
  func forget(_ keys: [RecordKey]) async throws(StoreError) {
    try await write { () throws(StoreError) in try await base.forget(keys) }
  }
  func probe() async throws(StoreError) { try await write { () throws(StoreError) in try await base.probe() } }
  /// The store itself stays open for the next run.
  func close() async {}

  func due(by time: Timestamp, limit: Int) async throws(StoreError) -> DueWork {
    try await read { () throws(StoreError) in try await base.due(by: time, limit: limit) }
  }
  func event(_ id: Int64) async throws(StoreError) -> StoredEvent? {
    try await read { () throws(StoreError) in try await base.event(id) }
  }
  func events(_ query: ListQuery) async throws(StoreError) -> Listing<StoredEvent> {
    try await read { () throws(StoreError) in try await base.events(query) }
  }
  func unit(of key: RecordKey) async throws(StoreError) -> UnitState {
    try await read { () throws(StoreError) in try await base.unit(of: key) }
  }
  func creates(claiming claims: [Push.Claim], sources: [RecordKey]) async throws(StoreError) -> [Push] {
    try await read { () throws(StoreError) in try await base.creates(claiming: claims, sources: sources) }
  }
  func unansweredCreates(on side: Side) async throws(StoreError) -> [Push] {
    try await read { () throws(StoreError) in try await base.unansweredCreates(on: side) }
  }
  func unsettledPushes() async throws(StoreError) -> [Push] {
    try await read { () throws(StoreError) in try await base.unsettledPushes() }
  }
  func links(_ query: ListQuery) async throws(StoreError) -> Listing<Link> {
    try await read { () throws(StoreError) in try await base.links(query) }
  }
  func link(_ id: Int64) async throws(StoreError) -> Link? {
    try await read { () throws(StoreError) in try await base.link(id) }
  }
  func holds(_ kind: Hold.Kind, _ query: ListQuery) async throws(StoreError) -> Listing<Hold> {
    try await read { () throws(StoreError) in try await base.holds(kind, query) }
  }
  func hold(_ id: Int64) async throws(StoreError) -> Hold? {
    try await read { () throws(StoreError) in try await base.hold(id) }
  }
  func history(_ query: ListQuery) async throws(StoreError) -> Listing<HistoryEntry> {
    try await read { () throws(StoreError) in try await base.history(query) }
  }
  func record(_ key: RecordKey) async throws(StoreError) -> RecordState? {
    try await read { () throws(StoreError) in try await base.record(key) }
  }
  func records(on side: Side, after id: RecordID?, limit: Int) async throws(StoreError) -> [RecordState] {
    try await read { () throws(StoreError) in try await base.records(on: side, after: id, limit: limit) }
  }
  func activeLinks(in flow: String) async throws(StoreError) -> Int {
    try await read { () throws(StoreError) in try await base.activeLinks(in: flow) }
  }
  func numbers(of ids: [RecordID], on side: Side) async throws(StoreError) -> [RecordID: Int64] {
    try await read { () throws(StoreError) in try await base.numbers(of: ids, on: side) }
  }
  func newestNumber() async throws(StoreError) -> Int64 {
    try await read { () throws(StoreError) in try await base.newestNumber() }
  }
  func alive(
    on side: Side, after id: RecordID?, upTo newest: Int64, unless isSeen: @escaping @Sendable (Int64) -> Bool,
    limit: Int
  ) async throws(StoreError) -> [RecordKey] {
    try await read { () throws(StoreError) in
      try await base.alive(on: side, after: id, upTo: newest, unless: isSeen, limit: limit)
    }
  }
  func pendingEvents(receivedBy time: Timestamp?) async throws(StoreError) -> Int {
    try await read { () throws(StoreError) in try await base.pendingEvents(receivedBy: time) }
  }
  func counts() async throws(StoreError) -> StoreCounts {
    try await read { () throws(StoreError) in try await base.counts() }
  }
  func value(_ name: String) async throws(StoreError) -> String? {
    try await read { () throws(StoreError) in try await base.value(name) }
  }
  func isForgotten(_ key: RecordKey) async throws(StoreError) -> Bool {
    try await read { () throws(StoreError) in try await base.isForgotten(key) }
  }
}
