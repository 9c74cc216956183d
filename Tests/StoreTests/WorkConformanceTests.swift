import JSON
import Mapping
import Store
import Sync
import Testing

/// What every store does with the engine's work.
@Suite("A store's work")
struct WorkConformanceTests {
  private func filledLink() -> Link {
    var link = Link(flow: "guests", invoiced: RecordID("1"), pms: RecordID("p1"), createdAt: at(1))
    link.agreed = [
      "name": AgreedPair(invoiced: "Ann", pms: "ann", fingerprint: "f"),
      "absent": AgreedPair(invoiced: nil, pms: .null, fingerprint: ""),
      "base": AgreedPair(invoiced: .null, pms: nil, fingerprint: "f", isBaseOnly: true),
    ]
    link.invoicedEdits = ["name": Edit(at: at(4), value: nil), "null": Edit(at: at(5), value: .null)]
    link.pmsEdits = ["name": Edit(at: at(6), value: ["deep": [1, true]])]
    link.invoicedReference = RecordID("p1")
    link.reason = "since"
    var write = OwnWrite(
      side: .invoiced, row: nil, path: JSONPath("metadata")!, former: .null, sent: ["a": "1"], stands: nil,
      read: Version(nanoseconds: 5), left: nil, readAt: at(7), isGuarded: false)
    write.recovered = [["a", .null]]
    link.writes = [write]
    link.late = [
      LateWrite(
        side: .invoiced, row: "name=name", sent: "Late", sentAt: Timestamp(milliseconds: 1),
        until: Timestamp(milliseconds: 60_001))
    ]
    link.overwritten = [
      Overwritten(side: .pms, row: "name", path: JSONPath("n")!, value: .null, over: ["x", .null], isLast: true)
    ]
    link.loops = ["name": [at(8), at(9)]]
    return link
  }

  private func filledRecord(_ key: RecordKey) -> RecordState {
    var record = RecordState(key: key, firstSeenAt: at(2))
    record.presence = .alive
    record.last = Observation(
      key: key, record: ["id": "1", "price": .number(JSONNumber(validating: "1.10")!)],
      version: Version(nanoseconds: 77), etag: "\"e\"", source: .fetch, seenAt: at(3))
    record.wasFetched = true
    record.apart = "is a duplicate"
    record.flow = "guests"
    record.doubtSince = at(8)
    record.goneAt = at(9)
    record.failingSince = at(10)
    record.serverErrors = 3
    return record
  }

  @Test("gives back a unit as it was stored, asked for from either side", arguments: Backend.allCases)
  func unit(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let records = [filledRecord(invoiced("1")), filledRecord(pms("p1"))]
    var push = newPush(.update)
    push.properties = [
      Push.Property(row: "name", path: JSONPath("a.b[1]")!, former: nil, sent: .null, source: .null),
      Push.Property(row: nil, path: JSONPath("c")!, former: .null, sent: "x", source: nil),
    ]
    push.event = 4
    push.state = .doubted
    push.read = Version(nanoseconds: 9)
    push.metadata = ["segment": "A"]
    var hold = newHold(.conflict, .conflict, pms("p1"))
    hold.row = "name"
    hold.property = "guest.name"
    hold.invoiced = .null
    hold.pms = nil
    hold.invoicedID = RecordID("1")
    hold.event = 6
    var changes = Changes()
    changes.records = records
    changes.links = [filledLink()]
    changes.pushes = [push]
    changes.holds = [hold]
    changes.followUps = [newEvent("f", pms("p1")), newEvent("other", pms("p2"))]
    let committed = try await bench.store.commit(changes)
    let link = try #require(committed.link)
    if backend.outlivesItself { try await bench.reopen() }

    for key in [invoiced("1"), pms("p1")] {
      let unit = try await bench.store.unit(of: key)
      var expectedLink = filledLink()
      expectedLink.id = link
      #expect(unit.link == expectedLink)
      #expect(unit.records == [records[0].key: records[0], records[1].key: records[1]])
      #expect(unit.events.map(\.event.eventID) == ["f"])
      push.id = try #require(committed.pushes.first)
      #expect(unit.pushes == [push])
      hold.id = try #require(committed.holds.first)
      #expect(unit.holds == [hold])
    }
    let alone = try await bench.store.unit(of: pms("p2"))
    #expect(alone.link == nil && alone.records.isEmpty && alone.events.count == 1 && alone.holds.isEmpty)
    #expect(try await bench.store.record(invoiced("1")) == records[0])
    #expect(try await bench.store.record(pms("none")) == nil)
    #expect(try await bench.store.link(link)?.flow == "guests")
    #expect(try await bench.store.hold(hold.id) == hold)
  }

  @Test("lets one create claim a key, and a record be linked once", arguments: Backend.allCases)
  func claims(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    let claim = Push.Claim(flow: "guests", key: "email", value: "\"a@b.c\"")
    let first = newPush(.create, source: invoiced("1"), target: nil, claims: [claim])
    let id = try #require(try await store.commit { $0.pushes = [first] }.pushes.first)
    let rival = newPush(.create, source: pms("9"), target: nil, claims: [claim])
    await #expect(throws: StoreError.claimed) {
      try await store.commit {
        $0.pushes = [rival]
        $0.records = [RecordState(key: pms("9"), firstSeenAt: at(1))]
      }
    }
    #expect(try await store.record(pms("9")) == nil)
    await #expect(throws: StoreError.claimed) {
      try await store.commit { $0.pushes = [newPush(.create, source: invoiced("1"), target: nil)] }
    }
    #expect(try await store.creates(claiming: [claim], sources: []).map(\.id) == [id])
    #expect(try await store.creates(claiming: [], sources: [pms("9"), invoiced("1")]).map(\.claims) == [[claim]])
    #expect(try await store.unansweredCreates(on: .pms).map(\.id) == [id])
    var unanswered = first
    unanswered.id = id
    unanswered.state = .unanswered
    try await store.commit { $0.pushes = [unanswered] }
    #expect(try await store.unansweredCreates(on: .pms) == [unanswered])
    #expect(try await store.unansweredCreates(on: .invoiced).isEmpty)
    #expect(try await store.unsettledPushes() == [unanswered])
    try await store.commit { $0.settledPushes = [id] }
    #expect(try await store.unsettledPushes().isEmpty)
    try await store.commit { $0.pushes = [rival] }

    let link = try #require(try await store.commit { $0.links = [filledLink()] }.link)
    let second = Link(flow: "guests", invoiced: RecordID("2"), pms: RecordID("p1"), createdAt: at(3))
    await #expect(throws: StoreError.claimed) { try await store.commit { $0.links = [second] } }
    var ended = filledLink()
    ended.id = link
    ended.state = .ended
    ended.endedAt = at(5)
    try await store.commit { $0.links = [second, ended] }
    #expect(try await store.unit(of: pms("p1")).link?.invoiced == RecordID("2"))
    #expect(try await store.unit(of: invoiced("1")).link == nil)
    #expect(try await store.counts().activeLinks == ["guests": 1])
  }

  @Test("one change's failure is its own", arguments: Backend.allCases)
  func failureIsItsOwn(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    let outcomes = await withTaskGroup(of: Bool.self) { group in
      for index in 0..<300 {
        group.addTask {
          let claim = Push.Claim(flow: "guests", key: "email", value: "\(index % 100)")
          let push = newPush(.create, source: pms("\(index)"), target: nil, claims: [claim])
          return
            (try? await store.commit {
              $0.pushes = [push]
              $0.followUps = [newEvent("follow \(index)")]
            }) != nil
        }
        group.addTask { (try? await store.append(newEvent("e\(index)"))) != nil }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(outcomes.filter { $0 }.count == 400)
    #expect(try await store.counts().events[.waiting] == 400)
    #expect(try await store.unsettledPushes().count == 100)
    let again = try await store.append(newEvent("e7"))
    #expect(again == .duplicate(id: again.id ?? 0))
  }

  @Test("files a hold once for a record, kind, cause and row", arguments: Backend.allCases)
  func holds(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    let id = try #require(try await store.commit { $0.holds = [newHold(at: 10)] }.holds.first)
    var again = newHold(at: 20)
    again.basis = "new"
    again.pms = "x"
    #expect(try await store.commit { $0.holds = [again] }.holds == [id])
    again.id = id
    again.at = at(10)
    again.attempts = 2
    #expect(try await store.hold(id) == again)

    var row = newHold(at: 30)
    row.row = "r"
    var discarded = newHold(.parked, .refused, pms("2"))
    discarded.state = .discarded
    var loose = newHold(.parked, .unreadable, nil)
    loose.event = 5
    try await store.commit { $0.holds = [row, newHold(.conflict), discarded, loose] }
    try await store.commit { $0.holds = [loose] }
    #expect(try await store.counts().openHolds == [.parked: 3, .conflict: 1])
    let open = try await store.holds(.parked, ListQuery()).items
    #expect(open.map(\.cause) == [.misfit, .misfit, .unreadable])
    #expect(open.map(\.attempts) == [2, 1, 2])
    func causes(_ fill: (inout ListQuery) -> Void) async throws -> [Hold.Cause] {
      var query = ListQuery()
      fill(&query)
      return try await store.holds(.parked, query).items.map(\.cause)
    }
    #expect(try await causes { $0.state = "discarded" } == [.refused])
    #expect(try await causes { $0.side = .invoiced } == [.misfit, .misfit])
    #expect(try await causes { $0.type = "unreadable" } == [.unreadable])
    #expect(try await causes { $0.record = "1" } == [.misfit, .misfit])
    #expect(try await causes { $0.flow = "none" } == [])
    #expect(try await causes { $0.since = at(25) } == [.misfit])
    #expect(try await causes { $0.limit = 1 } == [.misfit])
    try await store.commit { $0.closedHolds = [id] }
    #expect(try await store.hold(id) == nil)
  }

  // The one filed anew took the closed one's place, and was closed with it.
  @Test("keeps a hold that is filed anew as the same one is closed", arguments: Backend.allCases)
  func holdFiledAnew(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let id = try #require(try await bench.store.commit { $0.holds = [newHold()] }.holds.first)
    var anew = newHold()
    anew.basis = "another question"
    try await bench.store.commit {
      $0.holds = [anew]
      $0.closedHolds = [id]
    }
    #expect(try await bench.store.holds(anew.kind, ListQuery()).items.map(\.basis) == ["another question"])
  }

  @Test(
    "events that wait for a person are done when nothing of their record is held any more", arguments: Backend.allCases)
  func openEvents(_ backend: Backend) async throws {
    let store = try Bench(backend).store
    var link = Link(flow: "guests", invoiced: RecordID("1"), pms: RecordID("p1"), createdAt: at(5))
    link.id = try #require(try await store.commit { $0.links = [link] }.link)
    var ids: [Int64] = []
    for (name, record, state) in [
      ("a", invoiced("1"), EventState.parked), ("b", pms("p1"), .conflict), ("c", invoiced("2"), .held),
      ("d", invoiced("3"), .parked), ("e", invoiced("1"), .waiting),
    ] {
      ids.append(try #require(try await store.append(newEvent(name, record, state: state)).id))
    }
    let unreadable = try #require(try await store.append(newEvent("f", nil, state: .parked)).id)
    ids.append(unreadable)
    func states() async throws -> [EventState] {
      var states: [EventState] = []
      for id in ids { states.append(try #require(try await store.event(id)).state) }
      return states
    }
    var other = newHold(.conflict)
    other.link = link.id
    other.pmsID = link.pms
    var loose = newHold(.parked, .unreadable, nil)
    loose.event = unreadable
    var third = newHold(.parked, .misfit, invoiced("3"))
    let holds = try await store.commit { $0.holds = [newHold(), other, loose, third] }.holds
    try await store.commit { $0.closedHolds = [holds[0]] }
    #expect(try await states() == [.parked, .conflict, .held, .parked, .waiting, .parked], "another hold is open")
    try await store.commit {
      $0.closedHolds = [holds[1]]
      $0.history = [newHistory(at: 70)]
    }
    #expect(try await states() == [.done, .done, .held, .parked, .waiting, .parked])
    #expect(try await store.event(ids[0])?.finishedAt == at(70))
    (third.id, third.state) = (holds[3], .discarded)
    (loose.id, loose.state) = (holds[2], .discarded)
    let discarded = [third, loose]
    try await store.commit { $0.holds = discarded }
    #expect(try await states() == [.done, .done, .held, .done, .waiting, .done])
    try await store.commit { $0.finished = [invoiced("2")] }
    #expect(try await states() == [.done, .done, .done, .done, .waiting, .done])
    try await store.commit {
      $0.holds = [newHold()]
      $0.closedHolds = []
      $0.events = [EventOutcome(id: ids[4], state: .parked, attempts: 1, at: at(80))]
      $0.finished = [invoiced("1")]
    }
    #expect(try await states().suffix(2) == [.parked, .done], "it was parked anew")
  }

  @Test("lists links oldest first and history newest first, in pages, by every filter", arguments: Backend.allCases)
  func lists(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    for index in 0..<12 {
      var link = Link(
        flow: index % 2 == 0 ? "even" : "odd", invoiced: RecordID("i\(index)"), pms: RecordID("p\(index / 2)"),
        createdAt: at(Int64(index)))
      link.state = index % 2 == 0 ? .ended : index == 3 ? .asleep : .active
      var entry = newHistory(index % 3 == 0 ? .agreed : .pushed, "i\(index)", "p\(index / 2)", at: Int64(index))
      entry.flow = link.flow
      entry.side = index % 2 == 0 ? .pms : nil
      entry.old = index % 2 == 0 ? .null : nil
      entry.new = ["x"]
      entry.property = "p"
      try await store.commit {
        $0.links = [link]
        $0.history = [entry]
      }
    }
    func links(_ fill: (inout ListQuery) -> Void) async throws -> [Int] {
      var query = ListQuery(limit: 5)
      fill(&query)
      var found: [Int] = []
      repeat {
        let page = try await store.links(query)
        found += page.items.map { Int($0.createdAt.milliseconds) }
        query.after = page.next
      } while query.after != nil
      return found
    }
    #expect(try await links { _ in } == Array(0..<12))
    #expect(try await links { $0.flow = "odd" } == [1, 3, 5, 7, 9, 11])
    #expect(try await links { $0.state = "asleep" } == [3])
    #expect(try await links { $0.state = "ended" } == [0, 2, 4, 6, 8, 10])
    #expect(try await links { $0.record = "p2" } == [4, 5])
    #expect(
      try await links {
        $0.record = "p2"
        $0.side = .invoiced
      } == [])
    #expect(try await links { $0.since = at(10) } == [10, 11])
    #expect(try await store.counts().activeLinks == ["odd": 5])

    func history(_ fill: (inout ListQuery) -> Void) async throws -> [Int] {
      var query = ListQuery(limit: 5)
      fill(&query)
      var found: [Int] = []
      repeat {
        let page = try await store.history(query)
        found += page.items.map { Int($0.at.milliseconds) }
        query.after = page.next
      } while query.after != nil
      return found
    }
    #expect(try await history { _ in } == (0..<12).reversed())
    #expect(try await history { $0.type = "agreed" } == [9, 6, 3, 0])
    #expect(try await history { $0.flow = "even" } == [10, 8, 6, 4, 2, 0])
    #expect(try await history { $0.side = .pms } == [10, 8, 6, 4, 2, 0])
    #expect(try await history { $0.record = "i3" } == [3])
    #expect(try await history { $0.record = "p1" } == [3, 2])
    #expect(try await history { $0.until = at(1) } == [1, 0])
    let entry = try #require(try await store.history(ListQuery(limit: 2)).items.last)
    #expect(entry.old == .null && entry.new == ["x"] && entry.side == .pms && entry.rule == 7)
    #expect(try await store.history(ListQuery(limit: 1)).items.first?.old == nil)
  }

  @Test("walks a side's records by id, and keeps small values", arguments: Backend.allCases)
  func walk(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    let ids = ["a", "B", "\u{E9}", "e\u{301}", "10", "9"]
    try await store.commit { changes in
      changes.records = ids.map { RecordState(key: pms($0), firstSeenAt: at(1)) }
      changes.records.append(RecordState(key: invoiced("z"), firstSeenAt: at(1)))
    }
    var walked: [RecordID] = []
    while true {
      let page = try await store.records(on: .pms, after: walked.last, limit: 2)
      if page.isEmpty { break }
      walked += page.map(\.key.id)
    }
    #expect(walked == ids.map { RecordID($0) }.sorted())

    #expect(try await store.value("mark") == nil)
    try await store.setValue("1", for: "mark")
    try await store.setValue("2", for: "mark")
    if backend.outlivesItself { try await bench.reopen() }
    #expect(try await bench.store.value("mark") == "2")
    try await bench.store.setValue(nil, for: "mark")
    #expect(try await bench.store.value("mark") == nil)
    try await bench.store.probe()
  }

  @Test("forgets a customer, and keeps the others and what it must not take in again", arguments: Backend.allCases)
  func forget(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    func fill(_ store: any Store, _ number: Int) async throws {
      let (i, p) = (invoiced("inv-\(number)"), pms("pms-\(number)"))
      let secret = "secret-\(number)-"
      _ = try await store.append(newEvent("e\(number)", i, body: #"{"name":"\#(secret)body"}"#))
      _ = try await store.append(newEvent("d\(number)", p, body: #"{"name":"\#(secret)done"}"#, state: .ignored))
      _ = try await store.append(
        newEvent("l\(number)", nil, body: #"{"customer":"inv-\#(number)","x":"\#(secret)loose"}"#, state: .ignored))
      var changes = Changes()
      for key in [i, p] {
        var record = RecordState(key: key, firstSeenAt: at(1))
        record.last = Observation(
          key: key, record: ["name": .string(secret + "record")], version: nil, source: .fetch, seenAt: at(1))
        changes.records.append(record)
      }
      var link = Link(flow: "guests", invoiced: i.id, pms: p.id, createdAt: at(1))
      link.agreed["name"] = AgreedPair(invoiced: .string(secret + "agreed"), pms: nil, fingerprint: "f")
      changes.links = [link]
      var push = newPush(
        .create, source: i, target: nil,
        claims: [Push.Claim(flow: "guests", key: "name", value: secret + "claim")])
      push.properties = [
        Push.Property(row: nil, path: JSONPath("n")!, former: nil, sent: .string(secret + "sent"), source: nil)
      ]
      changes.pushes = [push]
      var hold = newHold(.parked, .misfit, p)
      hold.pms = .string(secret + "hold")
      changes.holds = [hold]
      var entry = newHistory(.pushed, i.id.text, p.id.text, at: 4)
      entry.new = .string(secret + "history")
      changes.history = [entry]
      _ = try await store.commit(changes)
    }
    for number in 1...40 { try await fill(store, number) }
    let newest = try await store.events(ListQuery(limit: 1)).items.first?.id ?? 0
    for number in [40, 7, 23] { try await store.forget([invoiced("inv-\(number)"), pms("pms-\(number)")]) }
    if backend.outlivesItself {
      for number in [40, 7, 23] {
        #expect(try bench.holds("secret-\(number)-") == false)
        #expect(try bench.holds("inv-\(number)\"") == false)
      }
      #expect(try bench.holds("secret-1-"))
      try await bench.reopen()
    }
    let opened = bench.store
    #expect(try await opened.isForgotten(invoiced("inv-7")))
    #expect(try await opened.isForgotten(pms("inv-7")) == false)
    #expect(try await opened.unit(of: pms("pms-7")).records.isEmpty)
    #expect(try await opened.unit(of: pms("pms-6")).records.count == 2)
    #expect(try await opened.counts().activeLinks == ["guests": 37])
    #expect(try await opened.append(newEvent("late", invoiced("inv-7"))) == .forgotten)
    // Work that was in hand must not bring it back.
    try await fill(opened, 7)
    #expect(try await opened.unit(of: pms("pms-7")).records.isEmpty)
    #expect(try await opened.counts().activeLinks == ["guests": 37])
    let next = try await opened.append(newEvent("next", invoiced("inv-6")))
    #expect(try #require(next.id) > newest)
  }
}
