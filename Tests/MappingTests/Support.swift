import JSON
import Mapping
import SeededRandom
import Testing

extension SeededGenerator {
  mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  mutating func text() -> String {
    let parts = [
      "a", "B", "7", " ", "  ", "é", "e\u{301}", "ß", "ﬁ", "Ａ", "名", "😀", "\"", "\\", "{}", "NET ", ",", "\u{0}", "-",
      "İ", "ς", "\u{301}", "[", "{",
    ]
    return (0..<int(0...6)).map { _ in pick(parts) }.joined()
  }

  /// Any JSON, with a good share of what rows like to see.
  mutating func json(depth: Int = 3) -> JSONValue {
    switch int(0...(depth > 0 ? 15 : 12)) {
    case 0: .null
    case 1: .bool(.random(using: &self))
    case 2: .number(JSONNumber(Int64(truncatingIfNeeded: next())))
    case 3: .number(JSONNumber(int(-100...100)))
    case 4: .number(JSONNumber(validating: pick(["-0", "1.10", "1e400", "12.5E-3", "0.005", "1e2", "9e37"]))!)
    case 5: .string(pick(["", "true", "0", "NET 30", "NET x", "en", "nb-NO", "NO", "nor", "Norway", "12.50", "007"]))
    case 6: .string(pick(["2026-03-01", "2026-02-29", "2024-02-29", "0001-01-01", "9999-12-31", "2026-3-1"]))
    case 7:
      .string(
        pick([
          "2026-03-01T12:00:00Z", "1969-12-31T23:59:59.5+01:00", "2016-12-31T23:59:60Z", "2026-03-01T12:00:00",
          "2026-03-01t12:00:00.123456789z",
        ]))
    case 8: .number(JSONNumber(int(-2_000_000_000...4_000_000_000)))
    case 9: .string(String(int(-1_000_000...1_000_000)))
    case 10...12: .string(text())
    case 13: .array((0..<int(0...3)).map { _ in json(depth: depth - 1) })
    default: .object(JSONObject((0..<int(0...3)).map { _ in (key: text(), value: json(depth: depth - 1)) }))
    }
  }
}

func path(_ text: String) -> JSONPath { JSONPath(text) ?? JSONPath([]) }

func json(_ text: String) -> JSONValue { (try? JSONValue(parsing: text)) ?? .string("no JSON: \(text)") }

func row(
  _ invoiced: String, _ pms: String, _ type: PropertyType, _ converters: [Converter] = [],
  direction: Direction = .both
) -> PropertyPair {
  PropertyPair(invoiced: path(invoiced), pms: path(pms), type: type, direction: direction, converters: converters)
}

func values(_ pairs: (JSONValue, JSONValue)...) -> Converter {
  .values(pairs.map { Converter.ValuePair(invoiced: $0.0, pms: $0.1) })
}

/// Rows of every kind that can be inverted.
let invertibleRows: [PropertyPair] = [
  row("name", "name", .string), row("notes", "n", .string, [.keepEmpty]), row("x", "x", .any), row("notes", "n", .any),
  row("metadata.a", "a", .any), row("metadata.a", "a", .string), row("metadata.a", "a", .integer),
  row("metadata.a", "a", .decimal), row("metadata.a", "a", .boolean), row("metadata.a", "a", .date),
  row("metadata.a", "a", .datetime), row("x", "x", .integer), row("x", "x", .decimal), row("x", "x", .boolean),
  row("x", "x", .date), row("x", "x", .datetime), row("active", "archived", .boolean, [.not]),
  row("metadata.a", "archived", .boolean, [.not]), row("number", "no", .integer),
  row("country", "c", .string, [.country(.alpha2)]), row("country", "c", .string, [.country(.alpha3)]),
  row("country", "c", .string, [.country(.name)]), row("metadata.c", "c", .string, [.country(.name)]),
  row("payment_terms", "days", .integer, [.pattern(prefix: "NET ", suffix: "")]),
  row("payment_terms", "days", .string, [.pattern(prefix: "<", suffix: ">")]),
  row("payment_terms", "days", .decimal, [.pattern(prefix: "NET ", suffix: " d"), .scale(1)]),
  row("credit_limit", "limit", .decimal, [.scale(2)]), row("metadata.l", "limit", .decimal, [.scale(0)]),
  row("language", "locale", .string, [values(("en", "en-GB"), ("nb", "nb-NO"))]),
  row("language", "locale", .integer, [values(("en", 1), ("nb", "2"), (.null, 0))]),
  row("metadata.b", "b", .boolean, [values(("yes", true), ("no", false)), .not]),
  row("language", "locale", .string, [values(("en", "en-GB"), ("nb", "nb-NO")), .default("xx")]),
  row("x", "d", .date, [.unix(.date)]), row("x", "d", .datetime, [.unix(.datetime)]),
  row("metadata.d", "d", .datetime, [.unix(.datetime)]),
]

/// Rows that are only good one way.
let oneWayRows: [PropertyPair] = [Direction.toPMS, .toInvoiced].flatMap { direction in
  [
    row("name", "name", .string, [.trim], direction: direction),
    row("notes", "n", .string, [.upper, .default("none")], direction: direction),
    row("metadata.a", "a", .integer, [.split(separator: ",", part: 1), .trim], direction: direction),
    row("metadata.a", "a", .string, [.join(separator: ", ", with: [path("b"), path("c")])], direction: direction),
    row("country", "c", .string, [.trim, .country(.alpha3)], direction: direction),
    row("active", "a", .boolean, [.default(true)], direction: direction),
    row("x", "d", .date, [.unix(.date)], direction: direction),
    row("language", "l", .any, [values(("a", "x"), ("b", "x")), .lower], direction: direction),
  ]
}

extension PropertyPair: CustomTestStringConvertible {
  public var testDescription: String { "\(invoiced) \(direction) \(pms) \(type) \(converters.map(\.json.text))" }
}
