import JSON
import Mapping
import SeededRandom
import Testing

@testable import Sync

@Suite("Rule 14: deletes") struct DeletionTests {
  private static let scene = Scene(
    row("name"), row("tax_id", "organisation_number"), row("notes", nil, .string, [.trim], .toPMS)
  ).agreed(
    ["name": "Acme", "tax_id": nil, "notes": " x "], ["name": "Acme", "organisation_number": "", "notes": "x"])

  @Test(
    "a mapped property that differs from what was agreed is an edit",
    arguments: [
      (#"{"name": "Acme", "organisation_number": "", "notes": "x"}"#, []),
      (#"{"name": "Acme", "notes": "x", "unmapped": 1}"#, []),
      (#"{"name": "Acme AS", "notes": "x"}"#, ["name"]),
      (#"{"name": "Acme", "organisation_number": "1", "notes": "y"}"#, ["organisation_number", "notes"]),
      (#"{"organisation_number": "1"}"#, ["name", "organisation_number", "notes"]),
    ])
  func edits(_ record: String, _ paths: [String]) {
    let found = Deletion.edits(in: json(record), on: .pms, of: Self.scene.link, flow: Self.scene.flow)
    #expect(found.map { $0.pms.description } == paths)
  }

  @Test("what archives a record is no edit of it, and a row that was never agreed tells nothing")
  func ownArchive() {
    var scene = Scene(row("active", "archived", .boolean, [.not])).agreed(["active": true], ["archived": false])
    let archive = [Assignment(path("archived"), true)]
    func edits(_ own: [Assignment]) -> Int {
      Deletion.edits(in: ["archived": true, "new": "1"], on: .pms, of: scene.link, flow: scene.flow, besides: own).count
    }
    #expect(edits([]) == 1 && edits(archive) == 0)
    scene.flow.properties.append(row("new"))
    #expect(edits(archive) == 0)
  }

  @Test("an edit is found exactly where a value was changed", arguments: UInt64(0)..<200)
  func property(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var scene = Scene()
    var (invoiced, pms): (JSONValue, JSONValue) = ([:], [:])
    let names = (0..<Int.random(in: 1...6, using: &random)).map { "p\($0)" }
    for name in names {
      scene.flow.properties.append(row(name))
      let value = JSONValue.string("v\(Int.random(in: 0...3, using: &random))")
      invoiced.set(value, at: path(name))
      pms.set(value, at: path(name))
    }
    scene = scene.agreed(invoiced, pms)
    for side in Side.allCases {
      var record = scene.record(on: side)
      record = side == .invoiced ? invoiced : pms
      var changed: Set<String> = []
      for name in names where Bool.random(using: &random) {
        record.set(.string("changed"), at: path(name))
        changed.insert(name)
      }
      let found = Deletion.edits(in: record, on: side, of: scene.link, flow: scene.flow)
      #expect(Set(found.map { $0.path(on: side).description }) == changed)
      #expect(Deletion.basis(of: found, in: record, on: side).isEmpty == changed.isEmpty)
    }
  }

  @Test(
    "the guard lets the lesser of `most` and `share` through, and never fewer than 3",
    arguments: [(0, 3), (10, 3), (60, 3), (100, 5), (140, 7), (400, 20), (1_000_000, 20)])
  func allowed(_ links: Int, _ count: Int) {
    #expect(DeletionLimits().allowed(links: links) == count)
  }

  @Test("a share is counted exactly")
  func share() { #expect(DeletionLimits(most: 1000, share: 0.29).allowed(links: 100) == 29) }

  @Test("once the guard trips, every delete not yet sent is held until the last one is decided")
  func trips() {
    let deletes = Guarded()
    let limits = DeletionLimits()
    for link in 1...5 { #expect(deletes.lets(Int64(link), links: 101 - link, limits: limits, at: at(Double(link)))) }
    #expect(deletes.lets(3, links: 95, limits: limits, at: at(6)), "one that is tried again counts once")
    #expect(!deletes.lets(6, links: 95, limits: limits, at: at(7)))
    #expect(!deletes.lets(3, links: 95, limits: limits, at: at(8)), "let through, but not sent yet")
    #expect(!deletes.lets(7, links: 95, limits: limits, at: at(100_000)), "time doesn't decide")
    deletes.release(6)
    deletes.release(3)
    #expect(deletes.isTripped)
    deletes.release(7)
    #expect(!deletes.isTripped && deletes.lets(8, links: 92, limits: limits, at: at(100_001)))
    #expect(deletes.passed.count == 1, "the count starts anew")
  }

  @Test("deletes that are spread over time pass")
  func spread() {
    let deletes = Guarded()
    for link in 0..<100 {
      #expect(deletes.lets(Int64(link), links: 10, limits: DeletionLimits(), at: at(Double(link) * 1300)))
    }
  }

  @Test("no order of questions and releases lets more through than allowed", arguments: UInt64(0)..<200)
  func never(_ seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let deletes = Guarded()
    let limits = DeletionLimits()
    var since: Set<Int64> = []
    for step in 0..<300 {
      let link = Int64.random(in: 0...80, using: &random)
      if Int.random(in: 0...9, using: &random) == 0, let held = deletes.held.min() {
        deletes.release(held)
        if !deletes.isTripped { since = [] }
      } else if deletes.lets(link, links: 80, limits: limits, at: at(Double(step))) {
        #expect(!deletes.isTripped)
        since.insert(link)
      }
      #expect(since.count <= 4 && deletes.passed.count <= 4)
    }
  }
}

/// A guard that expectations may ask.
private final class Guarded {
  private var value = DeletionGuard()
  var held: Set<Int64> { value.held }
  var passed: [Int64: Timestamp] { value.passed }
  var isTripped: Bool { value.isTripped }

  func lets(_ link: Int64, links: Int, limits: DeletionLimits, at time: Timestamp) -> Bool {
    value.lets(link, links: links, limits: limits, at: time)
  }

  func release(_ link: Int64) { value.release(link) }
}
