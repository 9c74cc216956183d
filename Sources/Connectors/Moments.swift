import JSON
import Mapping
import Sync

/// HTTP's dates (RFC 9110 section 5.6.7).
enum HTTPDate {
  /// Seconds since 1970-01-01T00:00:00Z; nil for what is no date. All three forms are read.
  static func seconds(_ text: String) -> Int64? {
    let words = text.split { " ,-".contains($0) }.map(String.init)
    switch words.count {
    // Sun, 06 Nov 1994 08:49:37 GMT, and Sunday, 06-Nov-94 08:49:37 GMT
    case 6: return seconds(year: words[3], month: words[2], day: words[1], time: words[4])
    // Sun Nov  6 08:49:37 1994
    case 5: return seconds(year: words[4], month: words[1], day: words[2], time: words[3])
    default: return nil
    }
  }

  private static let months = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
  ]

  private static func seconds(year: String, month: String, day: String, time: String) -> Int64? {
    guard var number = Int(year), let index = months.firstIndex(of: month.lowercased()), let day = Int(day) else {
      return nil
    }
    if year.utf8.count == 2 { number += number < 70 ? 2000 : 1900 }
    let month = index + 1
    return CivilTime.instant("\(number)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)T\(time)Z")?.int64
  }
}

/// How a side writes the time of a record's last change.
enum VersionForm: Sendable, Hashable {
  case rfc3339
  case unixSeconds

  /// Reads either; nil for anything else, and for times beyond 1677 to 2262.
  static func read(_ value: JSONValue) -> (version: Version, form: VersionForm)? {
    switch value {
    case .number(let number): return version(number.decimal).map { ($0, .unixSeconds) }
    case .string(let text):
      if let version = version(CivilTime.instant(text)) { return (version, .rfc3339) }
      return version(ExactDecimal(text)).map { ($0, .unixSeconds) }
    case .null, .bool, .array, .object: return nil
    }
  }

  private static func version(_ seconds: ExactDecimal?) -> Version? {
    guard let seconds else { return nil }
    if let whole = seconds.int64 {
      let (nanoseconds, isBeyond) = whole.multipliedReportingOverflow(by: 1_000_000_000)
      return isBeyond ? nil : Version(nanoseconds: nanoseconds)
    }
    // Nanoseconds are the seconds' first nine decimals: what is finer is dropped.
    let rounded = seconds.rounded(toScale: 9).description
    let parts = rounded.split(separator: ".", omittingEmptySubsequences: false)
    let fraction = parts.count == 2 ? String(parts[1]) : ""
    let digits = parts[0] + fraction + String(repeating: "0", count: max(9 - fraction.utf8.count, 0))
    return Int64(digits).map { Version(nanoseconds: $0) }
  }

  /// The moment as this form writes it, cut to whole seconds; nil outside the years 1 to 9999.
  func text(of moment: Timestamp) -> String? {
    let seconds = moment.wholeSeconds
    switch self {
    case .rfc3339: return CivilTime.datetimeText(seconds: seconds)
    case .unixSeconds: return String(seconds)
    }
  }
}

extension Timestamp {
  /// Seconds, rounded down.
  var wholeSeconds: Int64 { milliseconds >= 0 ? milliseconds / 1000 : (milliseconds - 999) / 1000 }
}
