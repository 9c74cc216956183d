import Connectors
import JSON
import Mapping
import Testing

@Suite("Invoiced's limits")
struct InvoicedLimitsTests {
  private func misfits(_ changes: Assignment...) -> [Misfit] {
    InvoicedConnector.make(ScriptedTransport()).misfits(in: changes)
  }

  @Test(
    "count bytes, and let exactly as many pass",
    arguments: [
      ("name", 255), ("number", 32), ("payment_terms", 255), ("address1", 1000), ("city", 255), ("tax_id", 255),
      ("metadata.segment", 255), ("attention_to", 255), ("phone", 255),
    ])
  func bytes(property: String, most: Int) {
    let fitting = String(repeating: "a", count: most - 2) + "\u{f8}"
    #expect(misfits(set(property, .string(fitting))).isEmpty)
    let found = misfits(set(property, .string(fitting + "b")))
    #expect(found.count == 1)
    #expect(found.first?.reason.contains("\(most + 1) bytes") ?? false)
    #expect((found.first?.value.count ?? 99) <= 60)
  }

  @Test(
    "know the forms",
    arguments: [
      ("language", "en", true), ("language", "nob", false), ("language", "\u{f8}", true), ("country", "NO", true),
      ("country", "no", true),
      ("country", "NOR", false), ("country", "Norway", false), ("currency", "eur", true), ("currency", "euro", false),
      ("type", "company", true), ("type", "firm", false), ("email", "a@b.no", true), ("email", " a@b.no ", true),
      ("email", "a.b.no", false), ("email", "a@b@c", false), ("email", "a@b, c@d", false), ("email", "", true),
      ("name", "", false), ("number", "", false), ("type", "", false), ("notes", "", true),
    ])
  func forms(property: String, value: String, fits: Bool) {
    #expect(misfits(set(property, .string(value))).isEmpty == fits, "\(property)=\(value)")
    if value.isEmpty { #expect(misfits(set(property, .null)).isEmpty == fits) }
  }

  @Test("count metadata's keys and measure their names")
  func metadata() {
    let ten = (0..<10).map { set("metadata.k\($0)", "v") }
    let connector = InvoicedConnector.make(ScriptedTransport())
    #expect(connector.misfits(in: ten).isEmpty)
    #expect(connector.misfits(in: ten + [set("metadata.more", .null)]).isEmpty)
    #expect(connector.misfits(in: ten + [set("metadata.more", "v")]).map(\.property) == [path("metadata")])
    #expect(misfits(set("metadata." + String(repeating: "k", count: 40), "v")).isEmpty)
    #expect(misfits(set("metadata." + String(repeating: "k", count: 41), "v")).count == 1)
    #expect(misfits(set("metadata.a.b", "v")).count == 1)
  }

  @Test("count the keys that are there already, right before the write")
  func metadataThere() async {
    let there = (0..<10).map { #""k\#($0)":"v""# }.joined(separator: ",")
    let transport = ScriptedTransport(.json(#"{"id":7,"metadata":{\#(there)}}"#))
    let error = await failure { () throws(ConnectorError) in
      try await InvoicedConnector.make(transport).update(
        [set("metadata.more", "v")], of: observed(.invoiced, "7", ["id": 7]), idempotencyKey: "key-123456")
    }
    guard case .unsendable(_, "metadata", _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(transport.asked.count == 1)
  }
}
