import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Synchronization
import Testing

@testable import Service

@Suite("what is looked at before it is written or believed")
struct LookTests {
  @Test("rule 18: Invoiced is read before it is written, so that an edit of which no event told isn't overwritten")
  func readFirst() async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try await bench.pass(.seconds(30))
      try bench.change(.pms, partner, ["notes": "ours"])
      let late = bench.withhold()
      try await bench.pass(.seconds(10))
      try bench.change(.invoiced, id, ["notes": "theirs"], silent: true)
      for request in late { await bench.receive(request, from: .pms) }
      try await bench.pass(.seconds(30))
      #expect(try bench.record(.invoiced, id)["notes"] == "theirs", "the later edit")
      #expect(try bench.record(.pms, partner)["notes"] == "theirs")
    }
  }

  @Test(
    "rule 5: a read that lags behind a push within one second of Invoiced's clock is no edit, and what repeats it is",
    arguments: [true, false])
  func lagging(isLag: Bool) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try await bench.pass(.seconds(10))
      try bench.change(.invoiced, id, ["notes": "theirs"])
      let late = bench.withhold()
      let former = try bench.record(.invoiced, id)
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      try await bench.pass()
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      let once = Times(1)
      if isLag {
        bench.transport.add { side, request async throws(HTTPClientError) in
          side == .invoiced && request.method == "GET" && once.take() ? .answer(200, former) : nil
        }
        try bench.change(.pms, partner, ["address": ["city": "Bergen"]])
      } else {
        try bench.change(.invoiced, id, ["city": .null])
      }
      for request in late { await bench.receive(request, from: .invoiced) }
      // An event that tells of the edit leaves no doubt.
      try await bench.pass(isLag ? .seconds(10) : .milliseconds(500))
      #expect(!isLag || !once.take(), "the read lagged behind")
      #expect(try bench.record(.invoiced, id)["city"]?.string == (isLag ? "Bergen" : nil))
      #expect(try bench.record(.pms, partner)["address"]?["city"]?.string == (isLag ? "Bergen" : nil))
      #expect(try bench.record(.pms, partner)["notes"] == "theirs")
    }
  }

  @Test("rule 5: nor is one that lags behind a push that went unanswered and was seen late")
  func laggingBehindUnanswered() async throws {
    try await EngineBench.run(settings: "retry: { first: 15s, most: 15s }") { bench in
      let (id, partner) = try await bench.linked()
      try await bench.pass(.seconds(10))
      try bench.change(.invoiced, id, ["notes": "theirs"])
      let late = bench.withhold()
      let former = try bench.record(.invoiced, id)
      let lags = Mutex(false)
      let (unanswered, refused) = (Times(1), Times(1))
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .invoiced, request.target.hasSuffix("/" + id) else { return nil }
        if request.method == "GET", lags.withLock({ $0 }) { return .answer(200, former) }
        guard request.method == "PATCH" else { return nil }
        guard unanswered.take() else { return refused.take() ? .answer(429) : nil }
        _ = try bench.transport.carryOut(request, side)
        lags.withLock { $0 = true }
        throw .unanswered(host: "invoiced.test", cause: "reset")
      }
      try bench.change(.pms, partner, ["address": ["city": "Oslo"]])
      try await bench.pass(.milliseconds(900))
      #expect(!unanswered.take(), "it was written and not answered")
      // Looked at anew, it is there.
      lags.withLock { $0 = false }
      try await bench.pass(.seconds(20))
      #expect(!refused.take(), "it was not seen there, and written once more")
      let before = bench.writes(.pms)
      lags.withLock { $0 = true }
      for request in late { await bench.receive(request, from: .invoiced) }
      try await bench.pass(.milliseconds(500))
      lags.withLock { $0 = false }
      try await bench.pass(.seconds(10))
      #expect(try bench.record(.invoiced, id)["city"] == "Oslo")
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo")
      #expect(try bench.record(.pms, partner)["notes"] == "theirs")
      #expect(bench.writes(.pms) <= before + 1, "the notes at most")
    }
  }

  @Test("rule 11: a search that answers with another record links nothing with it")
  func searchLies() async throws {
    try await EngineBench.run { bench in
      let other = try bench.edit(
        .pms, "POST", "/customers?silent=1", ["name": "Other", "customer_number": "X-9", "kind": "company"])
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "GET", request.target.contains("?") else { return nil }
        return .answer(200, ["data": [other]])
      }
      try bench.edit(.invoiced, "POST", "/customers", ["name": "One", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      #expect(bench.pms.customers.count == 2)
      #expect(try await bench.links().map(\.pms.text) != [other["id"]?.identifier])
      let kept = try bench.record(.pms, try #require(other["id"]?.identifier))
      #expect(kept["name"] == "Other")
    }
  }

  @Test(
    "rule 5: a linked record that carries another reference, or none, is parked until it is put back",
    arguments: ["4711", nil])
  func referenceLost(reference: String?) async throws {
    try await EngineBench.run { bench in
      let (id, partner) = try await bench.linked()
      try await bench.pass(.seconds(10))
      let kept = try #require(bench.record(.pms, partner)["invoiced_id"])
      let before = [bench.writes(.invoiced), bench.writes(.pms)]
      try bench.change(
        .pms, partner, ["invoiced_id": reference.map { .string($0) } ?? .null, "name": "Somebody else"])
      try await bench.pass(.seconds(120))
      #expect(try await bench.holds().map(\.cause) == [.referenceLost])
      #expect([bench.writes(.invoiced), bench.writes(.pms)] == before)
      #expect(try bench.record(.invoiced, id)["name"] == "Acme AS")
      try bench.change(.pms, partner, ["invoiced_id": kept, "name": "Acme Ltd"])
      try await bench.pass(.seconds(10))
      #expect(try await bench.holds().isEmpty)
      #expect(try bench.record(.invoiced, id)["name"] == "Acme Ltd")
    }
  }
}
