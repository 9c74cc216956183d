/// So many calls in so much time.
public struct Rate: Sendable, Hashable {
  public var count: Int
  public var per: Duration

  /// Reads `20/s`, `100/m`, `1000/h`.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let count = Int(parts[0]),
      1...1_000_000_000 ~= count
    else { return nil }
    switch parts[1] {
    case "s": per = .seconds(1)
    case "m": per = .seconds(60)
    case "h": per = .seconds(3600)
    default: return nil
    }
    self.count = count
  }
}

/// Quantities as the configuration writes them.
enum Quantity {
  /// A hundred years: with longer ones, moments would be beyond what is reckoned with.
  private static let longest: Duration = .seconds(36_500 * 86_400)
  /// 1 TiB.
  private static let largest = 1 << 40

  /// Reads `500ms`, `10s`, `5m`, `48h`, `30d`, up to a hundred years.
  static func duration(_ text: String) -> Duration? {
    guard let (number, unit) = split(text) else { return nil }
    let milliseconds: [String: Int64] = [
      "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
    ]
    guard let factor = milliseconds[unit] else { return nil }
    let (product, overflow) = Int64(number).multipliedReportingOverflow(by: factor)
    return overflow || .milliseconds(product) > longest ? nil : .milliseconds(product)
  }

  /// Reads `1048576`, `64KiB`, `1MiB`, `1GiB`, `1kB`, `1MB`: bytes, up to 1 TiB.
  static func size(_ text: String) -> Int? {
    guard let (number, unit) = split(text) else { return nil }
    let bytes = [
      "": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 1000, "KB": 1000, "MB": 1_000_000,
      "GB": 1_000_000_000,
    ]
    guard let factor = bytes[unit] else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: factor)
    return overflow || product > largest ? nil : product
  }

  private static func split(_ text: String) -> (Int, String)? {
    let digits = text.utf8.prefix { 0x30...0x39 ~= $0 }
    guard let number = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
    return (number, String(decoding: text.utf8.dropFirst(digits.count), as: UTF8.self))
  }
}
