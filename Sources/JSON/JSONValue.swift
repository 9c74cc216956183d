/// A JSON value (RFC 8259) that loses nothing: numbers keep their text, objects their order, strings their exact
/// scalars.
public enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case number(JSONNumber)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)
}

/// A JSON number as it was written: `1.10` stays `1.10`, and 64-bit integers and long decimals stay exact.
public struct JSONNumber: Sendable, Hashable {
  /// The number's text, valid by RFC 8259 section 6.
  public let text: String

  /// The caller vouches that `text` follows the grammar of a JSON number.
  init(unchecked text: String) { self.text = text }

  public init(_ value: some BinaryInteger) { text = String(value) }

  /// Nil when `text` is no JSON number.
  public init?(validating text: String) {
    guard case .number(let number)? = try? JSONValue(parsing: text), number.text.isIdentical(to: text) else {
      return nil
    }
    self = number
  }

  /// Nil when the number has a fraction, an exponent, or doesn't fit 64 bits.
  public var int64: Int64? { Int64(text) }

  public static func == (a: Self, b: Self) -> Bool { a.text.isIdentical(to: b.text) }
}

extension JSONValue {
  /// A member of an object; nil for a missing member and for anything that is no object.
  public subscript(key: String) -> JSONValue? {
    if case .object(let object) = self { object[key] } else { nil }
  }

  public var string: String? { if case .string(let text) = self { text } else { nil } }
  public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  public var int64: Int64? { if case .number(let number) = self { number.int64 } else { nil } }
  public var array: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
  public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
  public var isNull: Bool { if case .null = self { true } else { false } }

  /// The text of an identifier: a string's content, or a number exactly as it was written; nil for anything else.
  public var identifier: String? {
    switch self {
    case .string(let text): text
    case .number(let number): number.text
    case .null, .bool, .array, .object: nil
    }
  }
}

/// Exact equality: strings and number texts as bytes, objects regardless of their members' order.
extension JSONValue: Hashable {
  public static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.null, .null): true
    case (.bool(let x), .bool(let y)): x == y
    case (.number(let x), .number(let y)): x == y
    case (.string(let x), .string(let y)): x.isIdentical(to: y)
    case (.array(let x), .array(let y)): x == y
    case (.object(let x), .object(let y)): x == y
    default: false
    }
  }

  public func hash(into hasher: inout Hasher) {
    switch self {
    case .null: hasher.combine(0)
    case .bool(let value): hasher.combine(value)
    case .number(let number): hasher.combine(number)
    case .string(let text): text.hashBytes(into: &hasher)
    case .array(let items): hasher.combine(items)
    case .object(let object): hasher.combine(object)
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .number(JSONNumber(value)) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(nilLiteral: ()) { self = .null }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(JSONObject(elements.map { (key: $0.0, value: $0.1) }))
  }
}
