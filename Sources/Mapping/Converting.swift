import JSON

/// A value on its way through a row's converters.
struct Conversion {
  /// Where it goes: `values`, `country`, `pattern` and `unix` have Invoiced's form on their left.
  let target: Side
  /// Whether the list is run backwards, to undo what it does on the way to the PMS.
  let isInverse: Bool
  let keepsEmpty: Bool
  /// What `join` adds, in its order.
  var additions: ArraySlice<JSONValue> = []
  /// Nil for nothing.
  var value: JSONValue?

  mutating func run(_ converters: some BidirectionalCollection<Converter>) throws(Unfit) {
    if isInverse {
      for converter in converters.reversed() { try apply(converter) }
    } else {
      for converter in converters { try apply(converter) }
    }
  }

  private mutating func apply(_ converter: Converter) throws(Unfit) {
    value = try converted(by: converter).flatMap { $0.something(keepingEmpty: keepsEmpty) }
  }

  private mutating func converted(by converter: Converter) throws(Unfit) -> JSONValue? {
    switch converter {
    case .values(let pairs): return try mapped(by: pairs)
    case .default(let fallback):
      guard isInverse else { return value ?? fallback }
      guard let value, !value.means(fallback) else { return Optional.none }
      return value
    case .join(let separator, let paths): return try joined(by: separator, count: paths.count)
    case .keepEmpty: return value
    case .not, .country, .pattern, .scale, .unix, .trim, .upper, .lower, .split: break
    }
    guard let value else { return nil }
    if case .string("") = value { return value }
    switch converter {
    case .not: return .bool(!(try value.asBool(isLenient: true)))
    case .country(let form): return try country(value, form)
    case .pattern(let prefix, let suffix): return try pattern(value, prefix, suffix)
    case .scale(let places):
      guard let decimal = value.identifier.flatMap({ ExactDecimal($0) }) else {
        throw Unfit("is no number to be scaled")
      }
      return .number(JSONNumber(decimal.rounded(toScale: places)))
    case .unix(let form): return try target == .pms ? written(value, form) : seconds(value, form)
    case .trim: return .string(Self.trimmed(try oneWayText(value, "trim")))
    case .upper: return .string(try oneWayText(value, "upper").uppercased())
    case .lower: return .string(try oneWayText(value, "lower").lowercased())
    case .split(let separator, let part):
      let parts = Self.parts(of: try oneWayText(value, "split"), at: separator)
      guard parts.indices.contains(part) else { return Optional.none }
      return .string(parts[part])
    case .values, .default, .join, .keepEmpty: return value
    }
  }

  private func mapped(by pairs: [Converter.ValuePair]) throws(Unfit) -> JSONValue? {
    let isToPMS = target == .pms
    for pair in pairs {
      let from = (isToPMS ? pair.invoiced : pair.pms).something(keepingEmpty: keepsEmpty)
      let fits =
        switch (value, from) {
        case (nil, nil): true
        case (let value?, let from?): value.means(from)
        case (nil, _?), (_?, nil): false
        }
      if fits { return isToPMS ? pair.pms : pair.invoiced }
    }
    guard value != nil else { return nil }
    throw Unfit("has no counterpart among the row's `values`", nextStep: "add it to the row's `values`, or change it")
  }

  private func country(_ value: JSONValue, _ form: Converter.CountryForm) throws(Unfit) -> JSONValue {
    let (from, to) = target == .pms ? (.alpha2, form) : (form, .alpha2)
    guard case .string(let text) = value, let country = Country(Self.trimmed(text), as: from) else {
      let expected = from == .name ? "English short name" : "\(from.rawValue) code"
      throw Unfit("is no country's \(expected) (ISO 3166-1)", nextStep: "correct the country")
    }
    return .string(country.text(as: to))
  }

  private func pattern(_ value: JSONValue, _ prefix: String, _ suffix: String) throws(Unfit) -> JSONValue {
    let text = try value.asText(includingBooleans: false)
    guard target == .pms else { return .string(prefix + text + suffix) }
    // By characters, not `hasPrefix`: a combining mark after the prefix makes its last character another one.
    let rest = text.dropFirst(prefix.count)
    guard text.starts(with: prefix), rest.reversed().starts(with: suffix.reversed()) else {
      throw Unfit(
        "does not follow the pattern \"\(prefix){}\(suffix)\"", nextStep: "write it so, or change the pattern")
    }
    let inner = rest.dropLast(suffix.count)
    guard !inner.isEmpty || prefix + suffix == "" else {
      throw Unfit("has nothing for the {} of the pattern \"\(prefix){}\(suffix)\"")
    }
    return .string(String(inner))
  }

  /// UNIX seconds as the PMS writes them.
  private func written(_ value: JSONValue, _ form: Converter.UnixForm) throws(Unfit) -> JSONValue {
    guard let seconds = value.identifier.flatMap({ ExactDecimal($0)?.int64 }) else { throw Unfit("is no UNIX time") }
    let text =
      switch form {
      case .date: CivilTime.days(seconds: seconds).flatMap(CivilTime.dateText)
      case .datetime: CivilTime.datetimeText(seconds: seconds)
      }
    guard let text else { throw Unfit("is a UNIX time outside the years 1 to 9999") }
    return .string(text)
  }

  /// What the PMS writes as UNIX seconds: a date as its midnight in UTC, an instant without its fraction.
  private func seconds(_ value: JSONValue, _ form: Converter.UnixForm) throws(Unfit) -> JSONValue {
    switch form {
    case .date:
      guard let days = value.string.flatMap(CivilTime.days) else { throw Unfit("is no date (YYYY-MM-DD)") }
      return .number(JSONNumber(days * 86_400))
    case .datetime:
      guard let instant = value.string.flatMap(CivilTime.instant) else {
        throw Unfit("is no RFC 3339 date and time with an offset")
      }
      return .number(JSONNumber(instant.rounded(toScale: 0, .floor)))
    }
  }

  private func oneWayText(_ value: JSONValue, _ name: String) throws(Unfit) -> String {
    guard !isInverse else {
      throw Unfit("can't be carried back through `\(name)`", nextStep: "give the row a one-way direction")
    }
    return try value.asText(includingBooleans: false)
  }

  private mutating func joined(by separator: String, count: Int) throws(Unfit) -> JSONValue? {
    guard !isInverse else {
      throw Unfit("can't be carried back through `join`", nextStep: "give the row a one-way direction")
    }
    var parts: [String] = []
    for part in [value].compactMap({ $0 }) + additions.prefix(count) {
      guard let part = part.something(keepingEmpty: false) else { continue }
      parts.append(try part.asText(includingBooleans: false))
    }
    additions = additions.dropFirst(count)
    return parts.isEmpty ? Optional.none : .string(parts.joined(separator: separator))
  }

  static func trimmed(_ text: String) -> String {
    guard let start = text.firstIndex(where: { !$0.isWhitespace }),
      let end = text.lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(text[start...end])
  }

  private static func parts(of text: String, at separator: String) -> [String] {
    guard !separator.isEmpty else { return [text] }
    var parts: [String] = []
    var part = ""
    var rest = text[...]
    while !rest.isEmpty {
      if rest.starts(with: separator) {
        parts.append(part)
        part = ""
        rest = rest.dropFirst(separator.count)
      } else {
        part.append(rest.removeFirst())
      }
    }
    return parts + [part]
  }
}
