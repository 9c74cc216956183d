import Glibc
import JSON
import Logging
import Sync
import Synchronization

/// Log lines on standard error, as text or as one JSON object a line.
public struct ConsoleLog: LogHandler {
  public var metadata: Logger.Metadata = [:]
  private let settings: LogSettings
  private var ownLevel: Logger.Level?

  public var logLevel: Logger.Level {
    get { ownLevel ?? settings.level }
    set { ownLevel = newValue }
  }

  public init(_ settings: LogSettings) { self.settings = settings }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var all = metadata.merging(event.metadata ?? [:]) { $1 }
    if let error = event.error { all["error"] = "\(error)" }
    let pairs = all.sorted { $0.key < $1.key }
    let time = SystemClock().now.rfc3339
    var line: String
    if settings.isJSON {
      var members: [JSONObject.Member] = [
        ("time", .string(time)), ("level", .string(event.level.rawValue)),
        ("message", .string("\(event.message)")),
      ]
      members += pairs.map { (key: $0.key, value: .string("\($0.value)")) }
      line = JSONValue.object(JSONObject(members)).text
    } else {
      line = "\(time) \(event.level.rawValue) \(event.message)"
      for (key, value) in pairs { line += " \(key)=\(Self.quoted("\(value)"))" }
    }
    line += "\n"
    // One write a line: lines of several threads don't mix.
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }

  private static func quoted(_ value: String) -> String {
    let isPlain = !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != 0x7F }
    return isPlain ? value : JSONValue.string(value).text
  }
}

/// The level and the form of all log lines, which a new configuration can change.
public final class LogSettings: Sendable {
  private let levelNumber: Atomic<Int>
  private let asJSON: Atomic<Bool>

  public init(_ configuration: Configuration.Log) {
    levelNumber = Atomic(Self.number(configuration.level))
    asJSON = Atomic(configuration.format == .json)
  }

  public func replace(_ configuration: Configuration.Log) {
    levelNumber.store(Self.number(configuration.level), ordering: .relaxed)
    asJSON.store(configuration.format == .json, ordering: .relaxed)
  }

  var level: Logger.Level { Logger.Level.allCases[levelNumber.load(ordering: .relaxed)] }
  var isJSON: Bool { asJSON.load(ordering: .relaxed) }

  private static func number(_ level: Configuration.Log.Level) -> Int {
    Logger.Level.allCases.firstIndex { $0.rawValue == level.rawValue } ?? 2
  }
}

extension Timestamp {
  /// RFC 3339 in UTC, with milliseconds.
  public var rfc3339: String {
    var seconds = time_t(milliseconds / 1000)
    var rest = milliseconds % 1000
    if rest < 0 {
      seconds -= 1
      rest += 1000
    }
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func pad(_ value: some BinaryInteger, _ width: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, width - text.count)) + text
    }
    return "\(pad(parts.tm_year + 1900, 4))-\(pad(parts.tm_mon + 1, 2))-\(pad(parts.tm_mday, 2))T"
      + "\(pad(parts.tm_hour, 2)):\(pad(parts.tm_min, 2)):\(pad(parts.tm_sec, 2)).\(pad(rest, 3))Z"
  }
}
