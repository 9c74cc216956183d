/// A decimal number of up to 38 significant digits, exact. `1.10` is `1.1`, and `-0` is `0`.
///
/// Its value is `coefficient / 10^scale`, negated where `isNegative`; the coefficient never ends in a zero,
/// so each number has one form.
public struct ExactDecimal: Sendable, Hashable {
  /// The most significant digits a number may have.
  public static let maximumDigits = 38
  /// Numbers outside `10^±maximumMagnitude` are refused: nobody's customer owes them.
  static let maximumMagnitude = 128

  private let isNegative: Bool
  private let coefficient: UInt128
  private let scale: Int

  public static let zero = ExactDecimal(0)

  public init(_ value: Int64) { self.init(isNegative: value < 0, coefficient: UInt128(value.magnitude), scale: 0) }

  /// Reads a number as JSON writes it, leading zeros allowed; nil for any other text, for more than 38 significant
  /// digits, and for a magnitude beyond 10^128.
  public init?(_ text: some StringProtocol) {
    var copy = String(text)
    guard let number = copy.withUTF8({ Self.read($0) }) else { return nil }
    self = number
  }

  private static func read(_ bytes: UnsafeBufferPointer<UInt8>) -> ExactDecimal? {
    let isNegative = bytes.first == UInt8(ascii: "-")
    var digits = Digits()
    let whole = isNegative ? 1 : 0
    var position = digits.read(bytes, from: whole)
    guard position > whole else { return nil }
    var fraction = 0
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      let start = position + 1
      position = digits.read(bytes, from: start)
      fraction = position - start
      if fraction == 0 { return nil }
    }
    guard let exponent = exponent(bytes[position...]) else { return nil }
    guard digits.significant > 0 else { return .zero }
    guard digits.significant <= maximumDigits else { return nil }
    let scale = fraction - digits.zeros - exponent
    guard abs(digits.significant - scale) <= maximumMagnitude else { return nil }
    return ExactDecimal(isNegative: isNegative, normalised: digits.coefficient, scale: scale)
  }

  /// The digits read so far: a number without zeros at its ends, and how many zeros followed it.
  private struct Digits {
    /// Right as long as `significant` is within bounds.
    private(set) var coefficient: UInt128 = 0
    private(set) var significant = 0
    private(set) var zeros = 0

    /// Reads digits on from `start`, and returns where they end.
    mutating func read(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
      var position = start
      while position < bytes.count, bytes[position].isDigit {
        let digit = bytes[position] - UInt8(ascii: "0")
        position += 1
        if digit == 0 {
          if significant > 0 { zeros += 1 }
          continue
        }
        significant += zeros + 1
        if significant <= maximumDigits {
          for _ in 0...zeros { coefficient *= 10 }
          coefficient += UInt128(digit)
        }
        zeros = 0
      }
      return position
    }
  }

  /// The exponent that `bytes` write, 0 for none; nil for anything else, and for more digits than any number here has.
  private static func exponent(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> Int? {
    guard let first = bytes.first else { return 0 }
    guard first | 0x20 == UInt8(ascii: "e") else { return nil }
    var digits = bytes.dropFirst()
    var sign = 1
    if let mark = digits.first, mark == UInt8(ascii: "-") || mark == UInt8(ascii: "+") {
      if mark == UInt8(ascii: "-") { sign = -1 }
      digits.removeFirst()
    }
    guard !digits.isEmpty, digits.allSatisfy(\.isDigit) else { return nil }
    let significant = digits.drop { $0 == UInt8(ascii: "0") }
    // Saturates: such a number is refused for its magnitude, unless it is zero.
    guard significant.count <= 9 else { return sign * 1_000_000_000 }
    return sign * significant.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
  }

  /// The caller vouches that `coefficient` ends in no zero.
  private init(isNegative: Bool, normalised coefficient: UInt128, scale: Int) {
    self.isNegative = isNegative
    self.coefficient = coefficient
    self.scale = scale
  }

  /// Brings `coefficient / 10^scale` into its one form.
  private init(isNegative: Bool, coefficient: UInt128, scale: Int) {
    var (coefficient, scale) = (coefficient, scale)
    while coefficient > UInt128(UInt64.max), coefficient % 10 == 0 {
      coefficient /= 10
      scale -= 1
    }
    // Most numbers are small, and 128-bit division is slow.
    if var small = UInt64(exactly: coefficient), small != 0, small % 10 == 0 {
      while small % 10 == 0 {
        small /= 10
        scale -= 1
      }
      coefficient = UInt128(small)
    }
    self.isNegative = isNegative && coefficient != 0
    self.coefficient = coefficient
    self.scale = coefficient == 0 ? 0 : scale
  }

  public var isInteger: Bool { scale <= 0 }

  /// Nil when it has a fraction or doesn't fit 64 bits.
  public var int64: Int64? {
    guard isInteger, -scale <= 18, let power = Self.powerOfTen(-scale) else { return nil }
    let (magnitude, overflow) = coefficient.multipliedReportingOverflow(by: power)
    guard !overflow, magnitude <= UInt128(Int64.min.magnitude) else { return nil }
    return Int64(exactly: isNegative ? -Int128(magnitude) : Int128(magnitude))
  }

  /// How many digits stand after the point.
  public var fractionDigits: Int { max(scale, 0) }

  /// Which way a number goes that has more digits than it may.
  public enum Rounding: Sendable {
    /// To the nearest; of two equally near, to the one with the even digit.
    case halfEven
    /// To the nearest; of two equally near, away from zero.
    case halfUp
    /// Towards zero.
    case down
    /// Towards the smaller.
    case floor
  }

  /// A number near this one with at most `places` digits after the point.
  public func rounded(toScale places: Int, _ rounding: Rounding = .halfEven) -> ExactDecimal {
    let dropped = scale - places
    guard dropped > 0 else { return self }
    // Beyond 10^38 nothing of the number is left, and less than a half.
    var quotient: UInt128 = 0
    var (isAboveHalf, isHalf) = (false, false)
    if let divisor = Self.powerOfTen(dropped) {
      let remainder: UInt128
      (quotient, remainder) = coefficient.quotientAndRemainder(dividingBy: divisor)
      isAboveHalf = remainder * 2 > divisor
      isHalf = remainder * 2 == divisor
    }
    let isIncreased =
      switch rounding {
      case .halfEven: isAboveHalf || (isHalf && quotient % 2 == 1)
      case .halfUp: isAboveHalf || isHalf
      case .down: false
      case .floor: isNegative
      }
    return ExactDecimal(isNegative: isNegative, coefficient: quotient + (isIncreased ? 1 : 0), scale: places)
  }

  /// 10^exponent up to 10^38, the largest that fits.
  private static func powerOfTen(_ exponent: Int) -> UInt128? {
    guard 0...maximumDigits ~= exponent else { return nil }
    return (0..<exponent).reduce(1) { power, _ in power * 10 }
  }

  /// How many digits the number has before the point; 0 or less for a fraction: 0.01 has -1.
  private var magnitude: Int { String(coefficient).utf8.count - scale }
}

extension ExactDecimal: Comparable {
  public static func < (a: Self, b: Self) -> Bool {
    if a.sign != b.sign { return a.sign < b.sign }
    return a.isNegative ? magnitude(of: b, isBelow: a) : magnitude(of: a, isBelow: b)
  }

  private var sign: Int { coefficient == 0 ? 0 : isNegative ? -1 : 1 }

  private static func magnitude(of a: Self, isBelow b: Self) -> Bool {
    if a.coefficient == 0 || b.coefficient == 0 { return a.coefficient < b.coefficient }
    if a.magnitude != b.magnitude { return a.magnitude < b.magnitude }
    // With as many digits before the point, the shorter one padded with zeros still has at most 38 digits.
    let scale = max(a.scale, b.scale)
    let (x, y) = (powerOfTen(scale - a.scale) ?? 1, powerOfTen(scale - b.scale) ?? 1)
    return a.coefficient * x < b.coefficient * y
  }
}

extension ExactDecimal: CustomStringConvertible {
  /// The number in full, without an exponent: `-0.05`, `1200`.
  public var description: String {
    var digits = UInt64(exactly: coefficient).map { String($0) } ?? String(coefficient)
    if scale < 0 { digits += String(repeating: "0", count: -scale) }
    if scale > 0 {
      if digits.utf8.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits }
      digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale))
    }
    return isNegative ? "-" + digits : digits
  }
}

extension ExactDecimal: ExpressibleByIntegerLiteral {
  public init(integerLiteral value: Int64) { self.init(value) }
}

extension UInt8 {
  fileprivate var isDigit: Bool { 0x30...0x39 ~= self }
}

extension JSONNumber {
  /// Nil when the number has more than 38 significant digits or an absurd exponent.
  public var decimal: ExactDecimal? { ExactDecimal(text) }

  public init(_ value: ExactDecimal) { self.init(unchecked: value.description) }
}
