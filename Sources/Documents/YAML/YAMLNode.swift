import JSON
import Mapping

/// A YAML value with its place in the file. Scalars keep their text: what a plain `no` means is decided where it is
/// read.
public struct YAMLNode: Sendable {
  public indirect enum Content: Sendable {
    /// `plain` is false for quoted and block scalars.
    case scalar(text: String, plain: Bool)
    case list([YAMLNode])
    case keyed([Member])
  }

  public struct Member: Sendable {
    public var key: String
    /// False where the key is in quotes.
    public var keyIsPlain: Bool
    public var keyPosition: SourcePosition
    public var value: YAMLNode

    /// The key by YAML 1.2's core schema, where keys are values too (`values: { 1: one, "2": two }`).
    public var keyJSON: JSONValue { keyIsPlain ? YAMLCoreSchema.resolve(key) : .string(key) }
  }

  public var content: Content
  public var position: SourcePosition
  /// What the text was put in place of, such as `${TOKEN}`: messages show this and never the text.
  public var origin: String?

  public init(content: Content, position: SourcePosition, origin: String? = nil) {
    self.content = content
    self.position = position
    self.origin = origin
  }

  /// A plain `null`, `Null`, `NULL`, `~`, or nothing at all.
  public var isNull: Bool {
    guard case .scalar(let text, true) = content else { return false }
    return YAMLCoreSchema.isNull(text)
  }

  /// The text of a scalar that is no null; nil for lists and mappings too.
  public var text: String? {
    guard case .scalar(let text, _) = content, !isNull else { return nil }
    return text
  }

  public var list: [YAMLNode]? { if case .list(let items) = content { items } else { nil } }
  public var members: [Member]? { if case .keyed(let members) = content { members } else { nil } }

  /// The value by YAML 1.2's core schema: plain `true`, `null`, `12` and `1.10` are what they look like, all else is
  /// text (`no`, `NO`, `yes` and `on` too, and whatever is quoted).
  public var json: JSONValue {
    switch content {
    case .scalar(let text, plain: true): YAMLCoreSchema.resolve(text)
    case .scalar(let text, plain: false): .string(text)
    case .list(let items): .array(items.map(\.json))
    case .keyed(let members): .object(JSONObject(members.map { (key: $0.key, value: $0.value.json) }))
    }
  }

  /// What kind of thing it is, without its value: "a list", "a single value".
  var shape: String {
    guard origin == nil, case .scalar = content, !isNull else { return kind }
    return "a single value"
  }

  /// What it is, for messages: "a list", "the text 'x'".
  public var kind: String {
    if let origin { return "what \(origin) stands for" }
    return switch content {
    case .scalar: isNull ? "nothing" : "'\(shortened(text ?? ""))'"
    case .list: "a list"
    case .keyed: "a mapping of keys"
    }
  }
}

/// YAML 1.2.2 section 10.3.2 (the core schema), without octal and hexadecimal integers, infinities and NaN, which JSON
/// has not.
enum YAMLCoreSchema {
  static func isNull(_ text: String) -> Bool { ["", "~", "null", "Null", "NULL"].contains(text) }

  static func resolve(_ text: String) -> JSONValue {
    if isNull(text) { return .null }
    switch text {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default: return number(text).map { .number($0) } ?? .string(text)
    }
  }

  /// The number that a plain scalar is, its digits kept: `1.10` stays `1.10`. A text with a leading zero (`007`), which
  /// people mean as text, isn't one.
  private static func number(_ text: String) -> JSONNumber? {
    guard let first = text.utf8.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first),
      case .number(let number)? = try? JSONValue(parsing: text)
    else { return nil }
    return number
  }
}

/// A value for a message: at most 60 characters.
public func shortened(_ text: String) -> String { text.count <= 60 ? text : String(text.prefix(57)) + "..." }
