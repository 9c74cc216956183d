/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same numbers from the same seed everywhere.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A stream of its own for one purpose, so that drawing from one never shifts another.
  public func stream(_ label: UInt64) -> SeededGenerator {
    var fork = SeededGenerator(seed: state ^ (label &* 0xD6E8_FEB8_6659_FD93))
    return SeededGenerator(seed: fork.next())
  }

  /// A number in 0 ..< 1.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  package mutating func chance(_ probability: Double) -> Bool { fraction() < probability }

  package mutating func number(in range: ClosedRange<Int64>) -> Int64 {
    range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
  }

  package mutating func pick<Element>(_ items: [Element]) -> Element { items[Int(next() % UInt64(items.count))] }

  /// `count` characters out of letters and digits, as in tokens.
  package mutating func token(_ count: Int) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    return String(decoding: (0..<count).map { _ in pick(alphabet) }, as: UTF8.self)
  }
}
