import Mapping
import Store
import Sync
import Testing

@Suite("What walks over all records ask", .timeLimit(.minutes(2)))
struct WalkTests {
  @Test("finds those alive that a pass hasn't seen, by id, a slice at a time", arguments: Backend.allCases)
  func missing(_ backend: Backend) async throws {
    let bench = try Bench(backend)
    let store = bench.store
    // Neither in the order of their ids, nor one side alone.
    for id in ["9", "10", "a", "é", "gone", "unseen"] {
      try await store.commit { changes in
        changes.records = Side.allCases.map { side in
          var record = RecordState(key: RecordKey(side, RecordID(id)), firstSeenAt: at(1))
          record.presence = id == "gone" ? .gone : id == "unseen" ? .unseen : .alive
          return record
        }
      }
    }
    let newest = try await store.newestNumber()
    try await store.commit { changes in
      var late = RecordState(key: pms("late"), firstSeenAt: at(2))
      late.presence = .alive
      changes.records = [late]
    }
    let seen = Set(try await store.numbers(of: [RecordID("a"), RecordID("nobody")], on: .pms).values)
    #expect(seen.count == 1)
    func missing(after id: String?, limit: Int) async throws -> [String] {
      try await store.alive(
        on: .pms, after: id.map { RecordID($0) }, upTo: newest, unless: { seen.contains($0) }, limit: limit
      ).map(\.id.text)
    }
    #expect(try await missing(after: nil, limit: 10) == ["10", "9", "é"])
    #expect(try await missing(after: nil, limit: 2) == ["10", "9"])
    #expect(try await missing(after: "9", limit: 2) == ["é"])
  }

  @Test("scratch records are kept once, taken once, and what is left comes by id")
  func scratch() throws {
    let scratch = try ScratchRecords()
    // More than its memory holds.
    let large = [UInt8](repeating: 7, count: 4096)
    for number in 0..<2000 {
      #expect(try scratch.put(RecordID("\(number)"), large + [UInt8(number % 256)]))
    }
    #expect(try !scratch.put(RecordID("7"), []))
    #expect(try scratch.take(RecordID("7")) == large + [7])
    #expect(try scratch.take(RecordID("7")) == nil)
    #expect(try scratch.left(after: RecordID("1998"), limit: 2).map(\.id.text) == ["1999", "2"])
    #expect(try scratch.left(after: RecordID("6999"), limit: 1).first?.value == large + [UInt8(70)])
  }

  @Test("scratch records go with their object, in the middle of their transaction, time and again")
  func scratchGoes() throws {
    for number in 0..<200 {
      let scratch = try ScratchRecords()
      #expect(try scratch.put(RecordID("\(number)"), [1]))
      #expect(try scratch.take(RecordID("\(number)")) == [1])
      #expect(try scratch.put(RecordID("left"), [2]))
    }
  }
}
