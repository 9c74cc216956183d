/// Instants as milliseconds since 1970 UTC, written and read in the forms that the two APIs use.
enum Timestamp {
  /// RFC 9110 section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
  static func httpDate(_ milliseconds: Int64) -> String {
    let t = Civil(milliseconds)
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    let weekday = days[Int(((t.days % 7) + 7) % 7)]
    return "\(weekday), \(pad(t.day, 2)) \(months[t.month - 1]) \(pad(t.year, 4)) "
      + "\(pad(t.hour, 2)):\(pad(t.minute, 2)):\(pad(t.second, 2)) GMT"
  }

  /// RFC 3339 in UTC with three decimals: `2026-03-01T12:00:00.250Z`.
  static func rfc3339(_ milliseconds: Int64) -> String {
    let t = Civil(milliseconds)
    return "\(pad(t.year, 4))-\(pad(t.month, 2))-\(pad(t.day, 2))T"
      + "\(pad(t.hour, 2)):\(pad(t.minute, 2)):\(pad(t.second, 2)).\(pad(t.millisecond, 3))Z"
  }

  /// Reads RFC 3339 (any offset; the fraction is cut to milliseconds), a bare date, or UNIX seconds; else nil.
  static func parse(_ text: String) -> Int64? {
    if let seconds = Int64(text) { return seconds.multipliedReportingOverflow(by: 1000).partialValue }
    let bytes = Array(text.utf8)
    func digits(_ from: Int, _ count: Int) -> Int? {
      guard from + count <= bytes.count, bytes[from..<from + count].allSatisfy({ 0x30...0x39 ~= $0 }) else {
        return nil
      }
      return bytes[from..<from + count].reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
    guard let year = digits(0, 4), bytes.count >= 10, bytes[4] == UInt8(ascii: "-"), let month = digits(5, 2),
      bytes[7] == UInt8(ascii: "-"), let day = digits(8, 2), 1...12 ~= month, 1...31 ~= day
    else { return nil }
    let midnight = Civil.days(year: year, month: month, day: day) * 86_400_000
    if bytes.count == 10 { return midnight }
    guard bytes[10] | 0x20 == UInt8(ascii: "t") || bytes[10] == 0x20, let hour = digits(11, 2),
      let minute = digits(14, 2),
      let second = digits(17, 2), hour < 24, minute < 60, second <= 60
    else { return nil }
    var position = 19
    var fraction: Int64 = 0
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      position += 1
      var scale: Int64 = 100
      while position < bytes.count, 0x30...0x39 ~= bytes[position] {
        fraction += Int64(bytes[position] - 0x30) * scale
        scale /= 10
        position += 1
      }
    }
    var offset: Int64 = 0
    guard position < bytes.count else { return nil }
    switch bytes[position] {
    case UInt8(ascii: "Z"), UInt8(ascii: "z"): position += 1
    case UInt8(ascii: "+"), UInt8(ascii: "-"), 0x20:  // a `+` that a query turned into a space
      guard let hours = digits(position + 1, 2), let minutes = digits(position + 4, 2) else { return nil }
      offset = Int64(hours * 60 + minutes) * (bytes[position] == UInt8(ascii: "-") ? -60_000 : 60_000)
      position += 6
    default: return nil
    }
    guard position == bytes.count else { return nil }
    let time = Int64(hour * 3600 + minute * 60 + second) * 1000 + fraction
    return midnight + time - offset
  }

  private static func pad(_ number: Int, _ width: Int) -> String {
    let text = String(number)
    return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
  }
}

/// A date in the proleptic Gregorian calendar (after Howard Hinnant, "chrono-compatible low-level date algorithms").
private struct Civil {
  let days: Int64
  let year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int, millisecond: Int

  init(_ milliseconds: Int64) {
    let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: 86_400_000)
    days = remainder < 0 ? quotient - 1 : quotient
    let rest = Int(milliseconds - days * 86_400_000)
    let shifted = Int(days) + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    (hour, minute, second, millisecond) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000)
  }

  static func days(year: Int, month: Int, day: Int) -> Int64 {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return Int64(era * 146_097 + dayOfEra - 719_468)
  }
}
