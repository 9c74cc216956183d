import Mapping
import Sync

/// SipHash-2-4 with a key of its own: the same in every run, and nobody outside can aim for collisions.
struct SipHash: Sendable {
  /// How many bytes a key has.
  static let keySize = 16

  private let k0: UInt64
  private let k1: UInt64

  /// Nil unless the key has `keySize` bytes.
  init?(key: [UInt8]) {
    guard key.count == Self.keySize else { return nil }
    k0 = Self.word(key[0..<8])
    k1 = Self.word(key[8..<16])
  }

  func callAsFunction(_ bytes: some Collection<UInt8>) -> UInt64 {
    var v0 = k0 ^ 0x736f_6d65_7073_6575
    var v1 = k1 ^ 0x646f_7261_6e64_6f6d
    var v2 = k0 ^ 0x6c79_6765_6e65_7261
    var v3 = k1 ^ 0x7465_6462_7974_6573
    func round() {
      v0 &+= v1
      v2 &+= v3
      v1 = Self.rotate(v1, 13) ^ v0
      v3 = Self.rotate(v3, 16) ^ v2
      v0 = Self.rotate(v0, 32)
      v2 &+= v1
      v0 &+= v3
      v1 = Self.rotate(v1, 17) ^ v2
      v3 = Self.rotate(v3, 21) ^ v0
      v2 = Self.rotate(v2, 32)
    }
    var word: UInt64 = 0
    var shift: UInt64 = 0
    var count: UInt64 = 0
    for byte in bytes {
      word |= UInt64(byte) << shift
      shift += 8
      count &+= 1
      if shift == 64 {
        v3 ^= word
        round()
        round()
        v0 ^= word
        word = 0
        shift = 0
      }
    }
    word |= count << 56
    v3 ^= word
    round()
    round()
    v0 ^= word
    v2 ^= 0xff
    for _ in 0..<4 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }

  private static func rotate(_ value: UInt64, _ count: UInt64) -> UInt64 { value << count | value >> (64 - count) }

  private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

extension SipHash {
  /// With the store's key, which is made when the store is.
  init(of db: SQLConnection) throws {
    let key = try db.first("SELECT value FROM meta WHERE name = 'hash key'", [], { $0.bytes(0) }) ?? nil
    guard let hash = key.flatMap({ SipHash(key: $0) }) else { throw Damage(what: "it has lost its hash key") }
    self = hash
  }

  /// As the tables have it.
  func event(_ side: Side, _ eventID: String) -> Int64 { tagged(UInt8(side.code), eventID) }
  func record(_ key: RecordKey) -> Int64 { tagged(0x80 + UInt8(key.side.code), key.id.text) }

  private func tagged(_ tag: UInt8, _ text: String) -> Int64 {
    var text = text
    return text.withUTF8 { text in
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: text.count + 1) { bytes in
        bytes[0] = tag
        _ = bytes[1...].initialize(fromContentsOf: text)
        return Int64(bitPattern: self(UnsafeBufferPointer(bytes)))
      }
    }
  }
}
