import GRDB
import JSON

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
