import Documents
import Foundation
import JSON
import Mapping
import Testing

@testable import Simulation

private func simulator() throws -> (Simulator, Mapping) {
  let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let file = root.appending(path: "deploy/mapping.yaml").path
  let mapping = try #require(MappingDocument.read(path: file).mapping)
  return (try Simulator(mapping: mapping, variesPolicies: true), mapping)
}

@Suite("The simulation")
struct SimulationTests {
  @Test("runs the same way twice from one seed, and no two seeds alike")
  func isDeterministic() throws {
    let (simulator, _) = try simulator()
    var hashes: Set<UInt64> = []
    for seed in UInt64(1)...6 {
      let (first, second) = (simulator.run(seed), simulator.run(seed))
      #expect(first.hash == second.hash, "seed \(seed)")
      hashes.insert(first.hash)
    }
    #expect(hashes.count == 6)
  }

  @Test("converges", arguments: UInt64(1)...20)
  func converges(seed: UInt64) throws {
    let outcome = try simulator().0.run(seed)
    #expect(outcome.violation == nil)
  }

  @Test("what Invoiced sets by itself, and metadata as a whole, may be copied to the PMS", arguments: UInt64(1)...8)
  func copies(seed: UInt64) throws {
    let text = """
      flows:
        - name: all
          invoiced: { object: customer }
          pms: { entity: customer }
          match: [{ invoiced: number, pms: number }]
          properties:
            - { invoiced: name, pms: name, type: string }
            - { invoiced: metadata.tier, pms: tier, type: string }
            - { invoiced: metadata, pms: meta, type: N/A, direction: to_pms }
            - { invoiced: updated_at, pms: changed, type: datetime, convert: { unix: datetime }, direction: to_pms }
      """
    let mapping = try #require(MappingDocument.read(text: text, file: "mapping.yaml").mapping)
    #expect(try Simulator(mapping: mapping, variesPolicies: false).run(seed).violation == nil)
  }

  @Test("a day is made as short as it can be and still fails")
  func shrinks() throws {
    let (simulator, _) = try simulator()
    let day = simulator.scenario(3)
    let first = try #require(day.edits.first)
    var shrinker = Shrinker { scenario in
      let isFailing = scenario.edits.contains { $0.number == first.number }
      return Simulator.Outcome(
        seed: 3, violation: isFailing ? Violation(invariant: .pairDiffers, detail: "") : nil, hash: 0, passed: 0,
        steps: 1, lines: [])
    }
    let short = shrinker.shrink(day, breaking: .pairDiffers)
    #expect(short.edits.map(\.number) == [first.number])
    #expect(short.faults.isEmpty && short.crashes.isEmpty && short.outages.isEmpty && short.webhookFaults.isEmpty)
  }

  // The look at a record that an unanswered create had made failed: the link was kept, and the create never settled,
  // so that every new record of that side waited for it for ever.
  @Test("a create whose lookup succeeds and whose fetch then fails is settled later")
  func unansweredCreate() throws {
    let (simulator, mapping) = try simulator()
    var day = Scenario(seed: 1, mapping: mapping)
    day.edits = [
      Edit(
        number: 0, at: 1000, side: .pms, subject: 0,
        action: .create(body: ["kind": "company", "name": "Acme", "customer_number": "N-1"])),
      Edit(
        number: 1, at: 20_000, side: .invoiced, subject: 1,
        action: .create(body: ["type": "company", "name": "Fjord", "number": "N-2"])),
    ]
    // Reads of Invoiced: by reference, by number; of the new customer; the lookup by reference; the fetch.
    day.faults = [CallFault(number: 0, side: .invoiced, isWrite: true, ordinal: 1, kind: .lostAnswer)]
    for ordinal in 3...8 {
      var failing = day
      failing.faults.append(
        CallFault(number: 1, side: .invoiced, isWrite: false, ordinal: ordinal, kind: .gateway(503)))
      #expect(simulator.run(failing).violation == nil, "with read \(ordinal) failing")
    }
  }

  /// A create whose answer is lost, what becomes of its source before it is looked up, and another record.
  private static func lostCreate(_ mapping: Mapping, thenAtItsSource action: Edit.Action) -> Scenario {
    var day = Scenario(seed: 1, mapping: mapping)
    day.edits = [
      Edit(
        number: 0, at: 1000, side: .pms, subject: 0,
        action: .create(body: ["kind": "company", "name": "Acme", "customer_number": "N-1"])),
      Edit(number: 1, at: 5000, side: .pms, subject: 0, action: action),
      Edit(
        number: 2, at: 20_000, side: .invoiced, subject: 1,
        action: .create(body: ["type": "company", "name": "Fjord", "number": "N-2"])),
    ]
    day.faults = [CallFault(number: 0, side: .invoiced, isWrite: true, ordinal: 1, kind: .lostAnswer)]
    return day
  }

  // The record that an unanswered create had made was taken for another flow's, the create never settled, and every new
  // record of that side waited for it for ever.
  @Test("a create that went unanswered is found again after its source has come to fit another flow")
  func unansweredCreateOfAnotherFlow() throws {
    let (simulator, mapping) = try simulator()
    let day = Self.lostCreate(
      mapping, thenAtItsSource: .update(changes: [Assignment(JSONPath([.key("kind")]), "government")]))
    #expect(simulator.run(day).violation == nil)
  }

  @Test("a create that went unanswered is settled though its source is deleted meanwhile")
  func unansweredCreateOfDeleted() throws {
    let (simulator, mapping) = try simulator()
    let day = Self.lostCreate(mapping, thenAtItsSource: .delete)
    #expect(simulator.run(day).violation == nil)
  }

  // The form that the PMS had made of a value was taken for an invented one: what it was entered as went with the
  // absorbed record.
  @Test("the survivor of a merge gets its partner's values in the partner's own form")
  func mergeOfForms() throws {
    let (simulator, mapping) = try simulator()
    var day = Scenario(seed: 1, mapping: mapping)
    day.surroundings.normalises = true
    day.edits = [
      Edit(
        number: 0, at: 1000, side: .invoiced, subject: 0,
        action: .create(body: ["type": "company", "name": "Acme", "number": "N-1", "city": "  Oslo  "])),
      Edit(
        number: 1, at: 20_000, side: .invoiced, subject: 1,
        action: .create(body: ["type": "company", "name": "Fjord", "number": "N-2"]), isSilent: true),
      Edit(number: 2, at: 25_000, side: .invoiced, subject: 1, action: .merge(loser: 0)),
    ]
    #expect(simulator.run(day).violation == nil)
  }

  // The write was taken for one that might still fall on any later edit: of two edits in a row the first came back.
  // A customer that was made again under the id of one that was merged away sent the judge round for ever.
  @Test("two customers that were merged each into the other, one after the other, have one survivor")
  func mergedBothWays() throws {
    let (_, mapping) = try simulator()
    let flow = try #require(mapping.flows.first)
    let judge = Judge(Scenario(seed: 1, mapping: mapping))
    judge.merged("1", into: "2")
    judge.merged("2", into: "1")
    judge.left(["id": 1], from: nil, partner: nil, on: .invoiced, mapping)
    for id: JSONValue in [1, 2] {
      #expect(judge.wasAbandoned(["id": "C-1", "invoiced_id": id], on: .pms, flow))
    }
    #expect(!judge.wasAbandoned(["id": "C-1", "invoiced_id": 3], on: .pms, flow))
  }

  @Test("edits long after a write without an answer are none that it fell on")
  func unansweredWriteEnds() throws {
    let (simulator, mapping) = try simulator()
    let language = JSONPath([.key("language")])
    var day = Scenario(seed: 1, mapping: mapping)
    day.edits = [
      Edit(
        number: 0, at: 1000, side: .invoiced, subject: 0,
        action: .create(body: ["type": "company", "name": "Acme", "number": "N-1", "language": "ja"])),
      Edit(number: 1, at: 60_000, side: .pms, subject: 0, action: .update(changes: [Assignment(language, "sv")])),
      Edit(number: 2, at: 300_000, side: .invoiced, subject: 0, action: .update(changes: [Assignment(language, "de")])),
      Edit(number: 3, at: 300_003, side: .invoiced, subject: 0, action: .update(changes: [Assignment(language, "en")])),
    ]
    // Writes to Invoiced: the reference, and then the language.
    day.faults = [CallFault(number: 0, side: .invoiced, isWrite: true, ordinal: 2, kind: .lostAnswer)]
    // The first of the two edits is told after the second.
    day.webhookFaults = [WebhookFault(number: 0, side: .invoiced, ordinal: 4, kind: .delayed(2000))]
    #expect(simulator.run(day).violation == nil)
  }

  @Test(
    "the operator lets held deletes go, or keeps what is left, the same way each time", arguments: [true, false])
  func heldDeletes(areApproved: Bool) throws {
    let (simulator, mapping) = try simulator()
    var propagating = mapping
    for index in propagating.flows.indices { propagating.flows[index].pmsDeleted = .propagate }
    var day = Scenario(seed: 1, mapping: propagating)
    for subject in 0..<6 {
      let record: JSONValue = ["kind": "company", "name": "Acme", "customer_number": .string("N-\(subject)")]
      day.edits += [
        Edit(number: subject, at: 1000, side: .pms, subject: subject, action: .create(body: record)),
        Edit(number: 6 + subject, at: 300_000, side: .pms, subject: subject, action: .delete),
      ]
    }
    day.decisions = [Decision(number: 0, at: 600_000, kind: areApproved ? .approveDeletes : .rejectDeletes)]
    let outcome = simulator.run(day, isRecording: true)
    #expect(outcome.violation == nil)
    #expect(
      outcome.lines.contains { $0.contains("the operator \(areApproved ? "approve" : "reject")s 3 held deletes") })
    #expect(outcome.lines.count { $0.contains("invoiced <- DELETE") } == (areApproved ? 6 : 3))
    #expect(simulator.run(day).hash == outcome.hash)
  }

  @Test("the operator tries again what is parked")
  func parkedRetry() throws {
    let (simulator, mapping) = try simulator()
    var day = Scenario(seed: 1, mapping: mapping)
    for (number, side) in [Side.pms, .pms, .invoiced].enumerated() {
      // Two candidates for one customer: a person has to say which.
      let record: JSONValue =
        side == .pms
        ? ["kind": "company", "name": "Acme", "customer_number": "N-1"]
        : ["type": "company", "name": "Acme", "number": "N-1"]
      day.edits.append(
        Edit(number: number, at: 1000, side: side, subject: number, action: .create(body: record)))
    }
    day.decisions = [Decision(number: 0, at: 300_000, kind: .retryParked)]
    let outcome = simulator.run(day, isRecording: true)
    #expect(outcome.violation == nil)
    #expect(outcome.lines.contains { $0.contains("the operator tries 3 parked entries again") })
  }

  @Test("two hundred days hold every kind of edit and of trouble, and each of them often")
  func breadth() throws {
    let (simulator, _) = try simulator()
    var counts: [String: Int] = [:]
    func count(_ what: String, _ number: Int = 1) { counts[what, default: 0] += number }
    func kind(_ value: Any) -> String { String("\(value)".prefix { $0 != "(" }) }
    for seed in UInt64(1)...200 {
      let day = simulator.scenario(seed)
      for edit in day.edits {
        count("edit: \(kind(edit.action))")
        if edit.isSilent { count("edit without a webhook") }
      }
      let creates = day.edits.filter { if case .create = $0.action { true } else { false } }
      count("created on both sides at once", creates.count - Set(creates.map(\.subject)).count)
      for fault in day.faults { count("fault: \(kind(fault.kind))") }
      for fault in day.webhookFaults { count("webhook: \(kind(fault.kind))") }
      for decision in day.decisions { count("decision: \(kind(decision.kind))") }
      for crash in day.crashes {
        count("crash: \(kind(crash.moment))")
        if crash.mapping != nil { count("restart with another mapping") }
      }
      count("outage", day.outages.count)
      count("reconcile meanwhile", day.reconciles.count)
      count("full disk", day.storeFaults.count)
      count("normalising side", day.surroundings.normalises ? 1 : 0)
      count("wrong clock", day.surroundings.skews.count)
      for flow in day.mapping.flows.prefix(1) {
        count("conflict: \(flow.conflict.rawValue)")
        count("on_link: \(flow.onLink.rawValue)")
        count("on_leave: \(flow.onLeave.rawValue)")
        count("invoiced_deleted: \(flow.invoicedDeleted.rawValue)")
        count("pms_deleted: \(flow.pmsDeleted.rawValue)")
        if flow.live != .all { count("not live") }
        if flow.create != .both { count("not created everywhere") }
      }
    }
    let kinds: [String] =
      ["create", "update", "delete", "merge"].map { "edit: \($0)" }
      + [
        "refused", "lostRequest", "lostAnswer", "arrivesLate", "gateway", "tooMany", "serverError", "slow", "stale",
        "missingRow", "doubledRow", "emptyPage",
      ].map { "fault: \($0)" } + ["lost", "doubled", "delayed"].map { "webhook: \($0)" }
      + ["approveDeletes", "rejectDeletes", "retryParked"].map { "decision: \($0)" }
      + ["time", "commit", "write"].map { "crash: \($0)" }
      + ConflictPolicy.allCases.map { "conflict: \($0.rawValue)" }
      + LinkPolicy.allCases.map { "on_link: \($0.rawValue)" }
      + LeavePolicy.allCases.map { "on_leave: \($0.rawValue)" }
      + DeletePolicy.allCases.flatMap { ["invoiced_deleted: \($0.rawValue)", "pms_deleted: \($0.rawValue)"] }
      + [
        "edit without a webhook", "created on both sides at once", "restart with another mapping", "outage",
        "reconcile meanwhile", "full disk", "normalising side", "wrong clock", "not live", "not created everywhere",
      ]
    for kind in kinds { #expect(counts[kind, default: 0] >= 15, "\(kind)") }
  }
}
