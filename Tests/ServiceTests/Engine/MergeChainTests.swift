import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 15: merges of a survivor that was merged too")
struct MergeChainTests {
  @Test("a create of the survivor's that went unanswered is settled before the link moves", arguments: [true, false])
  func unansweredCreate(isCarriedOut: Bool) async throws {
    try await EngineBench.run { bench in
      let pair = try await bench.linked()
      _ = try await bench.walk()
      let once = Times(1)
      bench.transport.add { side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "POST", once.take() else { return nil }
        if isCarriedOut { _ = try bench.transport.carryOut(request, side) }
        throw .unanswered(host: "pms.test", cause: "reset")
      }
      let made = try bench.edit(
        .invoiced, "POST", "/customers", ["name": "Survivor", "number": "S-2", "type": "company"])
      let survivor = try #require(made["id"]?.identifier)
      try await bench.pass(.seconds(5))
      #expect(!once.take(), "it was sent")
      try bench.edit(
        .invoiced, "POST", "/customers/\(survivor)/merge",
        ["customer": .number(JSONNumber(Int64(pair.invoiced) ?? 0))])
      try await bench.pass(.seconds(300))
      #expect(try await bench.store.pendingEvents(receivedBy: nil) == 0)
      #expect(try await bench.waiting().isEmpty)
      let active = try await bench.links().filter { $0.state == .active }
      #expect(active.map(\.invoiced.text) == [survivor])
      #expect(active.map { $0.pms.text == pair.pms } == [!isCarriedOut])
      #expect(bench.pms.customers.count == (isCarriedOut ? 2 : 1))
    }
  }

  @Test(
    "the link ends up with the last one that stayed, however its events come",
    arguments: ["in order", "reversed", "the first is lost", "the last is lost", "both are lost"],
    [false, true])
  func chain(events: String, isMiddleLinked: Bool) async throws {
    try await EngineBench.run(EngineBench.mapping("delete: { invoiced_deleted: propagate }")) { bench in
      let pair = try await bench.linked()
      // From here on the Events API is read.
      _ = try await bench.walk()
      var ids = [pair.invoiced]
      for number in 2...3 {
        let isHeard = number == 2 && isMiddleLinked
        let made = try bench.edit(
          .invoiced, "POST", isHeard ? "/customers" : "/customers?silent=1",
          ["name": .string("Survivor \(number)"), "number": .string("S-\(number)"), "type": "company"])
        ids.append(try #require(made["id"]?.identifier))
        try await bench.pass(.seconds(5))
      }
      let links = try await bench.links()
      let stays = try #require(links.last?.pms.text)
      #expect(links.count == (isMiddleLinked ? 2 : 1))
      var heard: [[HTTPRequest]] = []
      for step in 0..<2 {
        try bench.edit(
          .invoiced, "POST", "/customers/\(ids[step + 1])/merge",
          ["customer": .number(JSONNumber(Int64(ids[step]) ?? 0))])
        heard.append(bench.withhold())
        try await bench.pass(.seconds(5))
      }
      switch events {
      case "in order": break
      case "reversed": heard.reverse()
      case "the first is lost": heard.removeFirst()
      case "the last is lost": heard.removeLast()
      default: heard = []
      }
      for request in heard.joined() {
        await bench.receive(request, from: .invoiced)
        try await bench.pass(.seconds(1))
      }
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      let active = try await bench.links().filter { $0.state == .active }
      #expect(active.map(\.invoiced.text) == [ids[2]] && active.map(\.pms.text) == [stays])
      #expect(try bench.record(.pms, stays)["name"] == "Survivor 3")
      #expect(try bench.record(.pms, stays)["invoiced_id"]?.identifier == ids[2])
      #expect(try bench.record(.invoiced, ids[2])["metadata"]?["pms_id"]?.string == stays)
      #expect(bench.invoiced.customers.count == 1 && bench.pms.customers.count == 1)
      // Where both were linked, the lost one is treated as deleted.
      #expect(bench.pms.stats.requests("DELETE") == (isMiddleLinked ? 1 : 0))
      #expect(bench.pms.stats.requests("POST") == links.count)
      #expect(try await bench.waiting().isEmpty)
    }
  }
}

@Suite("rule 15: merges that meet other work")
struct MergeMeetingTests {
  private func customer(_ bench: EngineBench, isSilent: Bool) throws -> String {
    let made = try bench.edit(
      .invoiced, "POST", isSilent ? "/customers?silent=1" : "/customers",
      ["name": "Survivor", "number": "S-1", "type": "company"])
    return try #require(made["id"]?.identifier)
  }

  private func merge(_ bench: EngineBench, _ lost: String, into kept: String) throws {
    try bench.edit(
      .invoiced, "POST", "/customers/\(kept)/merge", ["customer": .number(JSONNumber(Int64(lost) ?? 0))])
  }

  // The partner, whose link had just moved away, was taken for a record without one and created once more.
  @Test("a merge that comes out while the partner's edit is worked on moves the link, and nothing is created")
  func foundByPartner() async throws {
    try await EngineBench.run { bench in
      let pair = try await bench.linked()
      let kept = try customer(bench, isSilent: true)
      try merge(bench, pair.invoiced, into: kept)
      _ = bench.withhold()
      let lost = RecordKey(.invoiced, RecordID(pair.invoiced))
      _ = try await bench.store.append(NewEvent.look(at: lost, now: bench.clock.now, bench.context.random))
      try bench.change(.pms, pair.pms, ["notes": "meanwhile"])
      try await bench.pass(.seconds(120))
      #expect(bench.invoiced.stats.requests("POST") == 0)
      let active = try await bench.links().filter { $0.state == .active }
      #expect(active.map(\.invoiced.text) == [kept] && active.map(\.pms.text) == [pair.pms])
      #expect(try bench.record(.invoiced, kept)["notes"] == "meanwhile")
      #expect(try await bench.waiting().isEmpty)
    }
  }
}
