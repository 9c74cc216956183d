import Documents
import JSON
import Mapping
import Testing

@Suite("mapping.yaml, read") struct MappingDocumentTests {
  private func read(_ text: String) -> (Mapping?, [String]) {
    let (mapping, diagnostics) = MappingDocument.read(text: text, file: "mapping.yaml")
    return (mapping, lines(diagnostics))
  }

  private func path(_ text: String) throws -> JSONPath { try #require(JSONPath(text)) }

  @Test("every key of a flow is read")
  func complete() throws {
    let (mapping, problems) = read(
      #"""
      flows:
        - name: companies
          title: Invoiced Customers (organisation data) to Custom PMS Customer
          invoiced: { object: customer, where: { type: company, language: [nb, "no", NO], metadata.old: { exists: false } }, set: { taxable: true } }
          pms: { entity: client, where: { kind: { not: person } }, set: { source: { system: invoiced, v: 1.10 }, a\.b: no } }
          match:
            - { invoiced: number, pms: customer_number }
            - { invoiced: tax_id, pms: organisation_number }
          reference: { invoiced: metadata.pms_id, pms: invoiced_id }
          create: pms
          on_link: newest
          conflict: manual
          delete: { invoiced_deleted: archive, pms_deleted: propagate }
          archive: { invoiced: { active: false }, pms: { archived: true } }
          live: updates
          on_leave: keep
          properties:
            - { invoiced: name, pms: name, type: string }
            - { invoiced: active, pms: archived, type: boolean, convert: not }
            - { invoiced: country, pms: address.country, type: string, convert: [trim, upper, { country: alpha3 }], direction: to_pms }
            - { invoiced: payment_terms, pms: days, type: integer, convert: { pattern: "NET {} days" } }
            - { invoiced: credit_limit, pms: "lines[0].limit", type: decimal, convert: { scale: 2 } }
            - { invoiced: metadata.since, pms: since, type: date, convert: { unix: date } }
            - { invoiced: language, pms: locale, type: string, convert: { values: { en: en-GB, no: nb-NO, 1: "1", true: yes } } }
            - { invoiced: city, pms: city, type: N/A, convert: { default: 7 }, direction: to_invoiced }
            - { invoiced: attention_to, pms: first, type: string, convert: { split: ", ", part: 1 }, direction: to_pms }
            - { invoiced: address1, pms: street, type: string, convert: { join: " ", with: [address2, metadata.a\.b] }, direction: to_pms }
            - { invoiced: notes, pms: notes, type: datetime, convert: [lower, { empty: keep }] }
      """#)
    #expect(problems == [])
    var flow = Flow(
      name: "companies",
      invoiced: FlowSide(
        object: "customer",
        conditions: [
          Condition(path: try path("type"), test: .oneOf(["company"])),
          Condition(path: try path("language"), test: .oneOf(["nb", "no", "NO"])),
          Condition(path: try path("metadata.old"), test: .exists(false)),
        ], set: [Assignment(try path("taxable"), true)]),
      pms: FlowSide(
        object: "client", conditions: [Condition(path: try path("kind"), test: .not("person"))],
        set: [
          Assignment(try path("source"), ["system": "invoiced", "v": try JSONValue(parsing: "1.10")]),
          Assignment(try path(#"a\.b"#), "no"),
        ]))
    flow.title = "Invoiced Customers (organisation data) to Custom PMS Customer"
    flow.match = [
      MatchKey(invoiced: try path("number"), pms: try path("customer_number")),
      MatchKey(invoiced: try path("tax_id"), pms: try path("organisation_number")),
    ]
    flow.invoicedReference = try path("metadata.pms_id")
    flow.pmsReference = try path("invoiced_id")
    flow.create = .pms
    flow.onLink = .newest
    flow.conflict = .manual
    flow.invoicedDeleted = .archive
    flow.pmsDeleted = .propagate
    flow.archiveInvoiced = [Assignment(try path("active"), false)]
    flow.archivePMS = [Assignment(try path("archived"), true)]
    flow.live = .updates
    flow.onLeave = .keep
    func row(
      _ invoiced: String, _ pms: String, _ type: PropertyType, _ converters: [Converter] = [],
      _ direction: Direction = .both
    ) throws -> PropertyPair {
      PropertyPair(
        invoiced: try path(invoiced), pms: try path(pms), type: type, direction: direction, converters: converters)
    }
    flow.properties = [
      try row("name", "name", .string),
      try row("active", "archived", .boolean, [.not]),
      try row("country", "address.country", .string, [.trim, .upper, .country(.alpha3)], .toPMS),
      try row("payment_terms", "days", .integer, [.pattern(prefix: "NET ", suffix: " days")]),
      try row("credit_limit", "lines[0].limit", .decimal, [.scale(2)]),
      try row("metadata.since", "since", .date, [.unix(.date)]),
      try row(
        "language", "locale", .string,
        [
          .values([
            .init(invoiced: "en", pms: "en-GB"), .init(invoiced: "no", pms: "nb-NO"), .init(invoiced: 1, pms: "1"),
            .init(invoiced: true, pms: "yes"),
          ])
        ]),
      try row("city", "city", .any, [.default(7)], .toInvoiced),
      try row("attention_to", "first", .string, [.split(separator: ", ", part: 1)], .toPMS),
      try row(
        "address1", "street", .string,
        [.join(separator: " ", with: [try path("address2"), try path(#"metadata.a\.b"#)])], .toPMS),
      try row("notes", "notes", .datetime, [.lower, .keepEmpty]),
    ]
    #expect(mapping?.unplaced == Mapping(flows: [flow]))
    #expect(mapping?.flows.first?.properties[2].position?.description == "mapping.yaml:20:9")
  }

  @Test("what is not written has the contract's default")
  func defaults() throws {
    let (mapping, problems) = read("flows: [{ name: a, invoiced: { object: customer }, pms: { entity: customer } }]")
    #expect(problems == [])
    let flow = try #require(mapping?.flows.first)
    #expect(flow.create == .both && flow.onLink == .invoiced && flow.conflict == .newest)
    #expect(
      flow.invoicedDeleted == .unlink && flow.pmsDeleted == .unlink && flow.live == .all && flow.onLeave == .unlink)
    #expect(flow.title == nil && flow.invoicedReference == nil && flow.pmsReference == nil && flow.match.isEmpty)
    #expect(flow.archiveInvoiced.isEmpty && flow.archivePMS.isEmpty && flow.properties.isEmpty && flow.unmapped.isEmpty)
  }

  @Test("either half of a reference may be left out", arguments: ["pms: b", "invoiced: a"])
  func halfReference(_ half: String) {
    let (mapping, problems) = read(
      "flows: [{ name: a, invoiced: { object: customer }, pms: { entity: customer }, reference: { \(half) } }]")
    #expect(problems == [])
    #expect(mapping?.flows[0].invoicedReference?.description == (half == "invoiced: a" ? "a" : nil))
    #expect(mapping?.flows[0].pmsReference?.description == (half == "pms: b" ? "b" : nil))
  }

  @Test("a row with a null path is kept as unmapped, in its place, with a warning")
  func unmapped() throws {
    let (mapping, problems) = read(
      """
      flows:
        - name: a
          invoiced: { object: customer }
          pms: { entity: customer }
          properties:
            - { invoiced: name, pms: name, type: string }
            - { invoiced: tax_id, pms: null, type: string }
            - { invoiced: email, pms: email, type: string }
      """)
    #expect(
      problems == [
        "warning 7:9 flow 'a': row 2 has no path on the PMS: it is listed in documents, and nothing is synchronised by it"
          + " -> write the path after 'pms:', or remove the row"
      ])
    #expect(
      mapping?.unplaced.flows[0].unmapped == [UnmappedRow(before: 1, invoiced: try path("tax_id"), type: .string)])
    #expect(mapping?.flows[0].properties.count == 2)
  }

  /// A broken piece inside a sound flow, and the whole of what is said about it.
  @Test(
    "each wrong key or value of a flow is an error with its place and what to write",
    arguments: [
      ("creat: both", "error 1:1 flow 'a' has no key 'creat' -> did you mean 'create'? its keys are KEYS"),
      (
        "create: all",
        "error 1:9 flow 'a': 'all' is no value for 'create' -> allowed: both, pms, invoiced or none"
      ),
      (
        "on_link: pmss",
        "error 1:10 flow 'a': 'pmss' is no value for 'on_link' -> did you mean 'pms'? allowed: invoiced, pms or newest"
      ),
      (
        "conflict: [newest]",
        "error 1:11 flow 'a': 'conflict' must be text, and is a list -> write one value, in quotes where it has special characters"
      ),
      (
        "delete: { pms_deleted: remove }",
        "error 1:24 flow 'a': delete: 'remove' is no value for 'pms_deleted' -> allowed: propagate, archive, unlink or ignore"
      ),
      (
        "delete: unlink",
        "error 1:9 flow 'a': delete must be a mapping of keys, and is a single value -> write 'delete: { invoiced_deleted: unlink, pms_deleted: unlink }'"
      ),
      (
        "live: update",
        "error 1:7 flow 'a': 'update' is no value for 'live' -> did you mean 'updates'? allowed: observe, links, updates, creates or all"
      ),
      (
        "match: number",
        "error 1:8 flow 'a': 'match' must be a list, and is 'number' -> write 'match:' and below it rows such as '- { invoiced: number, pms: customer_number }'"
      ),
      (
        "match: [{ invoiced: number }]",
        "error 1:9 flow 'a': match 1 has no 'pms', which is required -> write 'match:' and below it rows such as '- { invoiced: number, pms: customer_number }'"
      ),
      (
        "reference: { invoiced: a..b }",
        "error 1:24 flow 'a': reference: 'a..b' is no path for 'invoiced' -> write keys with dots between, [0] for an element, and \\. for a dot in a key"
      ),
      (
        "archive: { pms: true }",
        "error 1:17 flow 'a': archive: 'pms' must be a mapping of paths to values, and is 'true' -> write 'pms: { kind: company }'"
      ),
      (
        "archive: { pms: { \"a[x]\": true } }",
        "error 1:19 flow 'a': archive: 'a[x]' is no path for 'pms' -> write keys with dots between, [0] for an element, and \\. for a dot in a key"
      ),
      (
        "properties: { a: b }",
        "error 1:13 flow 'a': 'properties' must be a list, and is a mapping of keys -> write rows such as '- { invoiced: name, pms: name, type: string }'"
      ),
      (
        "properties: [name]",
        "error 1:14 flow 'a': row 1 must be a mapping of keys, and is a single value -> write rows such as '- { invoiced: name, pms: name, type: string }'"
      ),
      (
        "properties: [{ invoiced: name, type: string }]",
        "error 1:14 flow 'a': row 1 has no 'pms', which is required -> write rows such as '- { invoiced: name, pms: name, type: string }'"
      ),
      (
        "properties: [{ invoiced: ~, pms: ~ }]",
        "error 1:14 flow 'a': row 1 has no path on either side -> remove the row"
      ),
      (
        "properties: [{ invoiced: a, pms: b, type: text }]",
        "error 1:43 flow 'a': row 1: 'text' is no value for 'type' -> allowed: string, integer, decimal, boolean, date, datetime or N/A"
      ),
      (
        "properties: [{ invoiced: a, pms: b, type: string, direction: pms }]",
        "error 1:62 flow 'a': row 1: 'pms' is no value for 'direction' -> allowed: both, to_pms or to_invoiced"
      ),
    ])
  func brokenFlow(_ piece: String, _ message: String) {
    let keys =
      "name, title, invoiced, pms, match, reference, create, on_link, conflict, delete, archive, live, on_leave or properties"
    // The piece stands on a line of its own, so that its columns are easy to count.
    let (mapping, problems) = read(
      "flows: [{ name: a, invoiced: { object: customer }, pms: { entity: customer },\n\(piece) }]")
    #expect(mapping == nil)
    #expect(
      problems == [message.replacing("error 1:", with: "error 2:").replacing("KEYS", with: keys)])
  }

  @Test(
    "each wrong converter is an error with what to write",
    arguments: [
      ("nott", "1:1 flow 'a': row 1: there is no converter 'nott' -> did you mean 'not'? the converters are ALL"),
      ("pattern", "1:1 flow 'a': row 1: converter 'pattern' needs a value -> write { pattern: \"NET {}\" }"),
      ("{ trim: true }", "1:3 flow 'a': row 1: converter 'trim' takes no value -> write 'convert: trim'"),
      (
        "{ vlaues: { a: b } }",
        "1:3 flow 'a': row 1: there is no converter 'vlaues' -> did you mean 'values'? the converters are ALL"
      ),
      ("[[trim]]", "1:2 flow 'a': row 1: a list stands inside the list of converters -> write one flat list"),
      (
        "{ values: {} }",
        "1:11 flow 'a': row 1: converter 'values' needs pairs of values, and has a mapping of keys -> write it like { values: { en: en-GB } }"
      ),
      (
        "{ values: { a: [b] } }",
        "1:16 flow 'a': row 1: converter 'values' needs a single value for 'a', and has a list -> write it like { values: { en: en-GB } }"
      ),
      (
        "{ country: alpha4 }",
        "1:12 flow 'a': row 1: converter 'country': 'alpha4' is no value for 'country' -> did you mean 'alpha2'? allowed: alpha2, alpha3 or name"
      ),
      ("{ country: }", "1:12 flow 'a': row 1: converter 'country' needs a value -> write it like { country: alpha3 }"),
      (
        "{ pattern: NET }",
        "1:12 flow 'a': row 1: converter 'pattern' needs exactly one {}, and 'NET' has 0 -> write it like { pattern: \"NET {}\" }"
      ),
      (
        "{ pattern: \"{} {}\" }",
        "1:12 flow 'a': row 1: converter 'pattern' needs exactly one {}, and '{} {}' has 2 -> write it like { pattern: \"NET {}\" }"
      ),
      (
        "{ scale: -1 }",
        "1:10 flow 'a': row 1: converter 'scale' needs a number of decimals from 0 to 38, and has '-1' -> write it like { scale: 2 }"
      ),
      (
        "{ scale: two }",
        "1:10 flow 'a': row 1: converter 'scale' needs a number of decimals from 0 to 38, and has 'two' -> write it like { scale: 2 }"
      ),
      (
        "{ unix: time }",
        "1:9 flow 'a': row 1: converter 'unix': 'time' is no value for 'unix' -> allowed: date or datetime"
      ),
      (
        "{ default: null }",
        "1:12 flow 'a': row 1: converter 'default' needs a value other than null -> write it like { default: V }"
      ),
      (
        "{ split: \",\" }",
        "1:10 flow 'a': row 1: converter 'split' needs 'part', counted from 0 -> write it like { split: \", \", part: 0 }"
      ),
      (
        "{ split: \",\", part: -1 }",
        "1:21 flow 'a': row 1: converter 'split': 'part' must be a whole number of at least 0, and is '-1' -> write it in digits, such as 20"
      ),
      (
        "{ split: \",\", prat: 1 }",
        "1:10 flow 'a': row 1: converter 'split' needs 'part', counted from 0 -> write it like { split: \", \", part: 0 }\nerror 1:15 flow 'a': row 1: converter 'split' has no key 'prat' -> did you mean 'part'? its keys are split or part"
      ),
      (
        "{ join: \" \" }",
        "1:9 flow 'a': row 1: converter 'join' needs 'with', a list of paths -> write it like { join: \" \", with: [PATH] }"
      ),
      (
        "{ join: \" \", with: [a..b] }",
        "1:21 flow 'a': row 1: converter 'join': 'a..b' is no path for 'with' -> write keys with dots between, [0] for an element, and \\. for a dot in a key"
      ),
      (
        "{ empty: drop }",
        "1:10 flow 'a': row 1: converter 'empty' takes only 'keep', and has 'drop' -> write it like { empty: keep }"
      ),
    ])
  func brokenConverter(_ converter: String, _ message: String) {
    let all = "not, trim, upper, lower, values, country, pattern, scale, unix, default, split, join or empty"
    let (mapping, problems) = read(
      "flows: [{ name: a, invoiced: { object: customer }, pms: { entity: customer }, properties: [{ invoiced: a, pms: b, convert:\n\(converter) }] }]"
    )
    #expect(mapping == nil)
    let expected = ("error " + message).replacing("error 1:", with: "error 2:").replacing("ALL", with: all)
    #expect(problems.joined(separator: "\n") == expected)
  }

  @Test(
    "each wrong where is an error with what to write",
    arguments: [
      (
        "[type]",
        "1:1 flow 'a': invoiced: 'where' must be a mapping of paths to values, and is a list -> write 'where: { type: company }'"
      ),
      ("{ type: [] }", "1:9 flow 'a': invoiced: where type is an empty list, which fits no record -> list the values"),
      (
        "{ type: { exists: maybe } }",
        "1:19 flow 'a': invoiced: where type: 'exists' must be true or false, and is 'maybe' -> write true or false"
      ),
      (
        "{ type: { nott: a } }",
        "1:11 flow 'a': invoiced: where type has no key 'nott' -> did you mean 'not'? its keys are not or exists"
      ),
      (
        "{ type: { not: [a] } }",
        "1:16 flow 'a': invoiced: where type: a single value is expected, and a list found -> write text, a number, true, false or null"
      ),
      (
        "{ type: { not: a, exists: true } }",
        "1:9 flow 'a': invoiced: where type has 2 tests where one is expected -> write a value, a list of values, { not: VALUE } or { exists: true }"
      ),
      (
        "{ type: {} }",
        "1:9 flow 'a': invoiced: where type has 0 tests where one is expected -> write a value, a list of values, { not: VALUE } or { exists: true }"
      ),
    ])
  func brokenCondition(_ condition: String, _ message: String) {
    let (mapping, problems) = read(
      "flows: [{ name: a, pms: { entity: customer }, invoiced: { object: customer, where:\n\(condition) } }]")
    #expect(mapping == nil)
    #expect(problems == ["error 2" + message.dropFirst(1)])
  }

  @Test(
    "a mapping that lacks what is required says so",
    arguments: [
      ("", ["error 1:1 the mapping has no 'flows', which is required -> write 'flows:' and a list of flows below it"]),
      ("- a", ["error 1:1 the mapping must be a mapping of keys, and is a list -> begin the file with 'flows:'"]),
      ("flows: {}", ["error 1:8 'flows' must be a list, and is a mapping of keys -> begin each flow with '- name: '"]),
      ("flows: []", ["warning 1:8 the mapping has no flows: nothing is synchronised -> add a flow"]),
      (
        "flows: [a]",
        ["error 1:9 flow 1 must be a mapping of keys, and is a single value -> begin each flow with '- name: '"]
      ),
      (
        "flows: []\nflow: 1",
        [
          "warning 1:8 the mapping has no flows: nothing is synchronised -> add a flow",
          "error 2:1 the mapping has no key 'flow' -> did you mean 'flows'? its keys are flows",
        ]
      ),
      (
        "flows: [{}]",
        [
          "error 1:9 flow 1 has no 'name', which is required -> give it a name, such as 'companies'",
          "error 1:9 flow 1 has no 'invoiced', which is required -> write 'invoiced: { object: customer }'",
          "error 1:9 flow 1 has no 'pms', which is required -> write 'pms: { entity: customer }'",
        ]
      ),
      (
        "flows: [{ name: a, invoiced: { object: invoice }, pms: {} }]",
        [
          "error 1:40 flow 'a': invoiced: 'invoice' is no value for 'object' -> allowed: customer",
          "error 1:56 flow 'a': pms has no 'entity', which is required -> write 'pms: { entity: customer }'",
        ]
      ),
      (
        "flows:\n  - &a { name: a, invoiced: { object: customer }, pms: { entity: customer } }\n  - *a",
        ["error 2:5 there is a flow 'a' already -> give each flow a name of its own"]
      ),
    ])
  func lacking(_ text: String, _ messages: [String]) {
    #expect(read(text).1 == messages)
  }

  @Test("a diagnostic knows its flow and row")
  func filed() {
    let (_, diagnostics) = MappingDocument.read(
      text: """
        flows:
          - { name: a, invoiced: { object: customer }, pms: { entity: customer }, properties: [{ invoiced: a, pms: b }, { invoiced: a, pms: b, type: x }] }
        """, file: "m.yaml")
    #expect(diagnostics.map(\.flow) == ["a"])
    #expect(diagnostics.map(\.row) == [1])
  }
}
