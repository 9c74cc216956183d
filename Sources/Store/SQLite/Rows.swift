import Foundation
import GRDB
import JSON
import Mapping
import Sync

/// The few ways in which statements are run here; all of them are prepared once per connection.
extension Database {
  func run(_ sql: String, _ values: [DatabaseValue] = []) throws {
    try cachedStatement(sql: sql).execute(arguments: StatementArguments(values))
  }

  func all<T>(_ sql: String, _ values: [DatabaseValue] = [], _ read: (Row) throws -> T) throws -> [T] {
    let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: StatementArguments(values))
    var items: [T] = []
    while let row = try cursor.next() { items.append(try read(row)) }
    return items
  }

  func first<T>(_ sql: String, _ values: [DatabaseValue] = [], _ read: (Row) throws -> T) throws -> T? {
    let cursor = try Row.fetchCursor(cachedStatement(sql: sql), arguments: StatementArguments(values))
    return try cursor.next().map(read)
  }

  /// A number that is always there: a count, a pragma.
  func number(_ sql: String, _ values: [DatabaseValue] = []) throws -> Int64 {
    try first(sql, values) { $0[0] as Int64? }.flatMap(\.self) ?? 0
  }
}

extension DatabaseValue {
  static func int(_ value: Int) -> DatabaseValue { Int64(value).databaseValue }
  static func int(_ value: Int64?) -> DatabaseValue { value?.databaseValue ?? .null }
  static func text(_ value: String?) -> DatabaseValue { value?.databaseValue ?? .null }
  static func bytes(_ value: [UInt8]) -> DatabaseValue { Data(value).databaseValue }
  /// As bytes, so that nothing compares by Unicode equivalence and nothing ends at a NUL.
  static func exact(_ value: String?) -> DatabaseValue { value.map { Data($0.utf8).databaseValue } ?? .null }
  static func id(_ value: RecordID?) -> DatabaseValue { exact(value?.text) }
  static func time(_ value: Timestamp?) -> DatabaseValue { int(value?.milliseconds) }
  static func side(_ value: Side?) -> DatabaseValue { value.map { int($0.code) } ?? .null }
  /// SQL's NULL for what is absent, `null` for JSON's null.
  static func json(_ value: JSONValue?) -> DatabaseValue { value.map { bytes($0.serialized) } ?? .null }
}

extension Side {
  var code: Int { self == .invoiced ? 0 : 1 }
}

extension Row {
  func int(_ index: Int) -> Int64? { self[index] }
  func number(_ index: Int) -> Int { Int(self[index] as Int64? ?? 0) }
  func text(_ index: Int) -> String? { self[index] }
  func time(_ index: Int) -> Timestamp? { int(index).map { Timestamp(milliseconds: $0) } }
  func side(_ index: Int) -> Side? { int(index).map { $0 == 0 ? .invoiced : .pms } }

  func bytes(_ index: Int) throws -> [UInt8]? {
    try withUnsafeData(atIndex: index) { $0.map { [UInt8]($0) } }
  }
  func exact(_ index: Int) throws -> String? {
    try withUnsafeData(atIndex: index) { $0.map { String(decoding: $0, as: UTF8.self) } }
  }
  func id(_ index: Int) throws -> RecordID? { try exact(index).map { RecordID($0) } }
  func json(_ index: Int) throws -> JSONValue? { try bytes(index).map { try JSONValue(parsing: $0) } }

  /// A value that a row of ours always has.
  func needed<T>(_ value: T?, _ what: String) throws -> T {
    guard let value else { throw Damage(what: what) }
    return value
  }
  func choice<T: RawRepresentable<String>>(_ index: Int, _ what: String) throws -> T {
    try needed(text(index).flatMap { T(rawValue: $0) }, what)
  }
}

/// A row that this program can't have written.
struct Damage: Error {
  var what: String
}

extension StoreError {
  /// What an error of the database means to callers.
  init(_ error: any Error) {
    switch error {
    case let error as StoreError: self = error
    case let error as DatabaseError: self.init(error)
    case let error as Damage: self = .unusable("the store is damaged: \(error.what); restore it from a backup")
    case let error as JSONError: self = .unusable("the store is damaged: \(error); restore it from a backup")
    default: self = .unavailable("\(error)")
    }
  }

  private init(_ error: DatabaseError) {
    let uniqueness: [ResultCode] = [.SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY]
    let message = error.message ?? "SQLite's error \(error.resultCode.rawValue)"
    switch error.resultCode {
    case .SQLITE_CONSTRAINT where uniqueness.contains(error.extendedResultCode): self = .claimed
    case .SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_RANGE, .SQLITE_ERROR:
      self = .unusable("the store refused a change (\(message)); report this as a bug")
    case .SQLITE_NOTADB: self = .unusable("the file is not an SQLite database; name another one as the store")
    case .SQLITE_CORRUPT: self = .unusable("the store is damaged (\(message)); restore it from a backup")
    case .SQLITE_FULL: self = .unavailable("\(message); free some space on its disk")
    case .SQLITE_BUSY, .SQLITE_LOCKED: self = .unavailable("another program holds it (\(message))")
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_CANTOPEN:
      self = .unavailable("\(message); check the permissions of the file and its directory")
    default: self = .unavailable(message)
    }
  }

  /// Whether the whole connection is concerned rather than one change.
  var concernsEveryone: Bool {
    if case .unavailable = self { true } else { false }
  }
}

/// Runs `body` and says its errors in our terms.
func translating<T>(_ body: () throws -> T) throws(StoreError) -> T {
  do { return try body() } catch { throw StoreError(error) }
}
