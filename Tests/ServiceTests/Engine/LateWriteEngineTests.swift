import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Synchronization
import Testing

@testable import Service

@Suite("rule 12: an update that arrives late")
struct LateWriteEngineTests {
  /// A request that is under way.
  private final class UnderWay: Sendable {
    private let request = Mutex<HTTPRequest?>(nil)
    func hold(_ request: HTTPRequest) -> Bool {
      self.request.withLock { held in
        guard held == nil else { return false }
        held = request
        return true
      }
    }
    var held: HTTPRequest? { request.withLock { $0 } }
  }

  @Test(
    "a newer edit is not overwritten for good by an update that timed out, and no conflict is filed",
    arguments: [true, false], ["newest", "manual"])
  func late(isBeforeNext: Bool, conflict: String) async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: \(conflict)")) { bench in
      let (id, partner) = try await bench.linked()
      let underWay = UnderWay()
      let arrivals = Times(1)
      bench.transport.add { [transport = bench.transport] side, request async throws(HTTPClientError) in
        guard side == .invoiced, request.method == "PATCH" else { return nil }
        if underWay.hold(request) { throw .unanswered(host: "invoiced.test", cause: "it timed out") }
        if isBeforeNext, arrivals.take(), let held = underWay.held { _ = try transport.carryOut(held, side) }
        return nil
      }
      try bench.change(.pms, partner, ["notes": "first"])
      try await bench.pass()
      try bench.change(.pms, partner, ["notes": "second"])
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.invoiced, id)["notes"] == "second")
      if !isBeforeNext {
        _ = try bench.transport.carryOut(try #require(underWay.held), .invoiced)
        #expect(try bench.record(.invoiced, id)["notes"] == "first")
        try await bench.pass(.seconds(30))
      }
      try await bench.pass(.seconds(120))
      #expect(try bench.record(.invoiced, id)["notes"] == "second")
      #expect(try bench.record(.pms, partner)["notes"] == "second")
      #expect(try await bench.holds(.conflict).isEmpty)
      if !isBeforeNext {
        #expect(try await bench.history().contains { $0.sentence.contains("arrived late") })
      }
    }
  }
  @Test("an update that timed out and arrives after edits of both sides takes neither's place")
  func afterBoth() async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: newest")) { bench in
      let (id, partner) = try await bench.linked()
      let underWay = UnderWay()
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .invoiced, request.method == "PATCH", underWay.hold(request) else { return nil }
        throw .unanswered(host: "invoiced.test", cause: "it timed out")
      }
      try bench.change(.pms, partner, ["notes": "first"])
      try await bench.pass()
      try bench.change(.invoiced, id, ["notes": "theirs"])
      try await bench.pass(.milliseconds(10))
      bench.clock.advance(to: bench.clock.now.adding(.seconds(5)))
      try bench.change(.pms, partner, ["notes": "newest"])
      try await bench.pass(.seconds(5))
      #expect(try bench.record(.invoiced, id)["notes"] == "newest")
      _ = try bench.transport.carryOut(try #require(underWay.held), .invoiced)
      #expect(try bench.record(.invoiced, id)["notes"] == "first")
      try await bench.pass(.seconds(200))
      #expect(try bench.record(.invoiced, id)["notes"] == "newest")
      #expect(try bench.record(.pms, partner)["notes"] == "newest")
    }
  }
}
