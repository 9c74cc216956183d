import GRDB

/// The table of the newest events' hashes. A row holds those of one commit, of which the index takes in all or none:
/// one insertion for them all.
enum RecentEvents {
  struct Entry {
    var id: Int64
    var hash: Int64
  }

  static func insert(_ entries: [Entry], _ db: SQLConnection) throws {
    guard let first = entries.first else { return }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entries.count * size)
    for entry in entries {
      withUnsafeBytes(of: entry.id.littleEndian) { bytes.append(contentsOf: $0) }
      withUnsafeBytes(of: entry.hash.littleEndian) { bytes.append(contentsOf: $0) }
    }
    try db.run("INSERT INTO recent_event VALUES(?, ?)", [.int(first.id), .bytes(bytes)])
  }

  /// All of them; those of removed events too.
  static func each(_ db: SQLConnection, _ body: (Entry) -> Void) throws {
    try db.each("SELECT entries FROM recent_event", []) { row in
      row.withBytes(0) { bytes in
        let bytes = UnsafeRawBufferPointer(bytes)
        for start in stride(from: 0, through: bytes.count - size, by: size) {
          let id = bytes.loadUnaligned(fromByteOffset: start, as: Int64.self)
          let hash = bytes.loadUnaligned(fromByteOffset: start + size / 2, as: Int64.self)
          body(Entry(id: Int64(littleEndian: id), hash: Int64(littleEndian: hash)))
        }
      }
      return true
    }
  }

  private static let size = 2 * MemoryLayout<Int64>.size
}
