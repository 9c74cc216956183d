import JSON

/// Dates and instants in the proleptic Gregorian calendar, years 1 to 9999.
public enum CivilTime {
  /// Days since 1970-01-01 of a date written `YYYY-MM-DD`; nil for any other text and for a day that doesn't exist.
  static func days(_ text: String) -> Int? {
    var reader = Reader(text)
    guard let days = reader.date(), reader.isAtEnd else { return nil }
    return days
  }

  /// Seconds since 1970-01-01T00:00:00Z of an RFC 3339 date and time, exact; nil for any other text, one without an
  /// offset, and one with more than 20 digits of a second.
  public static func instant(_ text: String) -> ExactDecimal? {
    var reader = Reader(text)
    guard let days = reader.date(), reader.takes("Tt "), let hour = reader.digits(2, 0...23), reader.takes(":"),
      let minute = reader.digits(2, 0...59), reader.takes(":"),
      // A leap second is the first of the next minute: no clock here tells them apart.
      let second = reader.digits(2, 0...60)
    else { return nil }
    var fraction = ""
    if reader.takes(".") {
      fraction = reader.allDigits()
      guard 1...20 ~= fraction.utf8.count else { return nil }
    }
    var offset = 0
    if !reader.takes("Zz") {
      let isWest = reader.takes("-")
      guard isWest || reader.takes("+"), let hours = reader.digits(2, 0...23), reader.takes(":"),
        let minutes = reader.digits(2, 0...59)
      else { return nil }
      offset = (isWest ? -1 : 1) * (hours * 60 + minutes) * 60
    }
    guard reader.isAtEnd else { return nil }
    return exact(seconds: days * 86_400 + hour * 3_600 + minute * 60 + second - offset, fraction: fraction)
  }

  /// `seconds` and the digits of a fraction to be added, which for times before 1970 counts towards zero.
  private static func exact(seconds: Int, fraction: String) -> ExactDecimal? {
    guard seconds < 0, let part = UInt128(fraction), part > 0 else { return ExactDecimal("\(seconds).\(fraction)0") }
    let whole = (0..<fraction.utf8.count).reduce(1 as UInt128) { power, _ in power * 10 }
    let rest = String(whole - part)
    let zeros = String(repeating: "0", count: fraction.utf8.count - rest.utf8.count)
    return ExactDecimal("-\(-(seconds + 1)).\(zeros)\(rest)")
  }

  /// `YYYY-MM-DD`; nil outside the years 1 to 9999.
  static func dateText(days: Int) -> String? {
    guard -719_162...2_932_896 ~= days else { return nil }
    // Howard Hinnant's civil_from_days: eras of 400 years that begin in March.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * month + 2) / 5 + 1
    let year = yearOfEra + era * 400 + (month >= 10 ? 1 : 0)
    return "\(padded(year, 4))-\(padded(month < 10 ? month + 3 : month - 9, 2))-\(padded(day, 2))"
  }

  /// `YYYY-MM-DDTHH:MM:SSZ`; nil outside the years 1 to 9999.
  public static func datetimeText(seconds: Int64) -> String? {
    guard let days = days(seconds: seconds), let date = dateText(days: days) else { return nil }
    let rest = Int(seconds) - days * 86_400
    return "\(date)T\(padded(rest / 3_600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))Z"
  }

  /// The day that a UNIX time falls on; nil outside the years 1 to 9999.
  static func days(seconds: Int64) -> Int? {
    guard -62_135_596_800...253_402_300_799 ~= seconds else { return nil }
    return Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(width - text.utf8.count, 0)) + text
  }

  private struct Reader {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func takes(_ any: StaticString) -> Bool {
      guard let byte = rest.first, any.withUTF8Buffer({ $0.contains(byte) }) else { return false }
      rest.removeFirst()
      return true
    }

    mutating func allDigits() -> String {
      let digits = rest.prefix { 0x30...0x39 ~= $0 }
      rest.removeFirst(digits.count)
      return String(decoding: digits, as: UTF8.self)
    }

    mutating func digits(_ count: Int, _ range: ClosedRange<Int>) -> Int? {
      let digits = rest.prefix(count)
      guard digits.count == count, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
      rest.removeFirst(count)
      let number = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
      return range.contains(number) ? number : nil
    }

    mutating func date() -> Int? {
      guard let year = digits(4, 1...9999), takes("-"), let month = digits(2, 1...12), takes("-"),
        let day = digits(2, 1...31), day <= Self.days(in: month, of: year)
      else { return nil }
      // Howard Hinnant's days_from_civil.
      let y = month <= 2 ? year - 1 : year
      let era = y / 400
      let yearOfEra = y - era * 400
      let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
      return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func days(in month: Int, of year: Int) -> Int {
      switch month {
      case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
      case 4, 6, 9, 11: 30
      default: 31
      }
    }
  }
}
