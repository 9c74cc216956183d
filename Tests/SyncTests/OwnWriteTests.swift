import JSON
import Mapping
import SeededRandom
import Testing

@testable import Sync

@Suite("rule 18: edits that our writes fell on")
struct OwnWriteTests {
  static let flow = Scene(row("name"), row("city")).flow

  static func write(
    former: JSONValue? = "A", sent: JSONValue = "S", read: Int64? = 100, left: Int64? = 105, guarded: Bool = false
  ) -> OwnWrite {
    OwnWrite(
      side: .invoiced, row: "name=name", path: path("name"), former: former, sent: sent, stands: sent,
      read: read.map { Version(seconds: $0) }, left: left.map { Version(seconds: $0) }, readAt: at(100),
      isGuarded: guarded)
  }

  struct Event: Sendable, CustomTestStringConvertible {
    var name: String
    var write = OwnWriteTests.write()
    var record: JSONValue
    var previous: JSONValue?
    var version: Int64?
    var receivedAt = 200.0
    var found: JSONValue?
    var testDescription: String { name }
  }

  static let events = [
    Event(name: "our own echo", record: ["name": "S"], previous: ["name": "A"], version: 105, found: nil),
    Event(name: "the edit's own event", record: ["name": "X"], previous: ["name": "A"], version: 103, found: "X"),
    Event(
      name: "`previous` of our write's event", record: ["name": "S"], previous: ["name": "X"], version: 105, found: "X"),
    Event(
      name: "an edit that cleared it", record: ["name": "S"], previous: ["name": nil], version: 105, found: .some(.null)
    ),
    Event(name: "older than our read", record: ["name": "X"], previous: ["name": "O"], version: 99, found: nil),
    Event(name: "later than our write", record: ["name": "X"], previous: ["name": "S"], version: 106, found: nil),
    Event(
      name: "in the second of our read, but before it", record: ["name": "X"], previous: ["name": "O"], version: 100,
      found: nil),
    Event(
      name: "in the second of our read, after it", record: ["name": "X"], previous: ["name": "A"], version: 100,
      found: "X"),
    // Edited in that second, and put back in it before the read.
    Event(
      name: "the first change in the second of our read", record: ["name": "X"],
      previous: ["name": "A", "updated_at": 90], version: 100, found: nil),
    Event(
      name: "in the second of our read, but here long before it", record: ["name": "X"], previous: ["name": "A"],
      version: 100, receivedAt: 39, found: nil),
    Event(
      name: "in the second of our write, after it", record: ["name": "X"], previous: ["name": "S"], version: 105,
      found: nil),
    Event(
      name: "an edit before our read, to the very value that we write", record: ["name": "S"], previous: ["name": "O"],
      version: 100, found: nil),
    Event(
      name: "all in one second", write: write(read: 100, left: 100), record: ["name": "S"], previous: ["name": "X"],
      version: 100, found: "X"),
    Event(
      name: "a side that refuses writes on a stale read", write: write(guarded: true), record: ["name": "X"],
      previous: ["name": "A"], version: 103, found: nil),
    Event(name: "another property's edit", record: ["name": "S", "city": "X"], previous: ["city": "O"], version: 104),
    Event(
      name: "a side without versions", write: write(read: nil, left: nil), record: ["name": "X"], previous: nil,
      version: nil, found: "X"),
  ]

  @Test("finds them by what an event shows", arguments: events)
  func finds(_ event: Event) {
    var link = Scene(row("name")).link
    link.writes = [event.write]
    let shown = ShownByEvent(
      side: .invoiced, record: event.record, previous: event.previous,
      version: event.version.map { Version(seconds: $0) }, receivedAt: at(event.receivedAt))
    let found = Planner.findOverwritten(in: shown, link: &link, flow: Self.flow)
    #expect(found.map(\.value) == [event.found].compactMap(\.self))
    #expect(link.overwritten.count == found.count)
    #expect(Planner.findOverwritten(in: shown, link: &link, flow: Self.flow).isEmpty, "told once")
  }

  @Test("what our own write's event showed is not replaced by an earlier edit that comes late")
  func lastCounts() {
    var link = Scene(row("name")).link
    link.writes = [Self.write()]
    func show(_ record: JSONValue, _ previous: JSONValue, _ version: Int64) {
      _ = Planner.findOverwritten(
        in: ShownByEvent(
          side: .invoiced, record: record, previous: previous, version: Version(seconds: version), receivedAt: at(200)),
        link: &link, flow: Self.flow)
    }
    show(["name": "S"], ["name": "Y"], 105)
    show(["name": "X"], ["name": "A"], 102)
    #expect(link.overwritten.map(\.value) == ["Y"])
  }

  @Test("remembers the last few writes of each property, and never more than a few in all", arguments: UInt64(0)..<20)
  func bounded(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var link = Scene(row("name")).link
    for step in 0..<200 {
      var write = Self.write(sent: .number(JSONNumber(Int64(step))))
      write.path = path("p\(generator.int(0...12))")
      write.side = generator.chance(2) ? .invoiced : .pms
      link.remember([write])
    }
    #expect(link.writes.count <= 24)
    let groups = Dictionary(grouping: link.writes) { "\($0.side) \($0.path)" }
    #expect(groups.values.allSatisfy { $0.count <= 3 })
    #expect(link.writes.last?.sent == 199)
  }
}

@Suite("rule 20: the loop guard counts")
struct LoopGuardCountTests {
  let guardian = LoopGuard(pushes: 3, window: .seconds(600), now: at(1000))

  @Test("repeats and answers, never a stream of new values")
  func counts() {
    let name = row("name")
    var link = Scene(name).link
    #expect(!guardian.counts("a", of: name, to: .pms, link), "nothing was pushed yet")
    var write = OwnWriteTests.write(sent: "a")
    write.side = .pms
    link.remember([write])
    #expect(!guardian.counts("b", of: name, to: .pms, link))
    #expect(guardian.counts("a", of: name, to: .pms, link))
    #expect(guardian.counts("b", of: name, to: .invoiced, link))
  }

  @Test("within the window only, and remembers no more than it needs", arguments: UInt64(0)..<20)
  func window(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let name = row("name")
    var link = Scene(name).link
    var times: [Double] = []
    var now = 0.0
    for _ in 0..<60 {
      now += Double(generator.int(1...400))
      let moment = LoopGuard(pushes: 3, window: .seconds(600), now: at(now))
      #expect(moment.isExceeded(of: name, link) == (times.filter { now - $0 < 600 }.count >= 3))
      moment.note(name, &link)
      times.append(now)
      #expect(link.loops[name.key, default: []].count <= 3)
    }
  }
}
