import JSON
import Mapping
import Store
import Sync
import Testing

/// What every store does with events.
@Suite("A store's inbox")
struct InboxConformanceTests {
  @Test("stores an event once, and tells the first one's number again", arguments: Backend.allCases)
  func duplicates(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let first = try await bench.store.append(newEvent("a", body: #"{"id":1}"#))
    let id = try #require(first.id)
    #expect(first == .accepted(id: id))
    #expect(try await bench.store.append(newEvent("a", body: "other")) == .duplicate(id: id))
    #expect(try await bench.store.append(newEvent("a", pms("1"))) != .duplicate(id: id))
    let stored = try #require(try await bench.store.event(id))
    #expect(stored.event.body == Array(#"{"id":1}"#.utf8))
    #expect(stored.state == .waiting && stored.attempts == 0 && stored.dueAt == at(1000))
    #expect(stored.key == invoiced("1"))
  }

  @Test("compares event ids as bytes", arguments: Backend.allCases)
  func bytes(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    for id in ["caf\u{E9}", "cafe\u{301}", "CAFE", "a\u{0}b", "a\u{0}c", "a", ""] {
      let receipt = try await bench.store.append(newEvent(id, body: ""))
      #expect(receipt == .accepted(id: try #require(receipt.id)))
      #expect(try await bench.store.event(try #require(receipt.id))?.event.eventID.utf8.elementsEqual(id.utf8) == true)
      #expect(try await bench.store.event(try #require(receipt.id))?.event.body == [])
    }
  }

  @Test("stores each of many concurrent events once", arguments: Backend.allCases)
  func concurrent(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    let receipts = try await withThrowingTaskGroup(of: Receipt.self) { group in
      for index in 0..<2000 { group.addTask { try await store.append(newEvent("e\(index / 2)")) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    let accepted = receipts.filter { if case .accepted = $0 { true } else { false } }
    #expect(accepted.count == 1000)
    #expect(Set(receipts.compactMap(\.id)).count == 1000)
    #expect(try await store.counts().events[.waiting] == 1000)
  }

  @Test("has an event when its completion runs", arguments: Backend.allCases)
  func completion(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let receipt = await withCheckedContinuation { continuation in
      bench.store.append(newEvent("a")) { continuation.resume(returning: $0) }
    }
    #expect(try await bench.store.event(try #require(try receipt.get().id)) != nil)
  }

  @Test("names records whose work is due, the longest due first", arguments: Backend.allCases)
  func due(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    let late = try await store.append(newEvent("a", invoiced("late"), at: 10))
    _ = try await store.append(newEvent("b", invoiced("x"), at: 20))
    _ = try await store.append(newEvent("c", pms("x"), at: 30))
    _ = try await store.append(newEvent("d", invoiced("x"), at: 40))
    _ = try await store.append(newEvent("e", invoiced("y"), at: 50))
    _ = try await store.append(newEvent("f", invoiced("z"), at: 5, state: .ignored))
    var work = try await store.due(by: at(40), limit: 10)
    #expect(work.keys == [invoiced("late"), invoiced("x"), pms("x")])
    #expect(work.next == at(50))
    #expect(try await store.due(by: at(40), limit: 2).keys == [invoiced("late"), invoiced("x")])

    try await store.commit {
      $0.events = [
        EventOutcome(id: late.id ?? 0, state: .retrying, attempts: 1, dueAt: at(45), reason: "503", at: at(41))
      ]
    }
    work = try await store.due(by: at(45), limit: 10)
    #expect(work.keys == [invoiced("x"), pms("x"), invoiced("late")])
    let event = try #require(try await store.event(late.id ?? 0))
    #expect(event.state == .retrying && event.attempts == 1 && event.reason == "503" && event.finishedAt == nil)

    try await store.commit {
      $0.events = [EventOutcome(id: late.id ?? 0, state: .done, attempts: 2, at: at(46))]
    }
    #expect(try await store.due(by: at(45), limit: 10).keys == [invoiced("x"), pms("x")])
    let done = try #require(try await store.event(late.id ?? 0))
    #expect(done.state == .done && done.dueAt == nil && done.finishedAt == at(46))
    #expect(try await store.append(newEvent("a", invoiced("late"))) == .duplicate(id: late.id ?? 0))
  }

  @Test("lists events newest first, in pages, by every filter", arguments: Backend.allCases)
  func lists(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    for index in 0..<25 {
      let side: Side = index % 5 == 0 ? .pms : .invoiced
      _ = try await store.append(
        newEvent(
          "e\(index)", RecordKey(side, RecordID("r\(index % 3)")), at: Int64(index),
          type: index % 2 == 0 ? "even" : "odd",
          state: index % 4 == 0 ? .ignored : index % 7 == 1 ? .parked : .waiting))
    }
    var flowState = RecordState(key: invoiced("r1"), firstSeenAt: at(0))
    flowState.flow = "guests"
    try await store.commit { $0.records = [flowState] }

    var seen: [String] = []
    var query = ListQuery(limit: 10)
    repeat {
      let page = try await store.events(query)
      seen += page.items.map(\.event.eventID)
      query.after = page.next
    } while query.after != nil
    #expect(seen == (0..<25).reversed().map { "e\($0)" })

    func indexes(_ fill: (inout ListQuery) -> Void) async throws -> [Int] {
      var query = ListQuery()
      fill(&query)
      return try await store.events(query).items.compactMap { Int($0.event.eventID.dropFirst()) }.reversed()
    }
    func expected(_ test: (Int) -> Bool) -> [Int] { (0..<25).filter(test) }
    #expect(try await indexes { $0.side = .pms } == expected { $0 % 5 == 0 })
    #expect(try await indexes { $0.type = "odd" } == expected { $0 % 2 == 1 })
    #expect(try await indexes { $0.state = "ignored" } == expected { $0 % 4 == 0 })
    #expect(try await indexes { $0.state = "parked" } == expected { $0 % 4 != 0 && $0 % 7 == 1 })
    #expect(try await indexes { $0.state = "waiting" } == expected { $0 % 4 != 0 && $0 % 7 != 1 })
    #expect(try await indexes { $0.state = "nonsense" } == [])
    #expect(try await indexes { $0.record = "r2" } == expected { $0 % 3 == 2 })
    #expect(
      try await indexes {
        $0.record = "r2"
        $0.side = .pms
      } == expected { $0 % 3 == 2 && $0 % 5 == 0 })
    #expect(try await indexes { $0.flow = "guests" } == expected { $0 % 3 == 1 && $0 % 5 != 0 })
    #expect(try await indexes { $0.eventID = "e7" } == [7])
    #expect(try await indexes { $0.eventID = "none" } == [])
    #expect(
      try await indexes {
        $0.since = at(5)
        $0.until = at(8)
      } == [5, 6, 7, 8])

    let counts = try await store.counts()
    #expect(counts.events[.waiting] == expected { $0 % 4 != 0 && $0 % 7 != 1 }.count)
    #expect(counts.events[.parked] == expected { $0 % 4 != 0 && $0 % 7 == 1 }.count)
    #expect(counts.oldestPending == at(2))
  }

  @Test("drops what is old and finished, whose ids may then come again", arguments: Backend.allCases)
  func prune(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let old = try await bench.store.append(newEvent("old", at: 10, state: .ignored))
    let open = try await bench.store.append(newEvent("open", at: 10))
    let young = try await bench.store.append(newEvent("young", at: 30, state: .ignored))
    try await bench.store.commit { $0.history = [newHistory(at: 10), newHistory(at: 30)] }
    try await bench.store.prune(events: at(20), history: at(20))
    #expect(try await bench.store.event(old.id ?? 0) == nil)
    #expect(try await bench.store.events(ListQuery()).items.map(\.id) == [young.id, open.id])
    #expect(try await bench.store.history(ListQuery()).items.map(\.at) == [at(30)])
    try await bench.store.prune(events: at(100), history: at(100))
    if backend.outlivesItself { try await bench.reopen() }
    let again = try await bench.store.append(newEvent("young"))
    #expect(again == .accepted(id: (young.id ?? 0) + 1))
  }

  @Test("drops what waits for a person in vain, and keeps what is held", arguments: Backend.allCases)
  func pruneOpen(_ backend: Backend) async throws {
    let store = try Bench(backend).store
    var ids: [Int64] = []
    for (name, record, time) in [
      ("left", invoiced("1"), 10), ("held", invoiced("2"), 10), ("young", invoiced("1"), 30), ("loose", nil, 10),
      ("gone", nil, 10),
    ] as [(String, RecordKey?, Int64)] {
      ids.append(try #require(try await store.append(newEvent(name, record, at: time, state: .parked)).id))
    }
    var loose = newHold(.parked, .unreadable, nil)
    loose.event = ids[3]
    var gone = newHold(.parked, .unreadable, nil)
    (gone.event, gone.state) = (ids[4], .discarded)
    let holds = [newHold(.parked, .misfit, invoiced("2")), loose, gone]
    try await store.commit { $0.holds = holds }
    try await store.prune(events: at(20), history: at(20))
    #expect(try await store.events(ListQuery()).items.map(\.id) == [ids[3], ids[2], ids[1]])
    var query = ListQuery()
    query.state = "discarded"
    #expect(try await store.holds(.parked, query).items.isEmpty)
  }
}
