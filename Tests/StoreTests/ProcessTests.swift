import Foundation
import Glibc
import Store
import Support
import Sync
import Testing

/// What only another process can show. It is this test program again, told by its environment what to do.
@Suite("A store in a process of its own", .timeLimit(.minutes(2)), .enabled(if: Job.given == nil))
struct ProcessTests {
  private static let strace = "/usr/bin/strace"
  private let bench: Bench

  init() throws { bench = try Bench(.memory) }

  @Test(
    "waits for the disk at each commit",
    .enabled(if: FileManager.default.isExecutableFile(atPath: strace), "install strace to run this"))
  func syncs() throws {
    let summary = bench.directory.appendingPathComponent("syncs").path
    let tracer = [Self.strace, "-f", "-c", "-e", "trace=fdatasync,fsync", "-o", summary]
    let child = try start(.commits, tracer: tracer)
    #expect(child.wait() == .exit(0))
    let calls = try String(contentsOfFile: summary, encoding: .utf8).split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      return words.last?.hasSuffix("sync") == true && words.count >= 5 ? Int(words[3]) : nil
    }
    #expect(calls.reduce(0, +) >= Job.rounds)
  }

  @Test("has every event that it acknowledged before it was killed")
  func killed() async throws {
    let child = try start(.endless)
    let told = bench.directory.appendingPathComponent("acknowledged")
    func acknowledged() throws -> [Substring] {
      // The last line may be half written.
      (try? String(contentsOf: told, encoding: .utf8))?.split(separator: "\n", omittingEmptySubsequences: false)
        .dropLast() ?? []
    }
    while try acknowledged().count < 500 { try #require(child.isRunning) }
    child.signal(SIGKILL)
    child.wait()
    let store = try SQLiteStore(path: bench.path)
    for line in try acknowledged() {
      let id = try #require(Int64(line))
      #expect(try await store.event(id) != nil)
    }
    await store.close()
  }

  @Test("says that the disk is full, and goes on when it isn't any more")
  func full() throws {
    let child = try start(.full)
    #expect(child.wait() == .exit(0))
  }

  private func start(_ job: Job, tracer: [String] = []) throws -> Support.Child {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
    let command = tracer + [program, "--testing-library", "swift-testing", "--filter", "StoreTests.Child/"]
    let environment = ProcessInfo.processInfo.environment.merging([
      Job.key: "\(job.rawValue) \(bench.directory.path)"
    ]) { $1 }
    return try Support.Child(command[0], Array(command.dropFirst()), environment: environment)
  }
}

/// What the other process does.
enum Job: String {
  case commits, endless, full

  static let key = "CUSTOMER_SYNC_STORE_CHILD"
  static let rounds = 50
  static let given: (job: Job, directory: URL)? = {
    guard let words = ProcessInfo.processInfo.environment[key]?.split(separator: " ", maxSplits: 1), words.count == 2,
      let job = Job(rawValue: String(words[0]))
    else { return nil }
    return (job, URL(fileURLWithPath: String(words[1])))
  }()
}

@Suite("Another process", .enabled(if: Job.given != nil, "ProcessTests starts it"))
struct Child {
  @Test("does its job")
  func work() async throws {
    let (job, directory) = try #require(Job.given)
    let store = try SQLiteStore(path: directory.appendingPathComponent("store.db").path)
    switch job {
    case .commits:
      for index in 0..<Job.rounds { _ = try await store.append(newEvent("\(index)")) }
    case .endless:
      let told = open(directory.appendingPathComponent("acknowledged").path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
      await withTaskGroup(of: Void.self) { group in
        for worker in 0..<8 {
          group.addTask {
            var index = 0
            while let receipt = try? await store.append(newEvent("\(worker) \(index)")), let id = receipt.id {
              let line = Array("\(id)\n".utf8)
              _ = line.withUnsafeBytes { write(told, $0.baseAddress, $0.count) }
              index += 1
            }
          }
        }
      }
    case .full: try await fill(store)
    }
    await store.close()
  }

  /// A limit on the size of files stands for the disk.
  private func fill(_ store: SQLiteStore) async throws {
    signal(SIGXFSZ, SIG_IGN)
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    let former = limit
    limit.rlim_cur = 1 << 20
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    let body = String(repeating: "x", count: 20_000)
    var stored: [Int64] = []
    var refusal: StoreError?
    while refusal == nil {
      do {
        stored.append(try #require(try await store.append(newEvent("\(stored.count)", body: body)).id))
      } catch let error as StoreError { refusal = error }
    }
    guard case .unavailable(let reason) = refusal else { throw try #require(refusal) }
    await #expect(throws: StoreError.unavailable(reason)) {
      try await store.append(newEvent("\(stored.count)", body: body))
    }
    #expect(try await store.unit(of: invoiced("1")).events.map(\.id) == stored)

    limit = former
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
    let receipt = try await store.append(newEvent("\(stored.count)", body: body))
    stored.append(try #require(receipt.id))
    #expect(receipt == .accepted(id: try #require(receipt.id)))
    #expect(try await store.unit(of: invoiced("1")).events.map(\.id) == stored)
  }
}
