import Documents
import JSON
import Mapping
import Testing

@Suite("mapping.yaml, written") struct MappingWriterTests {
  @Test("what is written reads back equal, whatever the mapping", arguments: UInt64(0)..<300)
  func readsBack(seed: UInt64) {
    var random = RandomMapping(seed: seed)
    let mapping = random.mapping()
    let text = MappingDocument.write(mapping)
    let (read, diagnostics) = MappingDocument.read(text: text, file: "m.yaml")
    #expect(lines(diagnostics.filter { $0.severity == .error }) == [], "\(text)")
    let isEqual = read?.unplaced == mapping
    #expect(isEqual, "\(text)")
  }

  @Test("it is written for people: short rows, one below the other, quotes where they are needed")
  func form() throws {
    let path = { (text: String) throws in try #require(JSONPath(text)) }
    var flow = Flow(
      name: "companies",
      invoiced: FlowSide(
        object: "customer",
        conditions: [
          Condition(path: try path("type"), test: .oneOf(["company"])),
          Condition(path: try path("country"), test: .oneOf(["NO", "SE"])),
        ]),
      pms: FlowSide(object: "customer", set: [Assignment(try path("kind"), "company")]))
    flow.title = "Invoiced Customers (organisation data) to Custom PMS Customer"
    flow.match = [MatchKey(invoiced: try path("number"), pms: try path("customer_number"))]
    flow.pmsReference = try path("invoiced_id")
    flow.archivePMS = [Assignment(try path("archived"), true)]
    flow.properties = [
      PropertyPair(invoiced: try path("name"), pms: try path("name"), type: .string),
      PropertyPair(
        invoiced: try path("payment_terms"), pms: try path("lines[0].days"), type: .integer,
        converters: [.pattern(prefix: "NET ", suffix: "")]),
      PropertyPair(
        invoiced: try path("metadata.segment"), pms: try path("segment"), type: .any, direction: .toPMS,
        converters: [.trim, .values([.init(invoiced: "NO", pms: 1)])]),
    ]
    flow.unmapped = [UnmappedRow(before: 1, invoiced: try path("tax_id"), type: .string)]
    #expect(
      MappingDocument.write(Mapping(flows: [flow]), comment: "one\ntwo") == """
        # one
        # two
        flows:
          - name: companies
            title: Invoiced Customers (organisation data) to Custom PMS Customer
            invoiced: { object: customer, where: { type: company, country: ["NO", SE] } }
            pms: { entity: customer, set: { kind: company } }
            match:
              - { invoiced: number, pms: customer_number }
            reference: { pms: invoiced_id }
            create: both
            on_link: invoiced
            conflict: newest
            delete: { invoiced_deleted: unlink, pms_deleted: unlink }
            archive: { pms: { archived: true } }
            live: all
            on_leave: unlink
            properties:
              - { invoiced: name,             pms: name,            type: string }
              - { invoiced: tax_id,           pms: null,            type: string }
              - { invoiced: payment_terms,    pms: "lines[0].days", type: integer, convert: { pattern: "NET {}" } }
              - { invoiced: metadata.segment, pms: segment,         type: N/A, convert: [trim, { values: { "NO": 1 } }], direction: to_pms }

        """)
  }

  @Test("a mapping without flows is written as one")
  func empty() {
    #expect(MappingDocument.write(Mapping(flows: [])) == "flows: []\n")
  }
}
