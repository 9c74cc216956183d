import GRDB
import GRDBSQLite
import JSON

/// One connection, and the statements that were prepared on it.
final class SQLConnection {
  private let database: Database
  /// By a few bytes of their texts. GRDB keeps them too, and hashes the whole text each time, which takes longer than
  /// many of them run.
  private var prepared: [[(sql: String, statement: Statement)]]

  init(_ database: Database) {
    self.database = database
    prepared = Array(repeating: [], count: Self.groups)
  }

  private static let groups = 256

  func statement(_ sql: String) throws -> SQLiteStatement {
    let group = Self.group(of: sql)
    for (known, statement) in prepared[group] where known.isIdentical(to: sql) { return statement.sqliteStatement }
    let statement = try database.makeStatement(sql: sql)
    prepared[group].append((sql, statement))
    return statement.sqliteStatement
  }

  private static func group(of sql: String) -> Int {
    let bytes = sql.utf8
    let mark = bytes.withContiguousStorageIfAvailable { bytes in
      bytes.count < 16
        ? bytes.reduce(0) { $0 &* 31 &+ Int($1) }
        : stride(from: 0, to: bytes.count, by: bytes.count / 8).reduce(bytes.count) { $0 &* 31 &+ Int(bytes[$1]) }
    }
    return (mark ?? bytes.count) & (groups - 1)
  }

  /// To be called before the connection is closed: SQLite would close it only when the last of them goes, and then roll
  /// back into what GRDB has freed by then.
  func forgetStatements() { prepared = Array(repeating: [], count: Self.groups) }

  // MARK: As GRDB has it

  var sqliteConnection: SQLiteConnection? { database.sqliteConnection }
  var isInsideTransaction: Bool { database.isInsideTransaction }
  var changesCount: Int { database.changesCount }
  var lastInsertedRowID: Int64 { database.lastInsertedRowID }
  var lastErrorMessage: String? { database.lastErrorMessage }

  /// Statements without parameters, run once.
  func execute(sql: String) throws { try database.execute(sql: sql) }

  /// All of `body`, or nothing of it.
  func inTransaction(_ body: () throws -> Void) throws {
    try database.inTransaction(.immediate) {
      try body()
      return .commit
    }
  }
}

/// A connection that lets in one thread at a time.
///
/// `@unchecked Sendable`: `connection` is touched within `queue` only.
final class ConnectionQueue: @unchecked Sendable {
  private let queue: DatabaseQueue
  private let connection: SQLConnection

  init(path: String, configuration: Configuration) throws {
    queue = try DatabaseQueue(path: path, configuration: configuration)
    connection = queue.inDatabase { SQLConnection($0) }
  }

  /// In memory.
  init(configuration: Configuration = Configuration()) throws {
    queue = try DatabaseQueue(configuration: configuration)
    connection = queue.inDatabase { SQLConnection($0) }
  }

  func inDatabase<T>(_ body: (SQLConnection) throws -> T) rethrows -> T {
    try queue.inDatabase { _ in try body(connection) }
  }

  /// The same, of one transaction of its own or several.
  func read<T>(_ body: (SQLConnection) throws -> T) throws -> T {
    try queue.unsafeRead { _ in try body(connection) }
  }

  /// On a thread of the queue's.
  func asyncRead(_ body: @escaping @Sendable (Result<SQLConnection, any Error>) -> Void) {
    queue.asyncUnsafeRead { database in body(database.map { _ in self.connection }) }
  }

  func close() throws {
    queue.inDatabase { _ in connection.forgetStatements() }
    try queue.close()
  }

  /// One that nobody closed is closed with `queue`, and nobody else has the connection any more.
  deinit { connection.forgetStatements() }
}
