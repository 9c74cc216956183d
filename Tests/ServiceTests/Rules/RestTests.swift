import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import SeededRandom
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 22: rest", .timeLimit(.minutes(3)))
struct RestTests {
  @Test("when edits stop and both sides answer, one full reconcile brings all to agree", arguments: UInt64(1)...6)
  func rest(seed: UInt64) async throws {
    try await EngineBench.run(EngineBench.mapping("conflict: newest\ndelete: { invoiced_deleted: propagate }")) {
      bench in
      var generator = SeededGenerator(seed: seed)
      for side in Side.allCases { faults(bench, side, [.lossy, .flaky]) }
      for step in 0..<60 {
        try act(bench, step, &generator)
        try await bench.pass(.seconds(Int64.random(in: 0...20, using: &generator)))
      }
      for side in Side.allCases { faults(bench, side, []) }
      try await bench.pass(.seconds(1800))
      let found = try await bench.walk()
      #expect(found.reasons.isEmpty, "seed \(seed)")
      try await bench.pass(.seconds(300))
      let audit = try await bench.admin("GET", "audit")
      #expect(audit["agrees"] == true, "seed \(seed): \(audit.pretty)")
      let before = bench.tally
      let again = try await bench.walk()
      #expect(bench.tally == before, "seed \(seed): another reconcile pushes nothing")
      #expect(again.pushed == 0 && again.reasons.isEmpty, "seed \(seed)")
    }
  }

  private func faults(_ bench: EngineBench, _ side: Side, _ profiles: Set<FaultProfile>) {
    if side == .invoiced { bench.invoiced.setFaults(profiles) } else { bench.pms.setFaults(profiles) }
  }

  /// Something that people do on either side.
  private func act(_ bench: EngineBench, _ step: Int, _ generator: inout SeededGenerator) throws {
    let side = Side.allCases.randomElement(using: &generator) ?? .pms
    let records = side == .invoiced ? bench.invoiced.customers : bench.pms.customers
    let id = records.randomElement(using: &generator)?["id"]?.identifier
    let text = JSONValue.string("step \(step)")
    guard let id, Int.random(in: 0..<5, using: &generator) > 0 else {
      try bench.edit(
        side, "POST", "/customers",
        side == .invoiced
          ? ["name": text, "number": .string("I-\(step)"), "type": "company"]
          : ["name": text, "customer_number": .string("P-\(step)"), "kind": "company"])
      return
    }
    let isSilent = Int.random(in: 0..<3, using: &generator) == 0
    switch Int.random(in: 0..<3, using: &generator) {
    case 0: try bench.change(side, id, ["name": text], silent: isSilent)
    case 1: try bench.change(side, id, ["notes": text], silent: isSilent)
    default:
      try bench.change(
        side, id, side == .invoiced ? ["city": text] : ["address": ["city": text]], silent: isSilent)
    }
  }
}
