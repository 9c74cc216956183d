import Foundation
import GRDB
import Mapping
import Sync
import Testing

@testable import Store

@Suite("An SQLite store", .timeLimit(.minutes(2)))
struct SQLiteStoreTests {
  private let bench: Bench

  init() throws { bench = try Bench(.memory) }

  /// What a second program has open.
  private func foreign() throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    return try DatabaseQueue(path: bench.path, configuration: configuration)
  }

  @Test("writes with synchronous = FULL, erases what it deletes, and numbers its schema")
  func settings() throws {
    try Connections.makeFile(bench.path)
    let connections = try Connections(path: bench.path, isInline: false)
    try connections.writer.inDatabase { (db: SQLConnection) throws in
      #expect(try db.number("PRAGMA synchronous") == 2)
      #expect(try db.number("PRAGMA secure_delete") == 1)
      #expect(try db.number("PRAGMA foreign_keys") == 1)
      #expect(try db.number("PRAGMA wal_autocheckpoint") == 0)
      #expect(try db.number("PRAGMA page_size") == 8192)
      #expect(try db.number("PRAGMA user_version") == Int64(Schema.version))
      #expect(try db.number("PRAGMA application_id") == Schema.applicationID)
    }
    try connections.close()
    let permissions = try FileManager.default.attributesOfItem(atPath: bench.path)[.posixPermissions] as? Int
    #expect(permissions == 0o600)
  }

  @Test("in memory is as good as new when it has been emptied, and one in a file can't be")
  func emptied() async throws {
    func link() -> Link { Link(flow: "guests", invoiced: RecordID("1"), pms: RecordID("p1"), createdAt: at(1)) }
    let claims = [Push.Claim(flow: "guests", key: "number", value: "1")]
    let old = try SQLiteStore(inMemory: { _ in })
    let first = try await old.append(newEvent("a"))
    _ = try await old.commit { changes in
      changes.links = [link()]
      changes.pushes = [newPush(.create, target: nil, claims: claims)]
      changes.holds = [newHold()]
      changes.history = [newHistory(at: 1)]
    }
    try await old.setValue("1", for: "name")
    let store = try SQLiteStore(emptying: old)
    #expect(try await store.history(ListQuery()).items.isEmpty)
    #expect(try await store.hold(1) == nil)
    #expect(try await store.activeLinks(in: "guests") == 0)
    #expect(try await store.value("name") == nil)
    #expect(try await store.creates(claiming: claims, sources: []).isEmpty)
    #expect(try await store.append(newEvent("a")) == first)
    #expect(try await store.commit { $0.links = [link()] }.link == 1)
    let inFile = try SQLiteStore(path: bench.path + ".file", inline: true)
    #expect(throws: StoreError.self) { try SQLiteStore(emptying: inFile) }
    await inFile.close()
  }

  // A child process has its parent's open files until it runs its own program.
  @Test("is free when it is closed, though a child process still has its lock file open")
  func lockOfChild() async throws {
    let store = try SQLiteStore(path: bench.path + ".other")
    let files = "/proc/self/fd/"
    let lock = try #require(
      FileManager.default.contentsOfDirectory(atPath: files).first { name in
        let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: files + name)) ?? ""
        return target.hasPrefix(bench.path + ".other") && target.hasSuffix("lock")
      }.flatMap { Int32($0) })
    let child = dup(lock)
    defer { close(child) }
    await store.close()
    try await SQLiteStore(path: bench.path + ".other").close()
  }

  @Test("is written by one process, which the next one is told of")
  func openers() async throws {
    let first = try SQLiteStore(path: bench.path, holder: "serve")
    let holder = "process \(ProcessInfo.processInfo.processIdentifier) (serve)"
    #expect(throws: StoreError.inUse(by: holder)) { try SQLiteStore(path: bench.path, holder: "audit") }
    await first.close()
    await first.close()
    await #expect(throws: StoreError.self) { try await first.probe() }
    await #expect(throws: StoreError.self) { try await first.event(1) }
    let second = try SQLiteStore(path: bench.path, holder: "audit")
    try await second.probe()
    await second.close()
  }

  struct Refused: CustomTestStringConvertible {
    var testDescription: String
    var says: String
    var prepare: @Sendable (Bench) throws -> String
  }

  static let refused = [
    Refused(testDescription: "a text", says: "is not an SQLite database; name another file") { bench in
      try String(repeating: "customers\n", count: 1000).write(toFile: bench.path, atomically: true, encoding: .utf8)
      return bench.path
    },
    Refused(testDescription: "another program's database", says: "is another program's SQLite file") { bench in
      try DatabaseQueue(path: bench.path).write { try $0.execute(sql: "CREATE TABLE t(a)") }
      return bench.path
    },
    Refused(testDescription: "a newer store", says: "run that version, or restore the backup") { bench in
      _ = try SQLiteStore(path: bench.path, inline: true)
      try DatabaseQueue(path: bench.path).write { try $0.execute(sql: "PRAGMA user_version = 1000") }
      return bench.path
    },
    Refused(testDescription: "no directory", says: "make it first") { $0.path + ".none/store.db" },
    Refused(testDescription: "a directory", says: "can't be opened for writing") { $0.directory.path },
  ]

  @Test("says why it can't be opened, and what to do", arguments: refused)
  func refusal(_ refused: Refused) throws {
    let path = try refused.prepare(bench)
    let error = #expect(throws: StoreError.self) { try SQLiteStore(path: path) }
    guard case .unusable(let reason) = error else { throw try #require(error) }
    #expect(reason.contains(refused.says), "\(reason)")
  }

  @Test("can't write while another program holds it, reads all the same, and goes on afterwards")
  func locked() async throws {
    let store = try SQLiteStore(path: bench.path)
    _ = try await store.append(newEvent("a"))
    let other = try foreign()
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN EXCLUSIVE") }
    let error = await #expect(throws: StoreError.self) { try await store.append(newEvent("b")) }
    guard case .unavailable = error else { throw try #require(error) }
    #expect(try await store.unit(of: invoiced("1")).events.count == 1)
    try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    let receipt = try await store.append(newEvent("b"))
    #expect(receipt == .accepted(id: try #require(receipt.id)))
    #expect(try await store.unit(of: invoiced("1")).events.count == 2)
    await store.close()
  }

  @Test("waits for readers before it says that a customer is forgotten")
  func readers() async throws {
    let store = try SQLiteStore(path: bench.path)
    _ = try await store.append(newEvent("a", body: "a secret of hers"))
    let other = try foreign()
    try await other.writeWithoutTransaction { db in
      try db.execute(sql: "BEGIN")
      _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM event")
    }
    async let forgotten: Void = store.forget([invoiced("1")])
    while try await !store.isForgotten(invoiced("1")) { await Task.yield() }
    #expect(try bench.holds("a secret of hers"))
    try await other.writeWithoutTransaction { try $0.execute(sql: "COMMIT") }
    try await forgotten
    #expect(try !bench.holds("a secret of hers"))
    await store.close()
  }

  @Test("keeps its log small while events keep coming")
  func log() async throws {
    let limits = LogLimits(step: 20, restart: 60, ceiling: 200)
    let store = try SQLiteStore(path: bench.path, holder: "serve", inline: false, limits: limits, observe: { _ in })
    let body = String(repeating: "x", count: 20_000)
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<8 {
        group.addTask {
          for index in 0..<100 { _ = try? await store.append(newEvent("\(worker) \(index)", body: body)) }
        }
      }
    }
    let size = try FileManager.default.attributesOfItem(atPath: bench.path + "-wal")[.size] as? Int
    // All of it is 16 MB and more; how far past its ceiling it goes depends on how soon the other thread has its turn.
    #expect(try #require(size) < 6_000_000)
    #expect(try await store.counts().events[.waiting] == 800)
    await store.close()
    #expect(!FileManager.default.fileExists(atPath: bench.path + "-wal"))
  }

  @Test("is told of each commit and how many shared it")
  func samples() async throws {
    let (samples, told) = AsyncStream.makeStream(of: CommitSample.self)
    let store = try SQLiteStore(path: bench.path, observe: { told.yield($0) })
    await withTaskGroup(of: Void.self) { group in
      for index in 0..<100 { group.addTask { _ = try? await store.append(newEvent("\(index)")) } }
    }
    await store.close()
    told.finish()
    let batches = await samples.reduce(into: []) { $0.append($1.batch) }
    #expect(batches.reduce(0, +) == 100)
  }

  @Test("delivers the events of a commit in one piece, and only once they are durable")
  func delivery() async throws {
    let (pieces, delivered) = AsyncStream.makeStream(of: (@Sendable () -> Void).self)
    let (answers, answered) = AsyncStream.makeStream(of: Receipt.self)
    let (samples, told) = AsyncStream.makeStream(of: CommitSample.self)
    let store = try SQLiteStore(
      path: bench.path, deliver: { delivered.yield($0) }, observe: { told.yield($0) })
    for index in 0..<100 {
      store.append(newEvent("\(index % 99)")) { if case .success(let receipt) = $0 { answered.yield(receipt) } }
    }
    // What is no event doesn't wait for the delivery.
    try await store.setValue("a", for: "b")
    await store.close()
    for end in [{ delivered.finish() }, { told.finish() }] { end() }
    let all = await pieces.reduce(into: []) { $0.append($1) }
    let commits = await samples.reduce(0) { count, _ in count + 1 }
    #expect(!all.isEmpty && all.count <= commits)
    for piece in all { piece() }
    answered.finish()
    let receipts = await answers.reduce(into: []) { $0.append($1) }
    #expect(receipts == (1...99).map { .accepted(id: $0) } + [.duplicate(id: 1)])
  }

  @Test("answers before it returns when it is inline, from within a completion too")
  func inline() throws {
    let store = try SQLiteStore(inMemory: { _ in })
    final class Told: @unchecked Sendable { var receipts: [Receipt] = [] }
    let told = Told()
    store.append(newEvent("a")) { first in
      told.receipts += [try? first.get()].compactMap(\.self)
      store.append(newEvent("b")) { told.receipts += [try? $0.get()].compactMap(\.self) }
    }
    #expect(told.receipts == [.accepted(id: 1), .accepted(id: 2)])
  }
}
