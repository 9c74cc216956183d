import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 23: change of flow")
struct FlowChangeTests {
  static func flow(
    _ name: String, _ type: String, kind: String, rows: String = EngineBench.rows, lines: String = ""
  ) -> String {
    var text = """
        - name: \(name)
          invoiced: { object: customer, where: { type: \(type) } }
          pms: { entity: customer, where: { kind: \(kind) } }
          match: [{ invoiced: number, pms: customer_number }]
          reference: { invoiced: metadata.pms_id, pms: invoiced_id }

      """
    for line in lines.split(separator: "\n") { text += "    \(line)\n" }
    text += "    properties:\n"
    for line in rows.split(separator: "\n") { text += "      \(line)\n" }
    return text
  }

  static func two(_ lines: String = "", kind: String = "public", extra: String = "") -> String {
    "flows:\n" + flow("companies", "company", kind: "company", lines: lines)
      + flow("government", "government", kind: kind, rows: EngineBench.rows + extra, lines: lines)
  }

  @Test("Invoiced's record comes to fit another flow: the PMS's is sent its constants, in one push with the rest")
  func follows() async throws {
    try await EngineBench.run(Self.two(extra: "\n- { invoiced: phone, pms: phone, type: string }")) { bench in
      let (id, partner) = try await bench.linked()
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(.invoiced, id, ["type": "government", "city": "Oslo", "phone": "1"])
      try await bench.pass(.seconds(60))
      let record = try bench.record(.pms, partner)
      #expect(record["kind"] == "public")
      #expect(record["address"]?["city"] == "Oslo")
      #expect(record["phone"] == "1", "a row that only the new flow has is a first link")
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == [before[0], before[1] + 1])
      #expect(try await bench.links().map(\.flow) == ["government"])
      try bench.change(.pms, partner, ["address": ["city": "Bergen"]])
      try await bench.pass(.seconds(60))
      #expect(try bench.record(.invoiced, id)["city"] == "Bergen", "shared rows keep what was agreed")
    }
  }

  @Test("the PMS's record comes to fit another flow: Invoiced's follows")
  func followsBack() async throws {
    try await EngineBench.run(Self.two()) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.pms, partner, ["kind": "public"])
      try await bench.pass(.seconds(60))
      #expect(try bench.record(.invoiced, id)["type"] == "government")
      #expect(try await bench.links().map(\.flow) == ["government"])
    }
  }

  @Test("both sides in different flows, or no single value to write: a conflict")
  func conflicts() async throws {
    let three = Self.two() + Self.flow("clubs", "non_profit", kind: "[club, union]")
    try await EngineBench.run(three) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["type": "non_profit"])
      try await bench.pass(.seconds(60))
      #expect(try await bench.holds(.conflict).count == 1)
      #expect(try bench.record(.pms, partner)["kind"] == "company")
      try bench.change(.pms, partner, ["kind": "public"])
      try await bench.pass(.seconds(60))
      #expect(try await bench.holds(.conflict).count == 1)
      try bench.change(.pms, partner, ["kind": "club"])
      try await bench.pass(.seconds(60))
      #expect(try await bench.holds(.conflict).isEmpty)
      #expect(try await bench.links().map(\.flow) == ["clubs"])
    }
  }

  @Test("a person decides which side's flow counts", arguments: ["invoiced", "pms"])
  func decided(take: String) async throws {
    let three = Self.two() + Self.flow("clubs", "non_profit", kind: "club")
    try await EngineBench.run(three) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["type": "non_profit"])
      try bench.change(.pms, partner, ["kind": "public"])
      try await bench.pass(.seconds(60))
      let hold = try #require(await bench.holds(.conflict).first)
      try await bench.admin("POST", "conflicts/\(hold.id)/resolve", ["take": .string(take)])
      try await bench.pass(.seconds(60))
      #expect(try await bench.holds(.conflict).isEmpty)
      #expect(try await bench.links().map(\.flow) == [take == "invoiced" ? "clubs" : "government"])
      #expect(try bench.record(.invoiced, id)["type"] == (take == "invoiced" ? "non_profit" : "government"))
      #expect(try bench.record(.pms, partner)["kind"] == (take == "invoiced" ? "club" : "public"))
    }
  }

  @Test("on_leave: keep goes on as before")
  func keeps() async throws {
    try await EngineBench.run(Self.two("on_leave: keep")) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["type": "person", "city": "Oslo"])
      try await bench.pass(.seconds(60))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try await bench.links().map(\.state) == [.active])
    }
  }

  @Test("a mapping read anew, or a restart with another one: its rows are planned at once", arguments: [true, false])
  func reload(restarts: Bool) async throws {
    try await EngineBench.run { bench in
      let (_, partner) = try await bench.linked(
        ["name": "Acme", "number": "A-1", "type": "company", "phone": "1"])
      let more = EngineBench.mapping(rows: EngineBench.rows + "\n- { invoiced: phone, pms: phone, type: string }")
      if restarts { try await bench.restart(more) } else { try await bench.reload(more) }
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["phone"] == "1")
      try await bench.reload(EngineBench.mapping())
      try await bench.pass(.seconds(10))
      #expect(try await bench.links()[0].agreed["phone=phone"] == nil, "a removed row's halves are dropped")
    }
  }

  @Test("raising `live`: what was held back is done", arguments: ["observe", "links", "updates"])
  func live(step: String) async throws {
    try await EngineBench.run(EngineBench.mapping("live: \(step)")) { bench in
      let made = try bench.edit(
        .invoiced, "POST", "/customers",
        ["name": "Acme", "number": "A-1", "type": "company", "city": "Oslo"])
      try bench.edit(
        .pms, "POST", "/customers", ["name": "Acme AS", "customer_number": "A-1", "kind": "company"])
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Other", "number": "A-2", "type": "company"])
      try await bench.pass(.seconds(60))
      #expect(bench.pms.customers.count == 1)
      if step != "updates" { #expect(bench.writes(.pms) + bench.writes(.invoiced) == 0) }
      #expect(try await bench.store.counts().events[.held] ?? 0 > 0)
      if step == "links" {
        let partner = try #require(bench.pms.customers.first?["id"]?.identifier)
        try bench.change(.pms, partner, ["notes": "edited meanwhile"])
        try await bench.pass(.seconds(10))
      }
      try await bench.reload(EngineBench.mapping())
      try await bench.pass(.seconds(60))
      #expect(bench.pms.customers.count == 2)
      #expect(try await bench.links().count == 2)
      #expect(bench.pms.customers.first?["address"]?["city"] == "Oslo")
      #expect(bench.pms.customers.first?["name"] == "Acme", "on_link is invoiced")
      if step == "links" {
        let id = try #require(made["id"]?.identifier)
        #expect(try bench.record(.invoiced, id)["notes"] == "edited meanwhile")
      }
      #expect(try await bench.store.counts().events[.held] ?? 0 == 0)
    }
  }

  private func heldBack(_ bench: EngineBench) async throws -> [String: Int] {
    let flows = try await bench.admin("GET", "status")["flows"]?.array ?? []
    return Dictionary(
      uniqueKeysWithValues: flows.compactMap { flow in
        flow["flow"]?.string.map { ($0, flow["held_back"]?.identifier.flatMap { Int($0) } ?? -1) }
      })
  }

  @Test("what each step of `live` holds back is counted per flow, once for each link or record, and done step by step")
  func counted() async throws {
    let steps = ["observe", "links", "updates", "creates", "all"]
    let mapping = { (step: String) in
      EngineBench.mapping("live: \(step)\ndelete: { invoiced_deleted: propagate }")
    }
    try await EngineBench.run(mapping(steps[0])) { bench in
      let made = try bench.edit(
        .invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company", "city": "Oslo"])
      let id = try #require(made["id"]?.identifier)
      let pair = try bench.edit(
        .pms, "POST", "/customers", ["name": "Acme", "customer_number": "A-1", "kind": "company"])
      let partner = try #require(pair["id"]?.identifier)
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Other", "number": "A-2", "type": "company"])
      try await bench.pass(.seconds(10))
      #expect(try await heldBack(bench) == ["companies": 3])
      try bench.change(.invoiced, id, ["city": "Bergen"])
      try await bench.pass(.seconds(10))
      #expect(try await heldBack(bench) == ["companies": 3], "one record is counted once")

      try await bench.reload(mapping(steps[1]))
      try await bench.pass(.seconds(10))
      #expect(try await bench.links().count == 1)
      #expect(try await heldBack(bench) == ["companies": 2])
      #expect(bench.writes(.pms) + bench.writes(.invoiced) == 0)

      try await bench.reload(mapping(steps[2]))
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
      #expect(try bench.record(.invoiced, id)["metadata"]?["pms_id"]?.identifier == partner)
      #expect(try await heldBack(bench) == ["companies": 1])
      #expect(bench.pms.customers.count == 1)

      try await bench.reload(mapping(steps[3]))
      try await bench.pass(.seconds(10))
      #expect(bench.pms.customers.count == 2)
      #expect(try await heldBack(bench) == ["companies": 0])
      try bench.edit(.invoiced, "DELETE", "/customers/\(id)")
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 2)
      #expect(try await heldBack(bench) == ["companies": 1])

      try await bench.reload(mapping(steps[4]))
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 1)
      #expect(try await heldBack(bench) == ["companies": 0])
    }
  }

  @Test("an edit that is taken back before the step is raised is held back no more")
  func takenBack() async throws {
    try await EngineBench.run(EngineBench.mapping("live: updates")) { bench in
      try bench.edit(.pms, "POST", "/customers", ["name": "Acme", "customer_number": "A-1", "kind": "company"])
      try bench.edit(.invoiced, "POST", "/customers", ["name": "Acme", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(10))
      let id = try #require(bench.invoiced.customers.first?["id"]?.identifier)
      try await bench.reload(EngineBench.mapping("live: links"))
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(10))
      #expect(try await heldBack(bench) == ["companies": 1])
      try bench.change(.invoiced, id, ["city": .null])
      try await bench.pass(.seconds(10))
      #expect(try await heldBack(bench) == ["companies": 0])
    }
  }
}
