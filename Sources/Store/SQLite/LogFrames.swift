import GRDBSQLite

/// Counts the pages in a connection's write-ahead log, as SQLite tells them after each commit.
///
/// `@unchecked Sendable`: the hook runs, and `count` is read, on the thread that uses the connection.
final class LogFrames: @unchecked Sendable {
  private(set) var count = 0

  /// `db` is not to be used once this object has gone; nil counts nothing.
  init(of db: SQLConnection?) {
    guard let db else { return }
    // Unretained: the owner keeps this object for as long as the connection works.
    sqlite3_wal_hook(
      db.sqliteConnection,
      { context, _, _, pages in
        if let context { Unmanaged<LogFrames>.fromOpaque(context).takeUnretainedValue().count = Int(pages) }
        return SQLITE_OK
      }, Unmanaged.passUnretained(self).toOpaque())
  }
}
