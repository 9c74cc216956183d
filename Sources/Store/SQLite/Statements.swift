import GRDB
import GRDBSQLite

/// What a statement's parameter is bound to.
enum SQLValue: Sendable {
  case null
  case integer(Int64)
  case string(String)
  /// A text as a blob, so that nothing compares by Unicode equivalence.
  case utf8(String)
  case blob([UInt8])
}

/// How statements are run here: prepared once per connection, bound and stepped without GRDB's general machinery, which
/// costs as much as SQLite itself.
extension SQLConnection {
  func run(_ sql: String, _ values: [SQLValue] = []) throws { try each(sql, values) { _ in true } }

  func all<T>(_ sql: String, _ values: [SQLValue] = [], _ read: (Row) throws -> T) throws -> [T] {
    var items: [T] = []
    try each(sql, values) { row in
      items.append(try read(row))
      return true
    }
    return items
  }

  func first<T>(_ sql: String, _ values: [SQLValue] = [], _ read: (Row) throws -> T) throws -> T? {
    var item: T?
    try each(sql, values) { row in
      item = try read(row)
      return false
    }
    return item
  }

  /// A number that is always there: a count, a pragma.
  func number(_ sql: String, _ values: [SQLValue] = []) throws -> Int64 {
    try first(sql, values) { $0.int(0) ?? 0 } ?? 0
  }

  /// Reads the rows one by one for as long as `read` returns true.
  func each(_ sql: String, _ values: [SQLValue], _ read: (Row) throws -> Bool) throws {
    let statement = try statement(sql)
    guard sqlite3_bind_parameter_count(statement) == values.count else {
      throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "\(values.count) values for: \(sql)")
    }
    try values.bind(to: statement, check: check) {
      // Every run ends with it, whatever it read; what it reports was reported by the step.
      defer { sqlite3_reset(statement) }
      while true {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: if try !read(Row(statement: statement)) { return }
        case SQLITE_DONE: return
        case let code: try check(code)
        }
      }
    }
  }

  private func check(_ code: Int32) throws {
    if code != SQLITE_OK {
      throw DatabaseError(
        resultCode: ResultCode(rawValue: sqlite3_extended_errcode(sqliteConnection)), message: lastErrorMessage)
    }
  }
}

extension [SQLValue] {
  /// Runs `body` with the values bound. SQLite is lent texts and blobs for that time: copies of them took it longer than
  /// most statements themselves.
  fileprivate func bind(
    to statement: OpaquePointer, from index: Int = 0, check: (Int32) throws -> Void, _ body: () throws -> Void
  ) throws {
    guard index < count else { return try body() }
    let place = Int32(index + 1)
    func bindRest() throws { try bind(to: statement, from: index + 1, check: check, body) }
    switch self[index] {
    case .null: try check(sqlite3_bind_null(statement, place))
    case .integer(let value): try check(sqlite3_bind_int64(statement, place, value))
    case .string(var text):
      return try text.withUTF8 { utf8 in
        try utf8.withMemoryRebound(to: CChar.self) {
          try check(sqlite3_bind_text(statement, place, $0.baseAddress, Int32($0.count), nil))
        }
        try bindRest()
      }
    case .utf8(var text):
      return try text.withUTF8 { utf8 in
        try check(Self.bindBlob(UnsafeRawBufferPointer(utf8), statement, place))
        try bindRest()
      }
    case .blob(let bytes):
      return try bytes.withUnsafeBytes { bytes in
        try check(Self.bindBlob(bytes, statement, place))
        try bindRest()
      }
    }
    try bindRest()
  }

  private static func bindBlob(_ bytes: UnsafeRawBufferPointer, _ statement: OpaquePointer, _ index: Int32) -> Int32 {
    // An empty one has no address, which would bind NULL.
    if bytes.isEmpty { return sqlite3_bind_zeroblob(statement, index, 0) }
    return sqlite3_bind_blob(statement, index, bytes.baseAddress, Int32(bytes.count), nil)
  }
}

/// The row that a statement stands on; not to be kept.
struct Row {
  fileprivate let statement: OpaquePointer

  func int(_ index: Int) -> Int64? {
    isNull(index) ? nil : sqlite3_column_int64(statement, Int32(index))
  }

  func text(_ index: Int) -> String? { exact(index) }

  func exact(_ index: Int) -> String? {
    withBytes(index) { String(decoding: $0, as: UTF8.self) }
  }

  func bytes(_ index: Int) -> [UInt8]? { withBytes(index) { [UInt8]($0) } }

  /// Nil for NULL. The bytes are the row's, for the time of the call.
  func withBytes<T>(_ index: Int, _ body: (UnsafeBufferPointer<UInt8>) throws -> T) rethrows -> T? {
    if isNull(index) { return nil }
    let start = sqlite3_column_blob(statement, Int32(index))
    let count = Int(sqlite3_column_bytes(statement, Int32(index)))
    return try body(UnsafeBufferPointer(start: start?.assumingMemoryBound(to: UInt8.self), count: count))
  }

  private func isNull(_ index: Int) -> Bool { sqlite3_column_type(statement, Int32(index)) == SQLITE_NULL }
}
