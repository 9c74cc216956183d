import Mapping
import SeededRandom
import Sync
import Testing

@testable import Store

@Suite("The index of event ids")
struct EventIndexTests {
  @Test("finds every event while they move to the big index, through crashes and failed commits", arguments: 0..<10)
  func moves(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let queue = try ConnectionQueue()
    try queue.inDatabase { db in
      try Schema.migrate(db)
      var index = try EventIndex(db, hash: SipHash(of: db), capacity: 50)
      var stored: [String: Int64] = [:]
      var next: Int64 = 1
      for _ in 0..<300 {
        var changed = stored
        let fails = Int.random(in: 0..<6, using: &random) == 0
        try db.execute(sql: "BEGIN")
        var count = 0
        for _ in 0..<Int.random(in: 0...5, using: &random) {
          if Int.random(in: 0..<4, using: &random) == 0, let (id, number) = changed.randomElement(using: &random) {
            try index.remove(index.key(.pms, id), id: number, db)
            try db.run("DELETE FROM event WHERE id = ?", [.int(number)])
            changed[id] = nil
            continue
          }
          let id = "e\(UInt32.random(in: 0..<2000, using: &random))"
          let key = index.key(.pms, id)
          #expect(try index.find(key, db) == changed[id])
          guard changed[id] == nil else { continue }
          try newEvent(id, pms("1")).insert(id: next, db)
          try index.add(key, id: next, db)
          changed[id] = next
          next += 1
          count += 1
        }
        try index.move(alongside: count, db)
        if fails {
          try db.execute(sql: "ROLLBACK")
          index.rollBack(to: 0)
        } else {
          try db.execute(sql: "COMMIT")
          index.committed()
          stored = changed
        }
        // A crash: what was in memory is gone.
        if Int.random(in: 0..<50, using: &random) == 0 {
          index = try EventIndex(db, hash: SipHash(of: db), capacity: 50)
        }
      }
      for (id, number) in stored { #expect(try index.find(index.key(.pms, id), db) == number) }
      #expect(try index.find(index.key(.invoiced, try #require(stored.keys.first)), db) == nil)
      #expect(try db.number("SELECT count(*) FROM known_event") > 0)
      #expect(try db.number("SELECT count(*) FROM recent_event") < 250)
    }
  }

  @Test("hashes as SipHash-2-4 does")
  func hash() throws {
    // The vectors of the reference implementation: key 00 01 … 0f, input 00 01 … of each length.
    let hash = try #require(SipHash(key: Array(0..<16)))
    #expect(hash([]) == 0x726f_db47_dd0e_0e31)
    #expect(hash([0]) == 0x74f8_39c5_93dc_67fd)
    #expect(hash(Array(0..<8)) == 0x93f5_f579_9a93_2462)
    #expect(hash(Array(0..<15)) == 0xa129_ca61_49be_45e5)
  }
}

@Suite("The index of pending events")
struct PendingIndexTests {
  @Test("is made at the start without a look at what is done")
  func start() throws {
    let queue = try ConnectionQueue()
    let plan = try queue.inDatabase { db in
      try Schema.migrate(db)
      return try db.all("EXPLAIN QUERY PLAN " + PendingIndex.notInTable, [.int(0)]) { $0.text(3) ?? "" }
    }
    #expect(plan == ["SCAN event USING COVERING INDEX event_due"])
  }

  @Test("finds a record's pending events while they move to the table, through crashes", arguments: 0..<10)
  func moves(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let queue = try ConnectionQueue()
    try queue.inDatabase { db in
      try Schema.migrate(db)
      var index = try PendingIndex(db, hash: SipHash(of: db), capacity: 40)
      var stored: [Int64: (key: RecordKey, isPending: Bool)] = [:]
      var next: Int64 = 1
      for step in 0..<400 {
        var changed = stored
        try db.execute(sql: "BEGIN")
        var count = 0
        for _ in 0..<Int.random(in: 0...6, using: &random) {
          // The backlog grows, shrinks, and grows again.
          if Int.random(in: 0..<100, using: &random) < (step / 100 % 2 == 0 ? 20 : 70),
            let id = changed.keys.sorted().randomElement(using: &random), let key = changed[id]?.key
          {
            let state: EventState = Int.random(in: 0..<4, using: &random) == 0 ? .retrying : .done
            try EventOutcome(id: id, state: state, attempts: 1, at: at(1)).update(db)
            if state.isPending { try index.isPending(id, db) } else { try index.isFinished(id, db) }
            changed[id] = (key, state.isPending)
          } else {
            let key = pms("\(Int.random(in: 0..<20, using: &random))")
            try newEvent("\(next)", key).insert(id: next, db)
            index.add(next, of: key)
            changed[next] = (key, true)
            next += 1
            count += 1
          }
        }
        try index.move(alongside: count, db)
        if Int.random(in: 0..<6, using: &random) == 0 {
          try db.execute(sql: "ROLLBACK")
          index.rollBack(to: 0)
        } else {
          try db.execute(sql: "COMMIT")
          index.committed()
          stored = changed
        }
        if Int.random(in: 0..<50, using: &random) == 0 {
          index = try PendingIndex(db, hash: SipHash(of: db), capacity: 40)
        }
        let key = pms("\(step % 20)")
        let pending = stored.filter { $1.key == key && $1.isPending }.keys.sorted()
        #expect(try index.candidates(key, db).sorted() == pending)
      }
      #expect(try db.number("SELECT count(*) FROM meta WHERE name = 'pending in table'") == 1)
    }
  }
}
