import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Testing

@testable import Service

@Suite("rule 6: gone")
struct GoneOnUpdateTests {
  @Test("404 on update: believed after a second look, when the side answers for another record")
  func gone() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      _ = try await bench.linked(["name": "Other", "number": "A-2", "type": "company"])
      try bench.edit(.pms, "DELETE", "/customers/\(partner)?silent=1")
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(30))
      #expect(try await bench.links().allSatisfy { $0.state == .active }, "`confirm` has not passed")
      try await bench.pass(.seconds(60))
      let link = try #require(await bench.links().first { $0.invoiced.text == id })
      #expect(link.state == .ended)
      try bench.change(.invoiced, id, ["city": "Bergen"])
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 1, "what survives is kept apart")
      #expect(try await bench.holds().isEmpty)
    }
  }

  @Test("404 on update of a record that a fetch shows: planned again, and sent")
  func alive() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "PATCH" && once.take() ? .answer(404) : nil
      }
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(5))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try await bench.links().map(\.state) == [.active])
    }
  }

  @Test("a side that answers 404 for everything has lost no record")
  func everything() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      bench.transport.add { side, _ async throws(HTTPClientError) in side == .pms ? .answer(404) : nil }
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(3600))
      #expect(try await bench.links().map(\.state) == [.active])
      bench.transport.removeHooks()
      try await bench.pass(.seconds(1800))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
    }
  }

  @Test("a 404 of just before its side came back is no deletion")
  func outageEnds() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      _ = try await bench.linked(["name": "Other", "number": "A-2", "type": "company"])
      let twice = Times(2)
      bench.transport.add { side, request async throws(HTTPClientError) in
        side == .pms && request.method == "GET" && request.target.hasSuffix(partner) && twice.take()
          ? .answer(404) : nil
      }
      try await bench.look(.pms, partner)
      try await bench.pass(.seconds(120))
      #expect(!twice.take())
      #expect(try await bench.links().allSatisfy { $0.state == .active })
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
    }
  }
}
