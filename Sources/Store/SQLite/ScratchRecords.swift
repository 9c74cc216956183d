import GRDB
import Sync

/// Bytes by record, on a disk where they don't fit into memory, gone with this object: for comparing listings of any
/// length. SQLite keeps a database without a name in a file that is deleted as it is made.
public final class ScratchRecords: Sendable {
  private let queue: ConnectionQueue
  private static let cacheKiB = 2048

  public init() throws(StoreError) {
    queue = try translating {
      var configuration = Configuration()
      configuration.label = "scratch"
      configuration.allowsUnsafeTransactions = true
      configuration.prepareDatabase { db in
        try db.execute(
          sql: "PRAGMA cache_size = -\(Self.cacheKiB); PRAGMA temp_store = FILE; PRAGMA journal_mode = OFF")
      }
      let queue = try ConnectionQueue(path: "", configuration: configuration)
      // One transaction without end: nobody will read this file after us.
      try queue.inDatabase {
        try $0.execute(sql: "CREATE TABLE item(id BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID; BEGIN EXCLUSIVE")
      }
      return queue
    }
  }

  /// Keeps a value; false when there was one for this id, which stays.
  public func put(_ id: RecordID, _ value: [UInt8]) throws(StoreError) -> Bool {
    try translating {
      try queue.inDatabase { db in
        try db.run("INSERT OR IGNORE INTO item VALUES(?, ?)", [.id(id), .bytes(value)])
        return db.changesCount > 0
      }
    }
  }

  /// The value, which is kept no longer.
  public func take(_ id: RecordID) throws(StoreError) -> [UInt8]? {
    try translating {
      try queue.inDatabase { db in
        let value = try db.first("SELECT value FROM item WHERE id = ?", [.id(id)]) { $0.bytes(0) ?? [] }
        if value != nil { try db.run("DELETE FROM item WHERE id = ?", [.id(id)]) }
        return value
      }
    }
  }

  /// Some of what is left, by id.
  public func left(after id: RecordID?, limit: Int) throws(StoreError) -> [(id: RecordID, value: [UInt8])] {
    try translating {
      try queue.inDatabase { db in
        try db.all(
          "SELECT id, value FROM item WHERE id > ? ORDER BY id LIMIT ?", [.id(id ?? RecordID("")), .int(limit)]
        ) { (try $0.needed($0.id(0), "a scratch row"), $0.bytes(1) ?? []) }
      }
    }
  }
}
