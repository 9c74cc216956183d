import JSON
import Mapping
import Testing

@Suite("Mapping check") struct MappingCheckTests {
  /// A flow without a fault, with a rich table.
  static func flow(_ name: String = "companies", rows: [PropertyPair]? = nil) -> Flow {
    var flow = Flow(
      name: name,
      invoiced: FlowSide(
        object: "customer", conditions: [Condition(path: path("type"), test: .oneOf(["company"]))]),
      pms: FlowSide(object: "customer", conditions: [Condition(path: path("kind"), test: .oneOf(["company"]))]))
    flow.match = [MatchKey(invoiced: path("number"), pms: path("customer_number"))]
    flow.invoicedReference = path("metadata.pms_id")
    flow.pmsReference = path("invoiced_id")
    flow.archiveInvoiced = [Assignment(path("active"), false)]
    flow.properties =
      [row("name", "name", .string), row("number", "customer_number", .string)] + (rows ?? contractRows)
    return flow
  }

  /// The rows of the contract's example.
  static let contractRows: [PropertyPair] = [
    row("tax_id", "organisation_number", .string), row("address1", "address.street", .string),
    row("country", "address.country", .string, [.country(.alpha3)]),
    row("payment_terms", "payment_days", .integer, [.pattern(prefix: "NET ", suffix: "")]),
    row("credit_limit", "credit.limit", .decimal, [.scale(2)]), row("active", "archived", .boolean, [.not]),
    row("language", "locale", .string, [values(("en", "en-GB"), ("nb", "nb-NO"))]),
    row("metadata.segment", "segment", .string, direction: .toPMS),
  ]

  @Test("the contract's example has no problem")
  func clean() {
    #expect(MappingCheck.problems(in: Mapping(flows: [Self.flow()])) == [])
  }

  @Test("rows that can be inverted, and rows that need not be, are no errors", arguments: invertibleRows + oneWayRows)
  func fineRows(pair: PropertyPair) {
    #expect(RowCheck.errors(pair) == [])
  }

  @Test(
    "a row's fault is named",
    arguments: [
      (row("city", "c", .string, [.trim]), "`trim` can't be undone, and the row goes both ways"),
      (
        row("city", "c", .string, [.split(separator: ",", part: 0)]),
        "`split` can't be undone, and the row goes both ways"
      ),
      (
        row("city", "c", .string, [.split(separator: "", part: 0)], direction: .toPMS), "`split` has an empty separator"
      ),
      (
        row("city", "c", .string, [.join(separator: " ", with: [path("state")])]),
        "`join` can't be undone, and the row goes both ways"
      ),
      (
        row("language", "l", .string, [values(("en", "x"), ("nb", "x"))]),
        #"`values` gives "en" and "nb" the same counterpart "x", which can't be undone"#
      ),
      (
        row("language", "l", .string, [values(("en", "x"), ("en", "y"))], direction: .toPMS),
        #"`values` gives "en" two counterparts, "x" and "y""#
      ),
      (row("language", "l", .string, [.values([])]), "`values` is empty: every value would be a misfit"),
      (
        row("city", "c", .string, [.default("none")]),
        #"`default: "none"` hides whether Invoiced has that value or nothing, and the row goes both ways"#
      ),
      (
        row("language", "l", .string, [values(("en", "x"), ("nb", "y")), .default("x")]),
        #"`default: "x"` hides whether Invoiced has that value or nothing, and the row goes both ways"#
      ),
      (row("credit_limit", "l", .decimal, [.scale(-1)]), "`scale` takes 0 to 38 decimals"),
      (row("metadata.d", "d", .datetime, [.unix(.date)]), "`unix: date` makes no datetime of UNIX seconds"),
      (row("active", "a", .date), "no sample value fits the row: true is no date (YYYY-MM-DD)"),
      (row("id", "external_id", .string), "Invoiced does not take 'id': it sets it itself"),
      (row("updated_at", "u", .datetime, [.unix(.datetime)]), "Invoiced does not take 'updated_at': it sets it itself"),
      (
        row("statement_url", "s", .string, direction: .toPMS),
        "'statement_url' holds a token that lets anyone in: it is not to be copied"
      ),
      (row("[0]", "s", .string), "'[0]' is no property: a customer is an object"),
      (
        row("metadata.a2345678901234567890123456789012345678901", "s", .string),
        "Invoiced takes metadata keys of at most 40 bytes, and 'a2345678901234567890123456789012345678901' has 41"
      ),
    ])
  func rowErrors(pair: PropertyPair, message: String) {
    let errors = RowCheck.errors(pair)
    #expect(errors.map(\.message) == ["'\(pair.invoiced)' to '\(pair.pms)': \(message)"])
    #expect(errors.first?.row == 2)
    #expect(errors.first?.flow == "companies")
  }

  @Test("an unknown Invoiced property is a warning with the nearest name")
  func unknown() {
    let problems = MappingCheck.problems(
      in: Mapping(flows: [Self.flow(rows: [row("phone_no", "p", .string), row("zzzzzz", "z", .any)])]))
    #expect(problems.map(\.severity) == [.warning, .warning])
    #expect(
      problems.map(\.advice) == [
        "did you mean 'phone'?", "properties of your own are under `metadata`: 'metadata.zzzzzz'",
      ])
  }

  enum RowCheck {
    static func errors(_ pair: PropertyPair) -> [Diagnostic] {
      var flow = MappingCheckTests.flow(rows: [])
      // Its own rows stay out of the way of the row in question.
      flow.properties = [
        row("notes", "notes_", .any, direction: .toPMS), row("phone", "phone_", .string, direction: .toPMS), pair,
      ]
      return MappingCheck.problems(in: Mapping(flows: [flow])).filter { $0.severity == .error }
    }
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var severity: Diagnostic.Severity
    var message: String
    var change: @Sendable (inout Flow) -> Void

    init(
      _ name: String, _ severity: Diagnostic.Severity, _ message: String,
      _ change: @escaping @Sendable (inout Flow) -> Void
    ) {
      testDescription = name
      self.severity = severity
      self.message = message
      self.change = change
    }
  }

  @Test(
    "a flow's fault is named",
    arguments: [
      Fault("empty", .warning, "flow 'companies' has no properties") {
        $0.properties = []
        $0.match = []
      },
      Fault("two rows into one target", .error, "'a.b' of the PMS is written by row 3 already") {
        $0.properties =
          Array($0.properties[..<2]) + [row("city", "a.b", .string), row("phone", "a.b", .string, direction: .toPMS)]
      },
      Fault(
        "a row into a part of another's target", .error,
        "'a', which overlaps 'a.b[0]', of the PMS is written by row 3 already"
      ) {
        $0.properties = Array($0.properties[..<2]) + [row("notes", "a", .any), row("phone", "a.b[0]", .string)]
      },
      Fault("a row over the reference", .error, "'invoiced_id' of the PMS holds the other side's id (`reference`)") {
        $0.properties.append(row("id", "invoiced_id", .string, direction: .toPMS))
      },
      Fault(
        "a match key that is no row", .warning,
        "match key 'email' to 'mail' is no row: it is sent on create only, and not kept in sync"
      ) {
        $0.match.append(MatchKey(invoiced: path("email"), pms: path("mail")))
      },
      Fault(
        "no way to look up", .warning,
        "flow 'companies' has no way to look up a create on the PMS that was not answered: it would be parked"
      ) {
        $0.match = []
        $0.pmsReference = nil
      },
      Fault("archive without how", .error, "`delete` says to archive in the PMS, and `archive` does not say how") {
        $0.invoicedDeleted = .archive
      },
      Fault(
        "deletes that Invoiced refuses", .warning,
        "Invoiced refuses to delete a customer that has invoices: such a delete would be parked"
      ) {
        $0.pmsDeleted = .propagate
        $0.archiveInvoiced = []
      },
      Fault("creates without a name", .warning, "Invoiced refuses a customer without a 'name', and no row gives it one")
      {
        $0.properties.removeFirst()
      },
      Fault(
        "a reference that can't be searched", .warning,
        "Invoiced ignores a search for 'metadata.pms id': every customer would be a candidate"
      ) {
        $0.invoicedReference = path("metadata.pms id")
      },
      Fault("a constant that Invoiced sets", .error, "Invoiced does not take 'object': it sets it itself") {
        $0.invoiced.set = [Assignment(path("object"), "customer")]
      },
      Fault("too much metadata", .warning, "Invoiced stores at most 10 metadata keys, and the flow writes 11") {
        $0.properties += (0..<10).map { row("metadata.k\($0)", "k\($0)", .string) }
      },
    ])
  func flowFaults(_ fault: Fault) {
    var flow = Self.flow()
    flow.position = SourcePosition(file: "mapping.yaml", line: 2, column: 5)
    fault.change(&flow)
    let problems = MappingCheck.problems(in: Mapping(flows: [flow]))
    #expect(problems.map(\.message) == [fault.message])
    #expect(problems.map(\.severity) == [fault.severity])
    #expect(problems.first?.position == flow.position)
  }

  @Test("one path may feed several rows, and be written once")
  func fanOut() {
    let rows = [
      row("address1", "postal.line1", .string), row("address1", "visiting.line1", .string, direction: .toPMS),
    ]
    #expect(MappingCheck.problems(in: Mapping(flows: [Self.flow(rows: rows)])) == [])
  }

  @Test("flows of one name, and flows that an earlier one shadows")
  func severalFlows() {
    var persons = Self.flow("persons")
    persons.invoiced.conditions = [Condition(path: path("type"), test: .oneOf(["person"]))]
    persons.pms.conditions = [Condition(path: path("kind"), test: .oneOf(["person"]))]
    #expect(MappingCheck.problems(in: Mapping(flows: [Self.flow(), persons])) == [])

    var special = Self.flow("special")
    special.invoiced.conditions.append(Condition(path: path("country"), test: .oneOf(["NO"])))
    #expect(
      MappingCheck.problems(in: Mapping(flows: [Self.flow(), persons, special])).map(\.message) == [
        "flow 'special' never owns a record of Invoiced: flow 'companies' before it takes them all",
        "flow 'special' never owns a record of the PMS: flow 'companies' before it takes them all",
      ])
    let twice = MappingCheck.problems(in: Mapping(flows: [Self.flow(), Self.flow()]))
    #expect(twice.first?.message == "two flows are called 'companies'")
    #expect(twice.filter { $0.severity == .error }.count == 1)
  }
}
