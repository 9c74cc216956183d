import JSON
import Mapping
import SeededRandom
import Testing

@Suite("Rows") struct PropertyMeaningTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var pair: PropertyPair
    var invoiced: JSONValue?
    var pms: JSONValue?
    var testDescription: String { "\(pair.testDescription): \(invoiced?.text ?? "-") is \(pms?.text ?? "-")" }

    init(_ pair: PropertyPair, _ invoiced: String, _ pms: String) {
      self.pair = pair
      self.invoiced = json(invoiced)
      self.pms = json(pms)
    }
  }

  /// What Invoiced has, and what the PMS is sent for it; and back.
  @Test(
    "carries a value there and back",
    arguments: [
      Case(row("name", "name", .string), #""Acme AS""#, #""Acme AS""#),
      Case(row("number", "no", .integer), #""1042""#, "1042"),
      Case(row("metadata.n", "n", .integer), #""9223372036854775807""#, "9223372036854775807"),
      Case(row("metadata.n", "n", .decimal), #""1.10""#, "1.10"),
      Case(row("metadata.b", "b", .boolean), #""true""#, "true"),
      Case(row("metadata.j", "j", .any), #""{\"a\":[1]}""#, #"{"a":[1]}"#),
      Case(row("credit_limit", "limit", .decimal), "12345678901234567890.123", "12345678901234567890.123"),
      Case(row("active", "archived", .boolean, [.not]), "true", "false"),
      Case(row("language", "locale", .string, [values(("en", "en-GB"), ("nb", "nb-NO"))]), #""nb""#, #""nb-NO""#),
      Case(row("language", "l", .integer, [values(("en", 1), (.null, 0))]), "null", "0"),
      Case(row("active", "status", .string, [values((true, "on"), (false, "off"))]), "false", #""off""#),
      Case(row("active", "status", .string, [values(("true", "on"), ("false", "off"))]), "true", #""on""#),
      Case(row("country", "c", .string, [.country(.alpha2)]), #""NO""#, #""NO""#),
      Case(row("country", "c", .string, [.country(.alpha3)]), #""NO""#, #""NOR""#),
      Case(row("country", "c", .string, [.country(.name)]), #""NO""#, #""Norway""#),
      Case(row("payment_terms", "days", .integer, [.pattern(prefix: "NET ", suffix: "")]), #""NET 30""#, "30"),
      Case(row("notes", "x", .string, [.pattern(prefix: "", suffix: " d")]), #""a b d""#, #""a b""#),
      Case(row("x", "d", .date, [.unix(.date)]), "1767571200", #""2026-01-05""#),
      Case(row("x", "d", .date, [.unix(.date)]), "-86400", #""1969-12-31""#),
      Case(row("x", "d", .datetime, [.unix(.datetime)]), "1767607261", #""2026-01-05T10:01:01Z""#),
      Case(row("metadata.d", "d", .datetime, [.unix(.datetime)]), #""-1""#, #""1969-12-31T23:59:59Z""#),
      Case(row("notes", "n", .string, [.keepEmpty]), #""""#, #""""#),
      Case(row("name", "name", .string), "null", "null"),
      Case(
        row("payment_terms", "d", .decimal, [.pattern(prefix: "NET ", suffix: ""), .scale(1)]), #""NET 30.5""#, "30.5"),
      Case(row("metadata.b", "b", .boolean, [values(("yes", true), ("no", false)), .not]), #""yes""#, "false"),
    ])
  func bothWays(_ c: Case) throws {
    #expect(try c.pair.translated(from: .invoiced, raw: c.invoiced) == c.pms)
    #expect(try c.pair.translated(from: .pms, raw: c.pms) == c.invoiced)
    #expect(try c.pair.canonical(on: .invoiced, raw: c.invoiced) == c.pair.canonical(on: .pms, raw: c.pms))
  }

  /// What is sent, one way only.
  @Test(
    "carries a value one way",
    arguments: [
      (row("name", "n", .string, [.trim], direction: .toPMS), #""\t Acme  AS \n""#, #""Acme  AS""#),
      (row("name", "n", .string, [.trim], direction: .toPMS), #""  ""#, "null"),
      (row("name", "n", .string, [.trim, .upper], direction: .toPMS), #"" straße""#, #""STRASSE""#),
      (row("name", "n", .string, [.lower], direction: .toPMS), #""ÆØÅ""#, #""æøå""#),
      (row("name", "n", .string, [.default("none")], direction: .toPMS), "null", #""none""#),
      (row("name", "n", .string, [.default("none")], direction: .toPMS), #""x""#, #""x""#),
      (
        row("name", "n", .string, [.split(separator: ", ", part: 1)], direction: .toPMS), #""Doe, Jane, Dr""#,
        #""Jane""#
      ),
      (row("name", "n", .string, [.split(separator: ", ", part: 5)], direction: .toPMS), #""Doe, Jane""#, "null"),
      (row("credit_limit", "l", .decimal, [.scale(2)], direction: .toPMS), "1.005", "1"),
      (row("credit_limit", "l", .decimal, [.scale(2)], direction: .toPMS), "1.015", "1.02"),
      (row("metadata.s", "s", .boolean, direction: .toPMS), #""0""#, "false"),
      (row("id", "external_id", .string, direction: .toPMS), "17", #""17""#),
      (row("notes", "n", .decimal, direction: .toPMS), #""007.50""#, "7.5"),
    ])
  func toPMS(pair: PropertyPair, invoiced: String, pms: String) throws {
    #expect(try pair.translated(from: .invoiced, raw: json(invoiced)) == json(pms))
    #expect(try pair.canonical(on: .invoiced, raw: json(invoiced)) == pair.canonical(on: .pms, raw: json(pms)))
  }

  /// The list runs left to right from the PMS's value; what has two sides keeps its orientation.
  @Test(
    "carries a value from the PMS only",
    arguments: [
      (
        row("language", "l", .string, [.trim, values(("en", "en-GB"))], direction: .toInvoiced), #"" en-GB""#, #""en""#
      ),
      (row("country", "c", .string, [.upper, .country(.alpha3)], direction: .toInvoiced), #""nor""#, #""NO""#),
      (
        row("payment_terms", "d", .integer, [.pattern(prefix: "NET ", suffix: "")], direction: .toInvoiced), "30",
        #""NET 30""#
      ),
      (row("x", "d", .date, [.unix(.date)], direction: .toInvoiced), #""2026-01-05""#, "1767571200"),
      (
        row("metadata.d", "d", .datetime, [.unix(.datetime)], direction: .toInvoiced), #""2026-01-05T10:01:01.9Z""#,
        #""1767607261""#
      ),
      (row("metadata.n", "n", .decimal, [.scale(1)], direction: .toInvoiced), "1.25", #""1.2""#),
      (row("metadata.b", "b", .boolean, direction: .toInvoiced), "true", #""true""#),
      (row("active", "b", .boolean, [.not], direction: .toInvoiced), "true", "false"),
      (row("notes", "n", .string, [.default("-"), .upper], direction: .toInvoiced), "null", #""-""#),
    ])
  func toInvoiced(pair: PropertyPair, pms: String, invoiced: String) throws {
    #expect(try pair.translated(from: .pms, raw: json(pms)) == json(invoiced))
    #expect(try pair.canonical(on: .invoiced, raw: json(invoiced)) == pair.canonical(on: .pms, raw: json(pms)))
  }

  @Test("joins several properties, and skips what is missing")
  func join() throws {
    let pair = row(
      "address1", "street", .string, [.trim, .join(separator: ", ", with: [path("address2"), path("city")])],
      direction: .toPMS)
    let record: JSONValue = ["address1": " Storgata 1 ", "address2": nil, "city": "Oslo"]
    let raw = pair.raw(on: .invoiced, in: record)
    #expect(raw == [" Storgata 1 ", nil, "Oslo"])
    #expect(try pair.translated(from: .invoiced, raw: raw) == "Storgata 1, Oslo")
    #expect(try pair.canonical(on: .invoiced, raw: raw) == .text("Storgata 1, Oslo"))
    #expect(pair.raw(on: .pms, in: ["street": "x"]) == "x")
    #expect(pair.raw(on: .invoiced, in: [:]) == nil)
    #expect(try pair.translated(from: .invoiced, raw: nil) == .null)
  }

  /// Two values of one side that mean the same, or don't.
  @Test(
    "compares values by what they mean",
    arguments: [
      (row("name", "n", .string), Side.pms, "\"\u{E9}\"", "\"e\u{301}\"", true),
      (row("name", "n", .string), .pms, #""a""#, #""A""#, false),
      (row("x", "x", .decimal), .pms, "1.10", "1.1", true), (row("x", "x", .decimal), .pms, "1.10", #""1.1""#, true),
      (row("x", "x", .decimal), .invoiced, "100", "1e2", true), (row("x", "x", .decimal), .pms, "0", "null", false),
      (row("x", "x", .integer), .pms, "30.0", "30", true), (row("x", "x", .string), .pms, #""""#, "null", true),
      (row("x", "x", .string, [.keepEmpty]), .pms, #""""#, "null", false),
      (row("x", "x", .datetime), .pms, #""2026-03-01T12:00:00+01:00""#, #""2026-03-01t11:00:00.000Z""#, true),
      (row("x", "x", .datetime), .pms, #""2026-03-01T12:00:00.1Z""#, #""2026-03-01T12:00:00Z""#, false),
      (
        row("x", "x", .datetime, [.unix(.datetime)]), .pms, #""2026-03-01T12:00:00.1Z""#, #""2026-03-01T12:00:00Z""#,
        true
      ),
      (row("x", "x", .decimal, [.scale(2)]), .pms, "1.004", "1", true),
      (row("x", "x", .decimal, [.scale(2)]), .pms, "1.006", "1", false),
      (row("country", "c", .string, [.country(.alpha3)]), .pms, #""nor""#, #""NOR""#, true),
      (
        row("country", "c", .string, [.country(.name)]), .pms, #""Korea, Republic of""#, #""the Republic of Korea""#,
        true
      ),
      (row("country", "c", .string, [.country(.alpha3)]), .invoiced, #""no""#, #""NO""#, true),
      (row("x", "x", .any), .pms, #"{"a":1.10,"b":null}"#, #"{"b":"","a":1.1}"#, true),
      (row("x", "x", .any), .pms, "[1,2]", "[2,1]", false), (row("x", "x", .any), .pms, "1", #""1""#, false),
      (row("metadata.x", "x", .any), .pms, "1.10", #""1.10""#, true),
      (row("x", "x", .any), .pms, "false", "null", false),
      (row("x", "x", .boolean, [.default(false)], direction: .toPMS), .pms, "null", "false", false),
    ])
  func comparing(pair: PropertyPair, side: Side, a: String, b: String, same: Bool) throws {
    let (x, y) = try (pair.canonical(on: side, raw: json(a)), pair.canonical(on: side, raw: json(b)))
    #expect((x == y) == same)
    if same { #expect(x.hashValue == y.hashValue) }
  }

  @Test(
    "instants are exact seconds, before 1970 too",
    arguments: [
      ("1970-01-01T00:00:00.5Z", "0.5"), ("1969-12-31T23:59:59.5Z", "-0.5"), ("1969-12-31T23:59:58.001Z", "-1.999"),
      ("1969-12-31T23:59:58.000Z", "-2"), ("2000-02-29T00:00:00+00:00", "951782400"),
      ("0001-01-01T00:00:00Z", "-62135596800"),
      ("9999-12-31T23:59:59.99999999999999999999Z", "253402300799.99999999999999999999"),
    ])
  func instants(text: String, seconds: String) throws {
    let meaning = try row("x", "x", .datetime).canonical(on: .pms, raw: .string(text))
    #expect(try meaning == .instant(#require(ExactDecimal(seconds))))
  }

  @Test("absent, null and \"\" are nothing", arguments: PropertyType.allCases)
  func nothing(type: PropertyType) throws {
    for side in Side.allCases {
      for raw in [nil, .null, ""] as [JSONValue?] {
        #expect(try row("x", "y", type).canonical(on: side, raw: raw) == .nothing)
        #expect(try row("x", "y", type).translated(from: side, raw: raw) == .null)
      }
    }
  }

  @Test(
    "what doesn't fit is a misfit",
    arguments: [
      (row("x", "x", .integer), Side.invoiced, #""twelve""#, "is no integer"),
      (row("x", "x", .integer), .pms, "1.5", "has a fraction, and is to be an integer"),
      (row("x", "x", .integer), .pms, "9223372036854775808", "does not fit a 64-bit integer"),
      (row("x", "x", .integer), .pms, "true", "is no integer"),
      (row("x", "x", .integer), .pms, "1e400", "does not fit a 64-bit integer"),
      (row("x", "x", .decimal), .pms, "123456789012345678901234567890123456789", "has more than 38 digits"),
      (row("x", "x", .boolean), .pms, #""true""#, "is neither true nor false"),
      (row("x", "x", .boolean), .pms, "1", "is neither true nor false"),
      (row("metadata.x", "x", .boolean), .invoiced, #""maybe""#, "is neither true nor false"),
      (row("x", "x", .date), .pms, #""2026-02-29""#, "is no date (YYYY-MM-DD)"),
      (row("x", "x", .date), .pms, "1767571200", "is no date (YYYY-MM-DD)"),
      (row("x", "x", .datetime), .pms, #""2026-03-01T12:00:00""#, "is no RFC 3339 date and time with an offset"),
      (row("x", "x", .string), .pms, "[]", "is no text"), (row("x", "x", .string), .pms, "true", "is no text"),
      (
        row("l", "l", .string, [values(("en", "en-GB"))]), .invoiced, #""fr""#,
        "has no counterpart among the row's `values`"
      ),
      (
        row("l", "l", .string, [values(("en", "en-GB"))]), .pms, #""fr""#, "has no counterpart among the row's `values`"
      ),
      (row("c", "c", .string, [.country(.alpha3)]), .pms, #""NO""#, "is no country's alpha3 code (ISO 3166-1)"),
      (
        row("p", "p", .integer, [.pattern(prefix: "NET ", suffix: "")]), .invoiced, #""Due""#,
        #"does not follow the pattern "NET {}""#
      ),
      (row("p", "p", .integer, [.pattern(prefix: "NET ", suffix: "")]), .invoiced, #""NET x""#, "is no integer"),
      (
        row("x", "x", .date, [.unix(.date)]), .invoiced, "9223372036854775807",
        "is a UNIX time outside the years 1 to 9999"
      ),
      (row("credit_limit", "x", .string), .pms, #""much""#, "is no number, which Invoiced's 'credit_limit' takes"),
    ])
  func misfits(pair: PropertyPair, side: Side, raw: String, reason: String) throws {
    let error = try #require(throws: Misfit.self) { try pair.canonical(on: side, raw: json(raw)) }
    #expect(error.reason == reason)
    #expect(error.side == side)
    #expect(error.property == pair.path(on: side))
    #expect(!error.nextStep.isEmpty)
    #expect(throws: error) { try pair.translated(from: side, raw: json(raw)) }
  }

  @Test("a misfit's value is shortened")
  func shortened() throws {
    let long = JSONValue.string(String(repeating: "x", count: 1000))
    let error = try #require(throws: Misfit.self) { try row("x", "x", .integer).canonical(on: .pms, raw: long) }
    #expect(error.value.count == 80)
  }

  @Test("what stands at the target of a one-way row is no misfit: it is overwritten")
  func copies() throws {
    #expect(try row("x", "x", .integer, direction: .toPMS).canonical(on: .pms, raw: "text") == .text("text"))
    #expect(try row("x", "x", .date, direction: .toInvoiced).canonical(on: .invoiced, raw: [1]) == .list([.decimal(1)]))
    #expect(throws: Misfit.self) { try row("x", "x", .integer, direction: .toPMS).translated(from: .pms, raw: 1) }
  }

  @Test("each invertible chain carries values there and back", arguments: invertibleRows)
  func roundTrips(pair: PropertyPair) throws {
    var carried = 0
    for seed in UInt64(0)..<500 {
      var generator = SeededGenerator(seed: seed)
      let raw = generator.json()
      for side in Side.allCases {
        guard let meaning = try? pair.canonical(on: side, raw: raw) else { continue }
        let sent = try pair.translated(from: side, raw: raw)
        #expect(
          try pair.canonical(on: side.other, raw: sent) == meaning, "seed \(seed): \(side) \(raw.text) as \(sent.text)")
        // An echo of what was sent is sent back as the same meaning.
        let back = try pair.translated(from: side.other, raw: sent)
        #expect(try pair.canonical(on: side, raw: back) == meaning, "seed \(seed): \(sent.text) back as \(back.text)")
        if meaning != .nothing { carried += 1 }
      }
    }
    #expect(carried > 0, "hardly any sample fits")
  }

  @Test("each one-way chain's target means what its source means", arguments: oneWayRows)
  func oneWay(pair: PropertyPair) throws {
    let source: Side = pair.direction == .toPMS ? .invoiced : .pms
    for seed in UInt64(0)..<300 {
      var generator = SeededGenerator(seed: seed)
      let raw =
        pair.raw(on: source, in: ["name": generator.json(), "a": generator.json(), "b": generator.json()])
        ?? generator.json()
      guard let meaning = try? pair.canonical(on: source, raw: raw) else { continue }
      let sent = try pair.translated(from: source, raw: raw)
      #expect(try pair.canonical(on: source.other, raw: sent) == meaning, "seed \(seed): \(raw.text) as \(sent.text)")
    }
  }

  @Test("any JSON gives a value or a misfit", arguments: UInt64(0)..<40)
  func total(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for pair in invertibleRows + oneWayRows {
      for side in Side.allCases {
        let raw = generator.json()
        let a = Result { () throws(Misfit) in try pair.canonical(on: side, raw: raw) }
        let b = Result { () throws(Misfit) in try pair.canonical(on: side, raw: raw) }
        #expect(a == b)
        _ = try? pair.translated(from: side, raw: raw)
        _ = pair.isNear(sent: raw, answered: generator.json(), on: side)
        #expect(pair.isNear(sent: raw, answered: raw, on: side) || (try? a.get()) == nil)
      }
    }
  }

  @Test("a row's fingerprint is its paths', type's and converters', and nothing else's")
  func fingerprints() {
    let pair = row("name", "n", .string)
    #expect(pair.fingerprint == row("name", "n", .string, direction: .toPMS).fingerprint)
    #expect(pair.fingerprint.count == 25)
    // The same in every run and every build: the store holds it.
    #expect(pair.fingerprint == "95be62f968bd-6f461e69f229")
    var changed = pair
    changed.type = .any
    #expect(changed.fingerprint != pair.fingerprint)
    #expect(changed.pathFingerprint == pair.pathFingerprint)
    changed.converters = [.trim]
    #expect(changed.fingerprint != row("name", "n", .any).fingerprint)
    #expect(row("name", "m", .string).pathFingerprint != pair.pathFingerprint)
    #expect(Set((invertibleRows + oneWayRows).map(\.fingerprint)).count > invertibleRows.count)
  }
}
