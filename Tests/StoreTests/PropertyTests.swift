import JSON
import Mapping
import SeededRandom
import Store
import Sync
import Testing

/// The same changes made to a store and to plain dictionaries.
@Suite("A store against its model")
struct StorePropertyTests {
  private struct Model {
    var records: [RecordKey: RecordState] = [:]
    var links: [Int64: Link] = [:]
    var pushes: [Int64: Push] = [:]
    var holds: [Int64: Hold] = [:]
    var events: [Int64: (event: NewEvent, state: EventState)] = [:]

    func link(of key: RecordKey) -> Link? {
      links.values.first { $0.state != .ended && $0.key(on: key.side) == key }
    }

    func isRefused(_ changes: Changes) -> Bool {
      let open = links.merging(changes.links.filter { $0.id != 0 }.map { ($0.id, $0) }) { $1 }.values
        .filter { $0.state != .ended }
      let linked = changes.links.contains { new in
        new.id == 0 && open.contains { $0.invoiced == new.invoiced || $0.pms == new.pms }
      }
      let claimed = changes.pushes.contains { new in
        new.action == .create
          && pushes.values.contains {
            $0.action == .create && ($0.source == new.source || !Set($0.claims).isDisjoint(with: new.claims))
          }
      }
      return linked || claimed
    }

    mutating func apply(_ changes: Changes, _ committed: Committed) {
      for record in changes.records { records[record.key] = record }
      for var link in changes.links {
        if link.id == 0 { link.id = committed.link ?? 0 }
        links[link.id] = link
      }
      for (var push, id) in zip(changes.pushes, committed.pushes) {
        push.id = id
        pushes[id] = push
      }
      for id in changes.settledPushes { pushes[id] = nil }
      for (var hold, id) in zip(changes.holds, committed.holds) {
        hold.id = id
        if let filed = holds[id] {
          hold.at = filed.at
          hold.attempts = filed.attempts + 1
        }
        holds[id] = hold
      }
      let closed = changes.closedHolds.compactMap { holds[$0]?.record }
      for id in changes.closedHolds { holds[id] = nil }
      for outcome in changes.events { events[outcome.id]?.state = outcome.state }
      for key in closed where !isHeld(key) {
        for (id, event) in events where event.event.side == key.side && event.event.record == key.id {
          if [.parked, .held, .conflict].contains(event.state) { events[id]?.state = .done }
        }
      }
    }

    private func isHeld(_ key: RecordKey) -> Bool {
      let link = link(of: key)
      return holds.values.contains { hold in
        (hold.link != nil && hold.link == link?.id)
          || hold.record.map { $0 == key || $0 == link?.key(on: key.side.other) } ?? false
      }
    }
  }

  private static func changes(_ model: Model, _ random: inout SeededGenerator) -> Changes {
    func key() -> RecordKey { Bool.random(using: &random) ? invoiced("\(number(6))") : pms("\(number(6))") }
    func number(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
    var changes = Changes()
    if number(2) == 0 {
      var record = RecordState(key: key(), firstSeenAt: at(Int64(number(100))))
      record.presence = number(2) == 0 ? .alive : .gone
      if number(3) > 0 {
        record.last = Observation(
          key: record.key, record: ["n": .number(JSONNumber(number(100)))], version: nil, source: .fetch, seenAt: at(1))
      }
      changes.records = [record]
    }
    if number(3) == 0, var link = model.links.values.sorted(by: { $0.id < $1.id }).randomElement(using: &random) {
      // An ended link stays so, or it might stand in the way of a new one.
      if link.state != .ended { link.state = [.active, .asleep, .ended][number(3)] }
      link.agreed["r"] = AgreedPair(invoiced: .null, pms: nil, fingerprint: "\(number(9))")
      changes.links = [link]
    }
    if number(3) == 0 {
      changes.links.append(
        Link(
          flow: "f\(number(2))", invoiced: RecordID("\(number(6))"), pms: RecordID("\(number(6))"), createdAt: at(3)))
    }
    if number(2) == 0 {
      let claim = Push.Claim(flow: "f", key: "k", value: "\(number(4))")
      changes.pushes = [
        number(2) == 0
          ? newPush(.create, source: key(), target: nil, claims: [claim])
          : newPush(.update, source: key(), target: "\(number(6))")
      ]
    }
    if number(2) == 0, let id = model.pushes.keys.sorted().randomElement(using: &random) {
      changes.settledPushes = [id]
    }
    if number(2) == 0 {
      var hold = newHold(number(2) == 0 ? .parked : .conflict, .misfit, key(), at: Int64(number(100)))
      hold.row = number(2) == 0 ? nil : "row"
      hold.link = model.links.keys.sorted().randomElement(using: &random)
      changes.holds = [hold]
    }
    if number(4) == 0, let id = model.holds.keys.sorted().randomElement(using: &random) { changes.closedHolds = [id] }
    if number(2) == 0, let id = model.events.keys.sorted().randomElement(using: &random) {
      let state = EventState.allCases[number(EventState.allCases.count)]
      changes.events = [EventOutcome(id: id, state: state, attempts: 1, at: at(9))]
    }
    return changes
  }

  @Test("gives back what the model has", arguments: [Backend.file, .memory], 0..<15)
  func agrees(_ backend: Backend, seed: UInt64) async throws {
    let bench = try Bench(backend)
    var random = SeededGenerator(seed: seed)
    var model = Model()
    var refused = 0
    for step in 0..<120 {
      let event = newEvent("\(Int.random(in: 0..<80, using: &random))", invoiced("\(step % 6)"), at: Int64(step))
      if case .accepted(let id) = try await bench.store.append(event) { model.events[id] = (event, .waiting) }
      let changes = Self.changes(model, &random)
      if model.isRefused(changes) {
        refused += 1
        await #expect(throws: StoreError.claimed) { try await bench.store.commit(changes) }
      } else {
        model.apply(changes, try await bench.store.commit(changes))
      }
    }
    #expect(refused > 0)
    if backend.outlivesItself { try await bench.reopen() }
    for side in Side.allCases {
      for number in 0..<6 {
        try await check(bench.store, RecordKey(side, RecordID("\(number)")), model)
      }
    }
    let counts = try await bench.store.counts()
    for state in EventState.allCases where state != .done && state != .ignored {
      #expect(counts.events[state] ?? 0 == model.events.values.filter { $0.state == state }.count)
    }
    #expect(counts.openHolds == Dictionary(grouping: model.holds.values, by: \.kind).mapValues(\.count))
    let active = model.links.values.filter { $0.state == .active }
    #expect(counts.activeLinks == Dictionary(grouping: active, by: \.flow).mapValues(\.count))
    #expect(Set(try await bench.store.links(ListQuery(limit: 1000)).items) == Set(model.links.values))
    #expect(try await bench.store.unsettledPushes() == model.pushes.values.sorted { $0.id < $1.id })
  }

  private func check(_ store: any Store, _ key: RecordKey, _ model: Model) async throws {
    let unit = try await store.unit(of: key)
    let link = model.link(of: key)
    let keys = link.map { [$0.key(on: .invoiced), $0.key(on: .pms)] } ?? [key]
    #expect(unit.link == link)
    #expect(unit.records == model.records.filter { keys.contains($0.key) })
    #expect(
      unit.events.map(\.id)
        == model.events.filter { $1.state.isPending && keys.contains(RecordKey($1.event.side, $1.event.record!)) }.keys
        .sorted())
    #expect(
      Set(unit.pushes)
        == Set(
          model.pushes.values.filter { push in
            keys.contains(push.source) || push.target.map { keys.contains(RecordKey(push.side, $0)) } ?? false
          }))
    #expect(
      Set(unit.holds)
        == Set(
          model.holds.values.filter { hold in
            hold.record.map { keys.contains($0) } ?? false || (link != nil && hold.link == link?.id)
          }))
  }
}
