import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 20: the loop guard")
struct LoopGuardTests {
  @Test("a property that is pushed to and fro is parked, the others go on, and a retry starts anew")
  func toAndFro() async throws {
    try await EngineBench.run(settings: "loop_guard: { pushes: 5, window: 10m }") { bench in
      let (id, partner) = try await bench.linked()
      for step in 0..<12 {
        try bench.change(.invoiced, id, ["city": .string("I\(step)")])
        try await bench.pass(.seconds(5))
        try bench.change(.pms, partner, ["address": ["city": .string("P\(step)")]])
        try await bench.pass(.seconds(5))
      }
      let holds = try await bench.holds()
      #expect(holds.map(\.cause) == [.loop])
      #expect(holds.map(\.row) == ["city=address.city"])
      try bench.change(.invoiced, id, ["notes": "goes on"])
      try await bench.pass(.seconds(5))
      #expect(try bench.record(.pms, partner)["notes"] == "goes on")
      let before = bench.writes(.pms) + bench.writes(.invoiced)
      try await bench.look(.invoiced, id)
      #expect(bench.writes(.pms) + bench.writes(.invoiced) == before)
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(5))
      #expect(bench.writes(.pms) + bench.writes(.invoiced) == before, "the window is not over")
      try await bench.admin("POST", "parked/\(holds[0].id)/retry")
      try await bench.pass(.seconds(5))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("pushes that repeat the value last pushed are counted, over restarts too")
  func repeated() async throws {
    let rows = EngineBench.rows + "\n- { invoiced: phone, pms: phone, type: string, direction: to_pms }"
    try await EngineBench.run(
      EngineBench.mapping(rows: rows), settings: "loop_guard: { pushes: 5, window: 10m }"
    ) { bench in
      let (id, partner) = try await bench.linked()
      try bench.change(.invoiced, id, ["phone": "1"])
      try await bench.pass(.seconds(5))
      for step in 0..<9 {
        try bench.change(.pms, partner, ["phone": .string("wrong \(step)")])
        try await bench.pass(.seconds(5))
        if step == 3 { try await bench.restart() }
      }
      #expect(try await bench.holds().map(\.cause) == [.loop])
      #expect(try bench.record(.pms, partner)["phone"]?.string?.hasPrefix("wrong") == true)
    }
  }

  @Test("a one-way stream of new values never counts")
  func stream() async throws {
    try await EngineBench.run(settings: "loop_guard: { pushes: 5, window: 10m }") { bench in
      let (id, partner) = try await bench.linked()
      for step in 0..<40 {
        try bench.change(.invoiced, id, ["city": .string("I\(step)")])
        try await bench.pass(.seconds(3))
      }
      #expect(try await bench.holds().isEmpty)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "I39")
    }
  }
}
