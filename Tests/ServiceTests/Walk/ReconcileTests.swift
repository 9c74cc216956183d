import Connectors
import Foundation
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("Rule 21: reconcile", .timeLimit(.minutes(3)), .serialized) struct ReconcileTests {
  @Test("a backfill links and creates, and walks after it write nothing and hand nothing to the workers")
  func backfill() async throws {
    try await WalkBench.with { bench in
      for number in 1...7 { try bench.company(number) }
      _ = try bench.pms.create(["name": "Company 3", "customer_number": "C-3", "kind": "company"], silent: true)
      _ = try bench.pms.create(["name": "Only here", "customer_number": "P-1", "kind": "company"], silent: true)
      let first = try await bench.walk(.backfill(flow: nil))
      #expect(first.state == .done && first.changed >= 8 && first.waiting == 0, "\(first)")
      #expect(bench.pms.system.customers.count == 8 && bench.invoiced.system.customers.count == 8)
      let before = bench.pushes
      for isFull in [true, true, false, false] {
        let again = try await bench.reconcile(full: isFull)
        #expect(again.state == .done && again.changed == 0 && again.missing == 0, "\(again)")
      }
      #expect(bench.pushes == before)
      #expect(try await bench.store.links(ListQuery()).items.count == 8)
    }
  }

  @Test("an edit whose webhook was lost is found on either side, by what changed alone")
  func lostWebhook() async throws {
    try await WalkBench.with { bench in
      let record = try bench.company(1)
      _ = try await bench.reconcile(full: true)
      let id = record["id"]?.identifier ?? ""
      let partner = try #require(bench.pms.system.customers.first?["id"]?.identifier)
      try bench.invoiced.update(id, ["name": "Renamed"], silent: true)
      var progress = try await bench.reconcile()
      #expect(progress.changed >= 1 && progress.pushed == 1, "\(progress)")
      #expect(bench.pms.system.customers.first?["name"] == "Renamed")
      try bench.pms.update(partner, ["notes": "from the PMS"], silent: true)
      progress = try await bench.reconcile()
      #expect(progress.pushed == 1 && bench.invoiced.system.customers.first?["notes"] == "from the PMS")
      #expect(try await bench.reconcile().changed == 0)
    }
  }

  @Test("a delete that nobody told of is found by its absence, and confirmed")
  func deleted() async throws {
    try await WalkBench.with { bench in
      for number in 1...3 { try bench.company(number) }
      _ = try await bench.reconcile(full: true)
      let partner = try #require(bench.pms.system.customers.first?["id"]?.identifier)
      try bench.pms.delete(partner, silent: true)
      let progress = try await bench.reconcile(full: true)
      #expect(progress.missing == 1 && progress.waiting == 0, "\(progress)")
      #expect(try await bench.store.record(RecordKey(.pms, RecordID(partner)))?.presence == .gone)
      #expect(try await bench.store.links(ListQuery()).items.count { $0.state == .ended } == 1)
      #expect(try await bench.reconcile(full: true).missing == 0)
    }
  }

  @Test("a side that is down fails the walk, moves no bookmark, and the next walk finds what it missed")
  func down() async throws {
    try await WalkBench.with { bench in
      let id = try bench.company(1)["id"]?.identifier ?? ""
      _ = try await bench.reconcile(full: true)
      let bookmark = try await bench.store.value(WalkName.bookmark(.invoiced))
      try bench.invoiced.update(id, ["name": "Meanwhile"], silent: true)
      bench.invoiced.system.setOutage(.unavailable)
      let failed = try await bench.reconcile()
      #expect(failed.state == .failed && failed.reasons.joined().contains("503"), "\(failed)")
      #expect(try await bench.store.value(WalkName.bookmark(.invoiced)) == bookmark)
      bench.invoiced.system.setOutage(nil)
      while bench.core.context.gate(.invoiced).closedReason != nil { try await Task.sleep(for: .milliseconds(5)) }
      #expect(try await bench.reconcile().state == .done)
      #expect(bench.pms.system.customers.first?["name"] == "Meanwhile")
      #expect(try await bench.store.value(WalkName.bookmark(.invoiced)) != bookmark)
    }
  }

  @Test("a full pass whose page fails keeps its place, also over a restart, and goes on from there")
  func resumes() async throws {
    try await WalkBench.with(customers: 450) { bench in
      // The third page isn't answered.
      let place = WalkName.place(.reconcile(full: true), .invoiced)
      let run = bench.core.engine.walks.start(.reconcile(full: true))
      while run.progress.rows[.invoiced, default: 0] < 200 { await Task.yield() }
      bench.invoiced.system.setOutage(.unavailable)
      while !run.isOver { try await Task.sleep(for: .milliseconds(5)) }
      guard run.progress.state == .failed else { return }
      let kept = try #require(try await bench.store.value(place).flatMap { PassPlace(text: $0) })
      #expect(kept.rows >= 200 && kept.cursor != nil)
      bench.invoiced.system.setOutage(nil)
      let again = try await bench.reopened()
      bench.invoiced.system.clearStats()
      let progress = try await again.reconcile(full: true)
      #expect(progress.state == .done && progress.rows[.invoiced] == 450, "\(progress)")
      #expect(try await again.store.value(place) == nil)
      let companies = bench.invoiced.system.customers.count { $0["type"] == "company" }
      // What waited for the side that was down is tried again a minute later at the latest.
      #expect(bench.pms.system.customers.count + progress.waiting >= companies, "\(progress)")
      #expect(try await again.reconcile(full: true).changed == 0)
      await again.closeStore()
    }
  }

  @Test(
    "a pass that goes on after a break sees what changed meanwhile on the pages before it", arguments: [true, false])
  func changedDuringBreak(listsChanges: Bool) async throws {
    let extra = listsChanges ? "" : "list: { updated_since: null }"
    try await WalkBench.with(entity: extra) { bench in
      for number in 1...3 { try bench.company(number) }
      _ = try await bench.reconcile(full: true)
      #expect(bench.core.context.connector(.pms).abilities.canListChanges == listsChanges)
      var place = PassPlace()
      try await bench.atTheEnd(&place)
      for number in 0...place.newest { place.seen.insert(number) }
      let partner = try #require(bench.pms.system.customers.first?["id"]?.identifier)
      try bench.pms.update(partner, ["notes": "meanwhile"], silent: true)
      try await bench.store.setValue(place.text, for: WalkName.place(.reconcile(full: true), .pms))
      let progress = try await bench.reconcile(full: true)
      #expect(progress.state == .done && progress.pushed == 1, "\(progress)")
      #expect(bench.invoiced.system.customers.contains { $0["notes"] == "meanwhile" })
      #expect(try await bench.reconcile(full: true).changed == 0)
    }
  }

  @Test("a pass that was broken off long ago begins anew, and misses nothing that was deleted since")
  func oldPlace() async throws {
    try await WalkBench.with { bench in
      for number in 1...3 { try bench.company(number) }
      _ = try await bench.reconcile(full: true)
      var place = PassPlace()
      try await bench.atTheEnd(&place)
      for number in 0...place.newest { place.seen.insert(number) }
      place.keptAt = bench.core.context.clock.now.adding(.seconds(-301))
      let partner = try #require(bench.pms.system.customers.first?["id"]?.identifier)
      try bench.pms.delete(partner, silent: true)
      try await bench.store.setValue(place.text, for: WalkName.place(.reconcile(full: true), .pms))
      let progress = try await bench.reconcile(full: true)
      #expect(progress.state == .done && progress.missing == 1, "\(progress)")
    }
  }

  @Test("a moment's trouble breaks off neither a walk nor an audit", arguments: [502, 429, 0])
  func momentsTrouble(status: Int) async throws {
    try await WalkBench.with { bench in
      try bench.company(1)
      for side in Side.allCases { bench.page(side, "fail", ["next": 3, "status": .number(JSONNumber(status))]) }
      #expect(try await bench.reconcile(full: true).state == .done)
      for side in Side.allCases { bench.page(side, "fail", ["next": 3, "status": .number(JSONNumber(status))]) }
      var audit = try Audit(bench.core.context, flow: nil)
      #expect(try await audit.report().agrees)
    }
  }

  @Test("a listing that comes back empty deletes nothing")
  func emptyListing() async throws {
    try await WalkBench.with { bench in
      for number in 1...6 { try bench.company(number) }
      _ = try await bench.reconcile(full: true)
      // No row is seen, as if every page had been empty.
      var place = PassPlace()
      try await bench.atTheEnd(&place)
      try await bench.store.setValue(place.text, for: WalkName.place(.reconcile(full: true), .pms))
      let before = bench.pushes
      let progress = try await bench.reconcile(full: true)
      #expect(progress.missing == 6 && progress.waiting == 0 && bench.pushes == before, "\(progress)")
      #expect(try await bench.store.links(ListQuery()).items.allSatisfy { $0.state == .active })
      #expect(try await bench.reconcile(full: true).missing == 0)
    }
  }

  @Test("what is kept apart, parked or not let by the flow isn't taken up again and again")
  func settled() async throws {
    let mapping = AdminBench.mapping.replacing("conflict: manual", with: "conflict: manual\n    create: pms")
    try await WalkBench.with(mapping: mapping) { bench in
      try bench.company(1)
      // One with two candidates is parked, one of the PMS alone isn't created.
      try bench.company(2)
      for _ in 1...2 {
        _ = try bench.pms.create(["name": "Company 2", "customer_number": "C-2", "kind": "company"], silent: true)
      }
      _ = try bench.pms.create(["name": "Alone", "customer_number": "P-9", "kind": "company"], silent: true)
      let first = try await bench.reconcile(full: true)
      #expect(first.parked >= 1, "\(first)")
      let before = bench.pushes
      for isFull in [true, false] {
        let again = try await bench.reconcile(full: isFull)
        #expect(again.changed == 0 && again.missing == 0, "\(again)")
      }
      #expect(bench.pushes == before)
    }
  }

  @Test("when a flow is raised from observing, the next full pass does what was held back")
  func raised() async throws {
    let observing = AdminBench.mapping.replacing("conflict: manual", with: "conflict: manual\n    live: observe")
    try await WalkBench.with(mapping: observing) { bench in
      try bench.company(1)
      _ = try await bench.reconcile(full: true)
      #expect(bench.pushes == 0)
      #expect(try await bench.reconcile(full: true).changed == 0)
      let again = try await bench.reopened()
      let progress = try await again.reconcile(full: true)
      #expect(progress.changed >= 1 && bench.pms.system.customers.count == 1, "\(progress)")
      await again.closeStore()
    }
  }
}

@Suite("Reconcile and work that waits", .timeLimit(.minutes(1))) struct SightingJudgeTests {
  @Test("a pair whose other record's event waits isn't taken up before its time")
  func waits() throws {
    let mapping = try EngineBench.read(EngineBench.mapping())
    let (invoiced, pms) = (RecordKey(.invoiced, RecordID("1")), RecordKey(.pms, RecordID("C-1")))
    let now = Timestamp(milliseconds: 1_772_366_400_000)
    func state(_ key: RecordKey, _ record: JSONValue) -> RecordState {
      var state = RecordState(key: key, firstSeenAt: now)
      state.presence = .alive
      state.last = Observation(
        key: key, record: record, version: Version(seconds: 1_772_366_000), source: .fetch, seenAt: now)
      return state
    }
    var unit = UnitState()
    unit.link = Link(flow: "companies", invoiced: invoiced.id, pms: pms.id, createdAt: now)
    unit.records = [
      invoiced: state(invoiced, ["id": 1, "name": "Edited", "type": "company"]),
      pms: state(pms, ["id": "C-1", "name": "Acme", "kind": "company"]),
    ]
    let judge = SightingJudge(
      mapping: mapping, idPaths: [.invoiced: JSONPath([.key("id")]), .pms: JSONPath([.key("id")])], clockOffset: .zero)
    let row = try #require(unit.records[pms]?.last)
    #expect(judge.needsWork(row, unit), "the two differ, and nobody has them in hand")
    let event = NewEvent(
      side: .invoiced, eventID: "7", type: "customer.updated", kind: .updated, origin: .webhook, record: invoiced.id,
      body: [], receivedAt: now)
    unit.events = [
      StoredEvent(
        id: 1, event: event, state: .retrying, attempts: 1, dueAt: now.adding(.seconds(600)), reason: nil,
        finishedAt: nil)
    ]
    #expect(!judge.needsWork(row, unit))
  }
}
