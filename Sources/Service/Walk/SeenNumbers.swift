import Signatures

/// Which records a pass has seen, by their numbers in the store: one bit each, so that a million records take 125 KB.
struct SeenNumbers: Sendable, Hashable {
  private(set) var bytes: [UInt8] = []

  mutating func insert(_ number: Int64) {
    guard number >= 0, let index = Int(exactly: number / 8) else { return }
    if index >= bytes.count { bytes += [UInt8](repeating: 0, count: index + 1 - bytes.count) }
    bytes[index] |= 1 << UInt8(number % 8)
  }

  func contains(_ number: Int64) -> Bool {
    guard number >= 0, let index = Int(exactly: number / 8), index < bytes.count else { return false }
    return bytes[index] & 1 << UInt8(number % 8) != 0
  }

  var text: String { Base64.encode(bytes) }

  init() {}
  init?(text: String) {
    guard let bytes = Base64.decode(text) else { return nil }
    self.bytes = bytes
  }
}
