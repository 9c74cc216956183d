import JSON
import Mapping

/// A record's id on its side, as the exact text of the JSON value; compared as bytes, never by Unicode equivalence.
public struct RecordID: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let text: String

  public init(_ text: String) { self.text = text }

  public static func == (a: Self, b: Self) -> Bool { a.text.isIdentical(to: b.text) }
  public static func < (a: Self, b: Self) -> Bool { a.text.precedes(b.text) }
  public func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
  public var description: String { text }
}

/// One record of one side.
public struct RecordKey: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let side: Side
  public let id: RecordID

  public init(_ side: Side, _ id: RecordID) {
    self.side = side
    self.id = id
  }

  public static func < (a: Self, b: Self) -> Bool {
    a.side == b.side ? a.id < b.id : a.side == .invoiced
  }
  public var description: String { "\(side.rawValue):\(id)" }
}

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable, Comparable {
  public let milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// Reads RFC 3339, to the millisecond; nil for any other text.
  public init?(rfc3339 text: String) {
    guard let seconds = CivilTime.instant(text),
      let exact = ExactDecimal("\(seconds.rounded(toScale: 3))e3"), let milliseconds = exact.int64
    else { return nil }
    self.milliseconds = milliseconds
  }

  public static func < (a: Self, b: Self) -> Bool { a.milliseconds < b.milliseconds }

  public func adding(_ duration: Duration) -> Timestamp {
    let (seconds, attoseconds) = duration.components
    return Timestamp(milliseconds: milliseconds + seconds * 1000 + attoseconds / 1_000_000_000_000_000)
  }

  public func since(_ earlier: Timestamp) -> Duration { .milliseconds(milliseconds - earlier.milliseconds) }
}

/// A record's version by its own clock (`updated_at`), in nanoseconds since 1970-01-01T00:00:00Z.
public struct Version: Sendable, Hashable, Comparable {
  public let nanoseconds: Int64

  public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
  public init(seconds: Int64) { nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000).partialValue }

  public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }
  public var timestamp: Timestamp { Timestamp(milliseconds: nanoseconds / 1_000_000) }
}
