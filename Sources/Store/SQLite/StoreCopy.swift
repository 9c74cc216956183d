import Foundation
import GRDB

extension SQLiteStore {
  /// Makes a copy of the store at `path`, also of one that another process writes, without changing it. Where there is
  /// none, there is no copy either.
  public static func copy(_ path: String, to copy: String) throws(StoreError) {
    guard FileManager.default.fileExists(atPath: path) else { return }
    try Connections.attempt(path) {
      var configuration = Configuration()
      configuration.readonly = true
      configuration.busyMode = .timeout(5)
      let queue = try ConnectionQueue(path: path, configuration: configuration)
      defer { try? queue.close() }
      // An empty file is a store that was never opened.
      let isEmpty = try queue.inDatabase { try $0.number("SELECT count(*) FROM sqlite_schema") == 0 }
      if !isEmpty { try queue.inDatabase { try $0.run("VACUUM INTO ?", [.text(copy)]) } }
    }
  }
}
