import Foundation
import HTTP
import JSON
import Sandbox
import Synchronization
import Testing

@Suite("kill -9", .serialized)
struct KillTests {
  /// Posts events from several tasks until it is told to stop, and keeps the ids that were acknowledged.
  private final class Load: Sendable {
    private struct State {
      var next = 1
      var acknowledged: [String] = []
      var isOver = false
    }
    private let state = Mutex(State())

    var acknowledged: [String] { state.withLock { $0.acknowledged } }
    func stop() { state.withLock { $0.isOver = true } }
    func next() -> Int? {
      state.withLock { state in
        guard !state.isOver else { return nil }
        defer { state.next += 1 }
        return state.next
      }
    }
    func acknowledge(_ id: String) { state.withLock { $0.acknowledged.append(id) } }
  }

  @Test("twenty kills under load lose no acknowledged event, and no customer gets a double", .timeLimit(.minutes(2)))
  func kills() async throws {
    let installation = try await Installation(customers: 40)
    let customers = installation.sandbox.invoiced.system.customers
    let load = Load()
    var generator = SystemRandomNumberGenerator()
    var run = try await installation.serve()
    let started = ContinuousClock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<6 {
        group.addTask {
          while let number = load.next() {
            let id = "\(700_000_000 + number)"
            let answer = try await installation.post(event: id, record: customers[number % customers.count])
            if answer?.status == 200 { load.acknowledge(id) } else { try await Task.sleep(for: .milliseconds(5)) }
          }
        }
      }
      for _ in 0..<20 {
        let before = load.acknowledged.count
        #expect(try await eventually { load.acknowledged.count > before })
        try await Task.sleep(for: .milliseconds(Int.random(in: 1...250, using: &generator)))
        run.signal(SIGKILL)
        #expect(try await eventually { !run.isRunning })
        run = try await installation.serve()
      }
      load.stop()
      try await group.waitForAll()
    }
    #expect(try await installation.settle())
    let acknowledged = load.acknowledged
    var states: [String: String] = [:]
    var cursor = ""
    repeat {
      let page = try await installation.admin("events?limit=1000\(cursor)")
      for event in page["items"]?.array ?? [] {
        states[event["event"]?.string ?? ""] = event["state"]?.string
      }
      cursor = page["next"]?.string.map { "&after=\($0)" } ?? ""
    } while !cursor.isEmpty
    #expect(acknowledged.count >= 20)
    let lost = acknowledged.filter { states[$0] == nil }
    #expect(
      lost.isEmpty, "\(lost.count) of \(acknowledged.count) acknowledged events are not stored: \(lost.prefix(5))")
    let unfinished = acknowledged.filter { states[$0].map { $0 != "done" } ?? false }
    #expect(unfinished.isEmpty, "\(unfinished.prefix(5).map { "\($0) is \(states[$0] ?? "")" })")

    let numbers = installation.sandbox.pms.system.customers.map { $0["customer_number"]?.string ?? "none" }
    let expected = customers.filter { $0["type"] != "person" }.compactMap { $0["number"]?.string }
    #expect(numbers.sorted() == expected.sorted(), "exactly one PMS record per customer")
    #expect(ContinuousClock.now - started < .seconds(60))
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }
}
