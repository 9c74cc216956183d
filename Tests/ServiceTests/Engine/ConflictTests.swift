import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 20: a conflict whose values change")
struct ConflictTests {
  // The entry was filed anew in its own place, and then closed as one that is no longer true.
  @Test("waits with the new values, whatever else is pushed along", arguments: Side.allCases, [false, true])
  func again(side: Side, isMoreEdited: Bool) async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: manual")) { bench in
      let (id, partner) = try await bench.linked()
      func edit(_ city: JSONValue) throws {
        var changes: JSONValue = side == .invoiced ? ["city": city] : ["address": ["city": city]]
        if isMoreEdited { changes.set(.string("with \(city)"), at: JSONPath([.key("notes")])) }
        try bench.change(side, side == .invoiced ? id : partner, changes)
      }
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try bench.change(.pms, partner, ["address": ["city": "Bergen"]])
      try await bench.pass(.seconds(10))
      #expect(try await bench.holds(.conflict).count == 1)
      for city in ["Molde", "Voss", "Hamar"] as [JSONValue] {
        try edit(city)
        try await bench.pass(.seconds(10))
        let holds = try await bench.holds(.conflict)
        #expect(holds.count == 1)
        #expect(holds.first.map { side == .invoiced ? $0.invoiced : $0.pms } == city)
      }
      let (mine, its) = (try bench.record(.invoiced, id), try bench.record(.pms, partner))
      #expect(mine["city"] != its["address"]?["city"], "neither is overwritten")
      if isMoreEdited { #expect(mine["notes"] != nil && mine["notes"] == its["notes"]) }
    }
  }
}
