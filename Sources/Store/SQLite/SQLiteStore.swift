import Dispatch
import JSON
import Mapping
import Sync

/// A store in one SQLite file (and its `-wal`, `-shm` and `.lock` beside it), which one process at a time may open.
public final class SQLiteStore: Store, Sendable {
  /// Runs what it is given, soon and in order, wherever events are answered.
  public typealias Delivery = @Sendable (@escaping @Sendable () -> Void) -> Void

  let connections: Connections
  let writer: Writer
  private let readers: Readers
  private let checkpointer: Checkpointer?
  private let lock: FileLock?
  private let isInline: Bool
  private let threads = DispatchGroup()

  /// Opens the store at `path`, makes it where there is none, and brings an older one to this version.
  ///
  /// `holder` is what a second process is told about this one, in a word: its command. `inline` does everything on the
  /// caller's thread before it returns: for simulations. `observe` is told of each commit, on the writer's thread.
  /// `instance` is what `instance(at:)` gives while it is open. The completions of the events that a commit holds are
  /// handed to `deliver` in one piece; by default they run on the writer's thread.
  public convenience init(
    path: String, holder: String = "customer-sync", instance: String = "", inline: Bool = false,
    deliver: @escaping Delivery = { $0() }, observe: @escaping @Sendable (CommitSample) -> Void = { _ in }
  ) throws(StoreError) {
    try self.init(
      path: path, holder: holder, instance: instance, inline: inline, limits: LogLimits(), deliver: deliver,
      observe: observe)
  }

  convenience init(
    path: String, holder: String, instance: String = "", inline: Bool, limits: LogLimits,
    deliver: @escaping Delivery = { $0() }, observe: @escaping @Sendable (CommitSample) -> Void
  ) throws(StoreError) {
    try Connections.makeFile(path)
    let lock = try FileLock(path: path + ".lock", holder: holder, instance: instance)
    try self.init(
      Connections(path: path, isInline: inline), lock: lock, isInline: inline, limits: limits, deliver: deliver,
      observe: observe)
  }

  /// The name that whoever has the store at `path` open was given; nil where nobody has. A process that was killed
  /// leaves its own behind.
  public static func instance(at path: String) -> String? { FileLock.instance(at: path + ".lock") }

  /// A store in memory, inline: everything happens on the caller's thread before it returns.
  public convenience init(inMemory observe: @escaping @Sendable (CommitSample) -> Void = { _ in }) throws(StoreError) {
    try self.init(Connections(), lock: nil, isInline: true, limits: LogLimits(), observe: observe)
  }

  /// A store in memory that takes the place of one that nobody uses any more: emptied, it is ready sooner than a new one,
  /// whose statements all have to be compiled first.
  public convenience init(emptying old: SQLiteStore) throws(StoreError) {
    let connections = old.connections
    guard old.isInline, old.lock == nil else { throw .unusable("only a store in memory can be emptied") }
    try translating { try connections.writer.inDatabase { db in try Schema.empty(db) } }
    try self.init(connections, lock: nil, isInline: true, limits: LogLimits(), observe: { _ in })
  }

  private init(
    _ connections: Connections, lock: FileLock?, isInline: Bool, limits: LogLimits,
    deliver: @escaping Delivery = { $0() }, observe: @escaping @Sendable (CommitSample) -> Void
  ) throws(StoreError) {
    self.connections = connections
    self.lock = lock
    self.isInline = isInline
    readers = Readers(connections.readers)
    let checkpointer = connections.checkpoints.map { Checkpointer(queue: $0, limits: limits) }
    self.checkpointer = checkpointer
    let writer = try translating {
      try Writer(
        queue: connections.writer, isInline: isInline, deliver: deliver, observe: observe,
        logGrew: { checkpointer?.logGrew(to: $0) ?? false }, idle: { connections.shrinkReaders() })
    }
    self.writer = writer
    guard !isInline else { return }
    let threads = threads
    threads.enter()
    // The lock lasts as long as the thread may write.
    writer.start { [lock] in withExtendedLifetime(lock) { threads.leave() } }
    threads.enter()
    checkpointer?.start(full: { writer.finishCheckpoint() }, ended: { threads.leave() })
  }

  deinit {
    writer.stop()
    checkpointer?.stop()
  }

  // MARK: Writing

  public func append(
    _ event: NewEvent, completion: @escaping @Sendable (Result<Receipt, StoreError>) -> Void
  ) {
    writer.submit(.event(event, completion))
  }

  public func commit(_ changes: Changes) async throws(StoreError) -> Committed {
    try await write { ledger, db in try ledger.apply(changes, db) }
  }

  public func setValue(_ value: String?, for name: String) async throws(StoreError) {
    try await write { _, db in
      if value == nil {
        try db.run("DELETE FROM setting WHERE name = ?", [.exact(name)])
      } else {
        try db.run(
          "INSERT INTO setting VALUES(?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
          [.exact(name), .exact(value)])
      }
    }
  }

  public func probe() async throws(StoreError) {
    try await write { _, db in
      try db.run("INSERT INTO meta VALUES('probe', x'00') ON CONFLICT DO UPDATE SET value = excluded.value")
    }
  }

  /// Makes one change durable.
  func write<T: Sendable>(_ work: @escaping @Sendable (Ledger, SQLConnection) throws -> T) async throws(StoreError) -> T
  {
    let result: Result<T, StoreError> = await withCheckedContinuation { continuation in
      writer.submit(
        .change(
          work: { ledger, db in
            let value = try work(ledger, db)
            return { continuation.resume(returning: .success(value)) }
          }, failed: { continuation.resume(returning: .failure($0)) }))
    }
    return try result.get()
  }

  // MARK: Reading

  public func due(by time: Timestamp, limit: Int) async throws(StoreError) -> DueWork {
    try readers.read { try $0.due(by: time, limit: limit) }
  }
  public func event(_ id: Int64) async throws(StoreError) -> StoredEvent? { try readers.read { try $0.event(id) } }
  public func unit(of key: RecordKey) async throws(StoreError) -> UnitState {
    // Again where events went from memory to the table meanwhile: then neither place had to show them.
    while true {
      let generation = writer.pending.generation
      let unit = try readers.read { try $0.unit(of: key, pending: writer.pending) }
      if writer.pending.generation == generation { return unit }
    }
  }
  public func creates(claiming claims: [Push.Claim], sources: [RecordKey]) async throws(StoreError) -> [Push] {
    try readers.read { try $0.creates(claiming: claims, sources: sources) }
  }
  public func unansweredCreates(on side: Side) async throws(StoreError) -> [Push] {
    try readers.read { try $0.unansweredCreates(on: side) }
  }
  public func unsettledPushes() async throws(StoreError) -> [Push] { try readers.read { try $0.unsettledPushes() } }
  public func link(_ id: Int64) async throws(StoreError) -> Link? { try readers.read { try $0.link(id) } }
  public func activeLinks(in flow: String) async throws(StoreError) -> Int {
    try readers.read { try $0.activeLinks(in: flow) }
  }
  public func hold(_ id: Int64) async throws(StoreError) -> Hold? { try readers.read { try $0.hold(id) } }
  public func record(_ key: RecordKey) async throws(StoreError) -> RecordState? {
    try readers.read { try $0.record(key) }
  }
  public func records(on side: Side, after id: RecordID?, limit: Int) async throws(StoreError) -> [RecordState] {
    try readers.read { try $0.records(on: side, after: id, limit: limit) }
  }
  public func value(_ name: String) async throws(StoreError) -> String? { try readers.read { try $0.value(name) } }
  public func isForgotten(_ key: RecordKey) async throws(StoreError) -> Bool {
    try readers.read { db in
      let hash = try SipHash(of: db)
      return try db.first("SELECT 1 FROM forgotten WHERE hash = ?", [.int(hash.record(key))]) { _ in true } ?? false
    }
  }

  public func events(_ query: ListQuery) async throws(StoreError) -> Listing<StoredEvent> {
    let pending = writer.pending
    return try await list { try $0.events(query, pending: pending) }
  }
  public func links(_ query: ListQuery) async throws(StoreError) -> Listing<Link> {
    try await list { try $0.links(query) }
  }
  public func holds(_ kind: Hold.Kind, _ query: ListQuery) async throws(StoreError) -> Listing<Hold> {
    try await list { try $0.holds(kind, query) }
  }
  public func history(_ query: ListQuery) async throws(StoreError) -> Listing<HistoryEntry> {
    try await list { try $0.history(query) }
  }
  public func counts() async throws(StoreError) -> StoreCounts { try await list { try $0.counts() } }

  /// Reads what may take a while, on a thread of its own.
  func list<T: Sendable>(_ body: @escaping @Sendable (SQLConnection) throws -> T) async throws(StoreError) -> T {
    if isInline { return try readers.read(body) }
    let result: Result<T, StoreError> = await withCheckedContinuation { continuation in
      connections.lists.asyncRead { database in
        do throws(StoreError) {
          continuation.resume(returning: .success(try translating { try database.get().reading(body) }))
        } catch { continuation.resume(returning: .failure(error)) }
      }
    }
    return try result.get()
  }

  // MARK: The end

  /// Commits what waits, empties the log into the file and lets go of it.
  public func close() async {
    writer.stop()
    checkpointer?.stop()
    await withCheckedContinuation { continuation in
      threads.notify(queue: .global()) { continuation.resume() }
    }
    // A log that stays is read when the store is opened again.
    writer.truncateLog { _ in }
    try? connections.close()
    lock?.release()
  }
}
