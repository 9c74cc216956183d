import Documents
import Foundation
import JSON
import Mapping
import Testing

@Suite("deploy/mapping.yaml") struct ShippedMappingTests {
  private let reading: (mapping: Mapping?, diagnostics: [Diagnostic])

  init() {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    reading = MappingDocument.read(path: root.appending(path: "deploy/mapping.yaml").path)
  }

  @Test("it reads and checks without a word")
  func sound() throws {
    #expect(lines(reading.diagnostics) == [])
    #expect(lines(MappingCheck.problems(in: try #require(reading.mapping))) == [])
  }

  @Test("it has a flow for each type of organisation, under one title")
  func flows() throws {
    let mapping = try #require(reading.mapping)
    #expect(mapping.flows.map(\.name) == ["companies", "government", "non-profits"])
    #expect(Set(mapping.flows.map(\.title)) == ["Invoiced Customers (organisation data) to Custom PMS Customer"])
    for (type, name) in [("company", "companies"), ("government", "government"), ("non_profit", "non-profits")] {
      #expect(mapping.flow(owning: ["type": .string(type)], on: .invoiced)?.name == name)
      #expect(mapping.flow(owning: ["kind": .string(type)], on: .pms)?.name == name)
    }
    #expect(mapping.flow(owning: ["type": "person"], on: .invoiced) == nil)
    #expect(mapping.flow(owning: [:], on: .pms) == nil)
  }

  @Test("every match key is a row too")
  func keys() throws {
    for flow in try #require(reading.mapping).flows {
      for key in flow.match {
        #expect(flow.properties.contains { $0.invoiced == key.invoiced && $0.pms == key.pms && $0.direction == .both })
      }
    }
  }

  /// Ordinary customers, with what people write into free text.
  private static let records: [JSONValue] = [
    [
      "name": "Åse Kjøtt & Fisk AS", "number": "CUST-0001", "type": "company", "email": "a@b.example",
      "phone": "+47 22 33 44 55 ext. 6", "attention_to": "Accounts / AP", "address1": "Storgata 1\nOppgang B",
      "address2": nil, "city": "Oslo", "state": "", "postal_code": "0155", "country": "NO", "language": "no",
      "currency": "nok", "payment_terms": "Net 30 EOM, 2% 10", "credit_limit": 50_000, "credit_hold": false,
      "taxable": true, "chase": true, "active": true, "notes": "NO\nfine", "tax_id": "NO 987 654 321 MVA",
      "metadata": ["segment": "007"],
    ],
    ["name": "N", "type": "company", "payment_terms": "14", "language": "zz", "country": "XK", "active": false],
  ]

  @Test("ordinary records fit every row, and come back as they were", arguments: records)
  func ordinary(record: JSONValue) throws {
    for pair in try #require(reading.mapping).flows[0].properties {
      let raw = pair.raw(on: .invoiced, in: record)
      let sent = try pair.translated(from: .invoiced, raw: raw)
      let back = try pair.translated(from: .pms, raw: sent)
      #expect(
        try pair.canonical(on: .invoiced, raw: back) == pair.canonical(on: .invoiced, raw: raw), "\(pair.invoiced)")
    }
  }

  @Test("it renders as the original with its tables filled, three times the same section")
  func rendered() throws {
    let mapping = try #require(reading.mapping)
    let text = DataflowDocument.render(mapping, as: .rst)
    let document = try #require(DataflowDocument.read(text: text, file: "d").document)
    #expect(document.title == "Invoiced to Custom PMS Dataflow")
    #expect(document.sections.count == 3)
    #expect(document.sections.allSatisfy { $0.table.rows.count == mapping.flows[0].properties.count })
    #expect(document.sections[0].table.columns[2] == "Custom PMS Data Type")
  }
}
