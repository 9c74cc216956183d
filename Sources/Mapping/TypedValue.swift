import JSON

/// Why a value doesn't fit where it was to go; `PropertyPair` makes a `Misfit` of it.
struct Unfit: Error {
  /// A clause: "is no integer".
  var reason: String
  /// What to do; nil for the general advice.
  var nextStep: String?

  init(_ reason: String, nextStep: String? = nil) {
    self.reason = reason
    self.nextStep = nextStep
  }
}

/// How a value is to be read, beside its type.
struct Reading {
  /// Booleans may come as text or as 0 and 1: from Invoiced's metadata, and from converters.
  var isLenient = false
  /// "" is a value of its own.
  var keepsEmpty = false
  /// The Invoiced side holds nothing but text, so values of any type are compared by theirs.
  var comparesText = false
  /// A text may hold an array or an object, as Invoiced's metadata stores these.
  var unpacksText = false
}

/// A value as its type has it: in JSON, and in the form that it is compared as.
struct TypedValue {
  /// Nil for nothing.
  var json: JSONValue?
  var meaning: Canonical

  static let nothing = TypedValue(json: nil, meaning: .nothing)
}

extension PropertyType {
  func read(_ value: JSONValue?, _ reading: Reading) throws(Unfit) -> TypedValue {
    guard let value = value.flatMap({ $0.something(keepingEmpty: reading.keepsEmpty) }) else { return .nothing }
    if case .string("") = value, self != .string, self != .any { return .nothing }
    switch self {
    case .string:
      let text = try value.asText(includingBooleans: reading.isLenient)
      return TypedValue(json: .string(text), meaning: .text(text))
    case .integer: return try Self.integer(value)
    case .decimal: return try Self.decimal(value)
    case .boolean:
      let bool = try value.asBool(isLenient: reading.isLenient)
      return TypedValue(json: .bool(bool), meaning: .boolean(bool))
    case .date:
      guard let days = value.string.flatMap(CivilTime.days) else {
        throw Unfit("is no date (YYYY-MM-DD)", nextStep: value.timeAdvice(form: "date"))
      }
      return TypedValue(json: value, meaning: .date(days: days))
    case .datetime:
      guard let instant = value.string.flatMap(CivilTime.instant) else {
        throw Unfit("is no RFC 3339 date and time with an offset", nextStep: value.timeAdvice(form: "datetime"))
      }
      return TypedValue(json: value, meaning: .instant(instant))
    case .any:
      let structured = reading.comparesText ? value.structured : value
      return TypedValue(json: reading.unpacksText ? structured : value, meaning: structured.canonical(reading))
    }
  }

  private static func integer(_ value: JSONValue) throws(Unfit) -> TypedValue {
    guard let text = value.identifier else { throw Unfit("is no integer") }
    guard let decimal = ExactDecimal(text) else {
      throw Unfit(value.isNumber ? "does not fit a 64-bit integer" : "is no integer")
    }
    guard decimal.isInteger else { throw Unfit("has a fraction, and is to be an integer") }
    guard let integer = decimal.int64 else { throw Unfit("does not fit a 64-bit integer") }
    return TypedValue(json: .number(JSONNumber(integer)), meaning: .integer(integer))
  }

  private static func decimal(_ value: JSONValue) throws(Unfit) -> TypedValue {
    guard let text = value.identifier else { throw Unfit("is no number") }
    guard let decimal = ExactDecimal(text) else {
      throw Unfit(value.isNumber ? "has more than 38 digits" : "is no number of up to 38 digits")
    }
    let number = JSONNumber(validating: text) ?? JSONNumber(decimal)
    return TypedValue(json: .number(number), meaning: .decimal(decimal))
  }
}

extension JSONValue {
  var isNumber: Bool { if case .number = self { true } else { false } }

  /// Nil for null, and for "" unless it is kept.
  func something(keepingEmpty: Bool) -> JSONValue? {
    switch self {
    case .null: nil
    case .string(let text) where text.isEmpty && !keepingEmpty: nil
    case .bool, .number, .string, .array, .object: self
    }
  }

  /// A scalar's text. A number is taken as it is written: ids and codes come as numbers from many systems.
  func asText(includingBooleans: Bool) throws(Unfit) -> String {
    switch self {
    case .string(let text): return text
    case .number(let number): return number.text
    case .bool(let value) where includingBooleans: return value ? "true" : "false"
    case .null, .bool, .array, .object: throw Unfit("is no text")
    }
  }

  func asBool(isLenient: Bool) throws(Unfit) -> Bool {
    switch self {
    case .bool(let value): return value
    case .string, .number:
      switch identifier?.lowercased() {
      case "true" where isLenient, "1" where isLenient: return true
      case "false" where isLenient, "0" where isLenient: return false
      default: throw Unfit("is neither true nor false")
      }
    case .null, .array, .object: throw Unfit("is neither true nor false")
    }
  }

  fileprivate func timeAdvice(form: String) -> String? {
    isNumber ? "if it is UNIX seconds, give the row `convert: { unix: \(form) }`" : nil
  }

  /// The array or object that a text holds; any other value as it is.
  var structured: JSONValue {
    guard case .string(let text) = self, let first = text.utf8.first,
      first == UInt8(ascii: "[") || first == UInt8(ascii: "{"), let value = try? JSONValue(parsing: text)
    else { return self }
    return value
  }

  /// What any value is compared as: by structure, numbers by value, text in NFC; members that are nothing don't count.
  func canonical(_ reading: Reading) -> Canonical {
    switch self {
    case .null: return .nothing
    case .bool(let value): return reading.comparesText ? .text(value ? "true" : "false") : .boolean(value)
    case .number(let number):
      // A number too long to be one to us is still equal to itself.
      guard !reading.comparesText, let decimal = number.decimal else { return .text(number.text) }
      return .decimal(decimal)
    case .string(let text): return text.isEmpty && !reading.keepsEmpty ? .nothing : .text(text)
    case .array(let items):
      let inner = Reading(keepsEmpty: reading.keepsEmpty)
      return .list(items.map { $0.canonical(inner) })
    case .object(let object):
      let inner = Reading(keepsEmpty: reading.keepsEmpty)
      let members = object.members.map { ($0.key, $0.value.canonical(inner)) }.filter { $0.1 != .nothing }
      return .object([String: Canonical](members) { _, last in last })
    }
  }

  /// Whether two values of a mapping or a record mean the same, a scalar's text for itself: `{values: {1: one}}` has
  /// text for a key, the record a number.
  public func means(_ other: JSONValue) -> Bool {
    let reading = Reading(comparesText: !(isNumber && other.isNumber))
    return canonical(reading) == other.canonical(reading)
  }
}
