import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Synchronization
import Testing

@testable import Service

@Suite("rule 17: the link is the unit")
struct UnitTests {
  /// Calls under way by link.
  private final class UnderWay: Sendable {
    private let state = Mutex((links: [String: String](), now: [String: Int](), most: 0, atOnce: 0))
    func name(_ id: String, _ link: String) { state.withLock { $0.links[id] = link } }
    func enter(_ id: String) {
      state.withLock { state in
        guard let link = state.links[id] else { return }
        state.now[link, default: 0] += 1
        state.most = max(state.most, state.now[link] ?? 0)
        state.atOnce = max(state.atOnce, state.now.values.reduce(0, +))
      }
    }
    func leave(_ id: String) {
      state.withLock { state in if let link = state.links[id] { state.now[link, default: 0] -= 1 } }
    }
    var most: (ofOneLink: Int, atOnce: Int) { state.withLock { ($0.most, $0.atOnce) } }
  }

  @Test("the two records of one link are never in two workers, while links are worked on side by side")
  func oneWorker() async throws {
    try await EngineBench.run { bench in
      let underWay = UnderWay()
      var pairs: [(invoiced: String, pms: String)] = []
      for number in 1...6 {
        let pair = try await bench.linked(["name": "Acme", "number": .string("A-\(number)"), "type": "company"])
        underWay.name(pair.invoiced, pair.invoiced)
        underWay.name(pair.pms, pair.invoiced)
        pairs.append(pair)
      }
      bench.transport.add { [transport = bench.transport] side, request async throws(HTTPClientError) in
        let id = String(request.target.split(separator: "/").last ?? "")
        underWay.enter(id)
        for _ in 0..<20 { await Task.yield() }
        defer { underWay.leave(id) }
        return try transport.carryOut(request, side)
      }
      for round in 0..<5 {
        for pair in pairs {
          try bench.change(.invoiced, pair.invoiced, ["city": .string("Oslo \(round)")])
          try bench.change(.pms, pair.pms, ["notes": .string("note \(round)")])
        }
        try await bench.pass(.seconds(5))
      }
      #expect(underWay.most.ofOneLink == 1)
      #expect(underWay.most.atOnce > 1)
      for pair in pairs {
        #expect(try bench.record(.pms, pair.pms)["address"]?["city"] == "Oslo 4")
        #expect(try bench.record(.invoiced, pair.invoiced)["notes"] == "note 4")
      }
    }
  }

  @Test("events that wait together become one push")
  func together() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try await bench.admin("POST", "sides/pms/pause")
      for city in ["Oslo", "Bergen", "Tromsø"] {
        try bench.change(.invoiced, id, ["city": .string(city)])
        try await bench.pass(.seconds(5))
      }
      try bench.change(.invoiced, id, ["notes": "n"])
      try await bench.pass(.seconds(5))
      let before = bench.pms.stats.requests("PATCH")
      try await bench.admin("POST", "sides/pms/resume")
      try await bench.pass(.seconds(10))
      #expect(bench.pms.stats.requests("PATCH") == before + 1)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Tromsø")
      #expect(try bench.record(.pms, partner)["notes"] == "n")
    }
  }
}
