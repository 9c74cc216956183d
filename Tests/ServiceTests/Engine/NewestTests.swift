import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 8: the version of the first event that showed the value")
struct NewestTests {
  @Test("events that wait together tell when each property was edited", arguments: [true, false])
  func together(areAllHeard: Bool) async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: newest")) { bench in
      let (id, partner) = try await bench.linked()
      for side in Side.allCases { bench.context.gate(side).pause(byPerson: true, reason: "a test") }
      try bench.change(.invoiced, id, ["notes": "first, on Invoiced"])
      try await bench.pass(.seconds(30))
      try bench.change(.pms, partner, ["notes": "second, on the PMS"])
      try await bench.pass(.seconds(30))
      // A later edit of another property gives the record a later version.
      try bench.change(.invoiced, id, ["city": "Oslo"], silent: !areAllHeard)
      try await bench.pass(.seconds(30))
      for side in Side.allCases { bench.context.gate(side).resume() }
      bench.engine.resumed()
      try await bench.pass(.seconds(200))
      #expect(try bench.record(.invoiced, id)["notes"] == "second, on the PMS")
      #expect(try bench.record(.pms, partner)["notes"] == "second, on the PMS")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      let lost = try #require(await bench.history().last { $0.kind == .resolved })
      #expect(lost.old == "first, on Invoiced" && lost.sentence.contains("the PMS later"))
    }
  }
}
