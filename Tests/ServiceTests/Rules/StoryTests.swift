import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 25: every decision explains itself")
struct StoryTests {
  private func story(_ bench: EngineBench, _ id: String) async throws -> [JSONValue] {
    try await bench.admin("GET", "links/invoiced:\(id)")["history"]?.array?.reversed() ?? []
  }

  @Test(
    "a link's history tells which value came from where, what was agreed before, which rule decided, what was written")
  func story() async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: newest")) { bench in
      let (id, partner) = try await bench.linked([
        "name": "Acme AS", "number": "A-1", "type": "company", "city": "Oslo",
      ])
      let created = try #require(await story(bench, id).first { $0["kind"] == "linked" })
      #expect(created["rule"] == 12 && created["side"] == "pms")
      #expect(created["new"]?["name"] == "Acme AS" && created["new"]?["address"]?["city"] == "Oslo")
      #expect(created["event"]?.int64 != nil)

      try bench.change(.pms, partner, ["address": ["city": "Bergen"]])
      try await bench.pass(.seconds(10))
      let pushed = try #require(await story(bench, id).last)
      #expect(pushed["kind"] == "pushed" && pushed["side"] == "invoiced" && pushed["property"] == "city")
      #expect(pushed["old"] == "Oslo" && pushed["new"] == "Bergen" && pushed["from"] == "Bergen")
      #expect(pushed["agreed"] == ["invoiced": "Oslo", "pms": "Oslo"])
      #expect(pushed["rule"] == 8 && pushed["reason"] == "the PMS changed it and Invoiced didn't")
      #expect(pushed["event"]?.int64 != nil && pushed["at"]?.string != nil)

      // Both sides edit it: the value that lost is told.
      for side in Side.allCases { bench.context.gate(side).pause(byPerson: true, reason: "a test") }
      try bench.change(.invoiced, id, ["city": "Tromso"])
      try await bench.pass(.seconds(30))
      try bench.change(.pms, partner, ["address": ["city": "Narvik"]])
      for side in Side.allCases { bench.context.gate(side).resume() }
      bench.engine.resumed()
      try await bench.pass(.seconds(30))
      let all = try await story(bench, id)
      let lost = try #require(all.last { $0["kind"] == "resolved" })
      #expect(lost["old"] == "Tromso" && lost["new"] == "Narvik" && lost["rule"] == 8)
      #expect(lost["agreed"] == ["invoiced": "Bergen", "pms": "Bergen"])
      #expect(lost["reason"]?.string?.contains("both sides changed it") == true)
      #expect(all.filter { $0["kind"] == "pushed" }.allSatisfy { $0["rule"]?.int64 != nil && $0["from"] != nil })
    }
  }

  @Test("a form of its own that a side keeps, and a property that both sides changed alike, are told too")
  func agreed() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      bench.pms.setFaults([.normalising])
      try bench.change(.invoiced, id, ["name": "  Acme ASA "])
      try await bench.pass(.seconds(120))
      let near = try #require(await story(bench, id).last { $0["kind"] == "agreed" })
      #expect(near["old"] == "  Acme ASA " && near["new"] == "Acme ASA" && near["rule"] == 9)
      bench.pms.setFaults([])
      for side in Side.allCases { bench.context.gate(side).pause(byPerson: true, reason: "a test") }
      try bench.change(.invoiced, id, ["notes": "the same"])
      try bench.change(.pms, partner, ["notes": "the same"])
      try await bench.pass(.seconds(5))
      for side in Side.allCases { bench.context.gate(side).resume() }
      bench.engine.resumed()
      try await bench.pass(.seconds(30))
      let both = try #require(await story(bench, id).last { $0["kind"] == "agreed" && $0["property"] == "notes" })
      #expect(both["rule"] == 8 && both["new"] == "the same")
    }
  }

  @Test("what is parked names the rule that it waits by, and the story has what came before the link")
  func parked() async throws {
    let rows =
      EngineBench.rows
      + "\n- { invoiced: language, pms: locale, type: string, convert: { values: { en: en-GB } } }"
    try await EngineBench.run(EngineBench.mapping(rows: rows)) { bench in
      let made = try bench.edit(
        .pms, "POST", "/customers",
        ["name": "Acme", "customer_number": "A-1", "kind": "company", "locale": "xx-XX"])
      let partner = try #require(made["id"]?.identifier)
      try await bench.pass(.seconds(10))
      #expect(try await bench.holds().map(\.cause) == [.misfit])
      try bench.change(.pms, partner, ["locale": "en-GB"])
      try await bench.pass(.seconds(10))
      let id = try #require(await bench.links().first?.invoiced.text)
      let all = try await story(bench, id)
      let parked = try #require(all.first { $0["kind"] == "parked" }, "of the time when it was linked with nothing")
      #expect(parked["rule"] == 16 && parked["reason"]?.string?.contains("xx-XX") == true)
      #expect(all.contains { $0["kind"] == "linked" })
    }
  }

  @Test("every kind of decision has its rule", arguments: Hold.Cause.allCases)
  func rules(cause: Hold.Cause) {
    #expect(1...25 ~= cause.rule)
  }
}
