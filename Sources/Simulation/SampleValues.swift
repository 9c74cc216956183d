import JSON
import Mapping
import Sandbox
import SeededRandom

/// Makes values up that fit a mapping's rows: by what is known of Invoiced's properties, by types and converters.
struct SampleValues {
  var generator: SeededGenerator

  private static let countries = ["NO", "SE", "DK", "DE", "US", "GB", "JP", "PL"]
  private static let currencies = ["nok", "sek", "eur", "usd", "gbp", "jpy"]
  private static let languages = ["nb", "en", "sv", "de", "ja"]
  private static let words = [
    "Fjord Marine AS", "Åse & Sønn", "A\u{30A}se & Sønn", "山田 KK", "O'Neill Ltd", "Łódź Papier", "Saint-Éloi",
    "Ωmega S.A.", "Crème \u{FB01}ne", "Straße 7",
  ]

  /// A value of the row as `side` has it, new each time by `mark`; nil where none can be made up, null for none.
  mutating func value(_ row: PropertyPair, on side: Side, mark: String, isKey: Bool) -> JSONValue? {
    let start: Side = row.direction == .toInvoiced ? .pms : .invoiced
    let path = row.path(on: start)
    var value: JSONValue?
    if row.converters.contains(where: { if case .default = $0 { true } else { false } }) || isRequired(path, start) {
      value = filled(row, at: start, mark, isKey)
    } else {
      value = !isKey && generator.chance(0.08) ? .null : filled(row, at: start, mark, isKey)
    }
    guard let value else { return nil }
    if side == start { return value }
    guard row.direction == .both else { return nil }
    return try? row.translated(from: start, raw: value)
  }

  private func isRequired(_ path: JSONPath, _ side: Side) -> Bool {
    side == .invoiced && ["name", "country", "active", "number"].contains(path.description)
  }

  private mutating func filled(_ row: PropertyPair, at start: Side, _ mark: String, _ isKey: Bool) -> JSONValue? {
    let inOrder = start == .invoiced ? row.converters : row.converters.reversed()
    for converter in inOrder {
      switch converter {
      case .values(let pairs):
        guard !pairs.isEmpty else { return nil }
        let pair = generator.pick(pairs)
        return start == .invoiced ? pair.invoiced : pair.pms
      case .country(let form):
        if start == .invoiced { return .string(generator.pick(Self.countries)) }
        return .string(
          form == .name
            ? generator.pick(["Norway", "Sweden"]) : form == .alpha3 ? generator.pick(["NOR", "SWE"]) : "NO")
      case .pattern(let prefix, let suffix):
        let number = "\(generator.number(in: 1...90))"
        return start == .invoiced ? .string(prefix + number + suffix) : .string(number)
      case .unix(let form):
        let day = generator.number(in: 18_000...21_000)
        guard start == .invoiced else { return form == .date ? "2026-03-01" : "2026-03-01T12:00:00Z" }
        return .number(JSONNumber(day * 86_400 + (form == .date ? 0 : generator.number(in: 0...86_399))))
      case .not: return .bool(generator.chance(0.5))
      case .scale(let places): return decimal(places: places)
      case .split(let separator, let part):
        return .string((0...part).map { "\(mark)\($0)" }.joined(separator: separator))
      case .trim, .upper, .lower, .default, .join, .keepEmpty: continue
      }
    }
    return plain(row, at: start, mark, isKey)
  }

  private mutating func plain(_ row: PropertyPair, at start: Side, _ mark: String, _ isKey: Bool) -> JSONValue {
    let name = row.path(on: start).description
    if start == .invoiced {
      switch name {
      case "email": return .string("\(mark).\(generator.pick(["Post", "info"]))@customer.example")
      case "country": return .string(generator.pick(Self.countries))
      case "language": return .string(generator.pick(Self.languages))
      case "currency": return .string(generator.pick(Self.currencies))
      case "number": return .string("N-\(mark)")
      case "active", "taxable", "chase", "credit_hold", "autopay", "bill_to_parent", "consolidated":
        return .bool(generator.chance(0.5))
      case "credit_limit": return decimal(places: 2)
      default: break
      }
    }
    let isText = start == .invoiced && name.hasPrefix("metadata.")
    let value: JSONValue
    switch row.type {
    case .string, .any: value = .string(isKey ? "K-\(mark)" : text(mark))
    case .integer: value = .number(JSONNumber(generator.number(in: 0...99_999)))
    case .decimal: value = decimal(places: 4)
    case .boolean: value = .bool(generator.chance(0.5))
    case .date: value = .string("20\(generator.number(in: 10...29))-03-\(generator.number(in: 10...28))")
    case .datetime: value = .string("20\(generator.number(in: 10...29))-03-\(generator.number(in: 10...28))T12:00:00Z")
    }
    // Invoiced's metadata, and its properties that are text, hold nothing but text.
    if start == .invoiced, isText || value.string == nil && Self.texts.contains(name) {
      return .string(value.string ?? value.text)
    }
    return value
  }

  private static let texts: Set<String> = [
    "name", "attention_to", "address1", "address2", "city", "state", "postal_code", "phone", "notes", "tax_id",
    "payment_terms",
  ]

  private mutating func text(_ mark: String) -> String {
    let word = generator.pick(Self.words)
    switch generator.number(in: 0...11) {
    case 0: return "  \(mark) \(word) "
    case 1: return "\(mark)  \(word)".uppercased()
    case 2: return "\(mark) " + String(repeating: "\(word) ", count: 6)
    default: return "\(mark) \(word)"
    }
  }

  private mutating func decimal(places: Int) -> JSONValue {
    let whole = generator.number(in: 0...90_000)
    let digits = (0..<Int(generator.number(in: 0...Int64(places)))).map { _ in "\(generator.number(in: 0...9))" }
    let text = digits.isEmpty ? "\(whole)" : "\(whole).\(digits.joined())"
    return JSONNumber(validating: text).map { .number($0) } ?? 0
  }
}
