import Foundation
import GRDB
import Glibc
import Synchronization

/// The connections of a store, opened and proven.
struct Connections: Sendable {
  let writer: ConnectionQueue
  /// For what the engine reads; never waits for the writer.
  let readers: [ConnectionQueue]
  /// For lists and counts, which may take their time.
  let lists: ConnectionQueue
  /// Nil where the writer does its own checkpoints.
  let checkpoints: ConnectionQueue?

  private static let pageSize = 8192
  /// How long a connection waits for another program's lock.
  private static let patience: TimeInterval = 0.25

  /// Opens the store's file, making it where there is none.
  init(path: String, isInline: Bool) throws(StoreError) {
    let store = try Self.attempt(path) {
      let writer = try ConnectionQueue(path: path, configuration: Self.configuration(cacheKiB: 16_384))
      try writer.inDatabase { db in try Self.prepare(db, path: path, isInline: isInline) }
      return writer
    }
    writer = store
    if isInline {
      (readers, lists, checkpoints) = ([store], store, nil)
      return
    }
    (readers, lists, checkpoints) = try Self.attempt(path) {
      (
        try (0..<2).map { _ in try Self.reader(path, cacheKiB: 4096) }, try Self.reader(path, cacheKiB: 2048),
        try ConnectionQueue(path: path, configuration: Self.configuration(cacheKiB: 256))
      )
    }
  }

  /// A store that is gone with its last connection.
  init() throws(StoreError) {
    writer = try translating {
      let queue = try ConnectionQueue(configuration: Self.configuration(cacheKiB: 65_536))
      try queue.inDatabase { try Schema.migrate($0) }
      return queue
    }
    (readers, lists, checkpoints) = ([writer], writer, nil)
  }

  /// Gives back what the readers keep of pages.
  func shrinkReaders() {
    for queue in readers + [lists] {
      queue.asyncRead { database in _ = try? database.get().run("PRAGMA shrink_memory") }
    }
  }

  func close() throws {
    for queue in readers + [lists] where queue !== writer { try queue.close() }
    try checkpoints?.close()
    try writer.close()
  }

  private static func configuration(cacheKiB: Int) -> Configuration {
    var configuration = Configuration()
    configuration.busyMode = .timeout(patience)
    configuration.foreignKeysEnabled = true
    configuration.label = "store"
    configuration.prepareDatabase { db in
      // A ceiling; pages are kept as they are read.
      try db.execute(sql: "PRAGMA cache_size = -\(cacheKiB); PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY")
    }
    return configuration
  }

  private static func reader(_ path: String, cacheKiB: Int) throws -> ConnectionQueue {
    var configuration = configuration(cacheKiB: cacheKiB)
    configuration.readonly = true
    return try ConnectionQueue(path: path, configuration: configuration)
  }

  private static func prepare(_ db: SQLConnection, path: String, isInline: Bool) throws {
    let isNew = try db.number("SELECT count(*) FROM sqlite_schema") == 0
    if isNew {
      try db.execute(sql: "PRAGMA page_size = \(pageSize)")
    } else {
      let application = try db.number("PRAGMA application_id")
      guard application == Schema.applicationID else {
        throw StoreError.unusable(
          "\(path) is another program's SQLite file; name another file as the store")
      }
      let version = try db.number("PRAGMA user_version")
      guard version <= Schema.version else {
        throw StoreError.unusable(
          "\(path) was written by a newer version of this program (its schema is \(version), this one knows "
            + "\(Schema.version)); run that version, or restore the backup from before the upgrade")
      }
    }
    guard try db.first("PRAGMA journal_mode = WAL", [], { $0.text(0) }) == "wal" else {
      throw StoreError.unusable("\(path) can't have a write-ahead log; keep the store on a local disk")
    }
    // After opening: GRDB may set it to NORMAL when it opens.
    try db.execute(sql: "PRAGMA synchronous = FULL")
    guard try db.number("PRAGMA synchronous") == 2 else {
      throw StoreError.unusable("SQLite does not take synchronous = FULL, without which nothing stored is safe")
    }
    if !isInline { try db.execute(sql: "PRAGMA wal_autocheckpoint = 0") }
    try Schema.migrate(db)
  }

  /// Makes the file where there is none. What SQLite says about files is too little to act on.
  static func makeFile(_ path: String) throws(StoreError) {
    let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var status = stat()
    guard stat(directory, &status) == 0 else {
      throw .unusable("the store's directory \(directory) can't be reached (\(systemMessage())); make it first")
    }
    guard stat(path, &status) == 0 || errno == ENOENT else {
      throw .unusable("the store \(path) can't be reached: \(systemMessage())")
    }
    // Customers' data: for this user alone. SQLite gives its other files the same permissions.
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .unusable("the store \(path) can't be opened for writing: \(systemMessage()); check owner and permissions")
    }
    Glibc.close(descriptor)
  }

  static func attempt<T>(_ path: String, _ body: () throws -> T) throws(StoreError) -> T {
    do {
      return try body()
    } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
      throw .unusable("\(path) is not an SQLite database; name another file as the store")
    } catch { throw StoreError(error) }
  }
}

/// Reads that see one moment of the store.
final class Readers: Sendable {
  private let queues: [ConnectionQueue]
  private let turn = Atomic<Int>(0)

  init(_ queues: [ConnectionQueue]) { self.queues = queues }

  /// On the caller's thread: these reads are shorter than a change of threads.
  func read<T>(_ body: (SQLConnection) throws -> T) throws(StoreError) -> T {
    let index = turn.add(1, ordering: .relaxed).oldValue & Int.max
    return try translating { try queues[index % queues.count].read { try $0.reading(body) } }
  }
}

extension SQLConnection {
  func reading<T>(_ body: (SQLConnection) throws -> T) throws -> T {
    try run("BEGIN")
    do {
      let result = try body(self)
      try run("COMMIT")
      return result
    } catch {
      if isInsideTransaction { try? execute(sql: "ROLLBACK") }
      throw error
    }
  }
}
