import HTTP
import JSON
import Sandbox
import Testing

@Suite("Faults") struct FaultTests {
  /// What many writes lead to: how each ended, when, and when its webhooks leave.
  private func trace(_ side: some SimulatedSystem, _ count: Int64 = 200) -> [String] {
    (0..<count).map { index in
      let answer = side.ask("POST", "/customers", ["name": .string("  N \(index) ")], at: noon + index * 500)
      let times = answer.deliveries.map { String($0.due - noon - index * 500) }.joined(separator: ",")
      return "\(answer.response?.status ?? 0) \(answer.delay) [\(times)]"
    }
  }

  @Test("one seed gives one course of events, another seed another", arguments: FaultProfile.allCases)
  func deterministic(profile: FaultProfile) {
    let (a, b, c) = (invoiced(faults: [profile]), invoiced(faults: [profile]), invoiced(seed: 2, faults: [profile]))
    let first = trace(a)
    #expect(first == trace(b))
    #expect(a.customers.map(\.text) == b.customers.map(\.text))
    let isRandom = [.flaky, .lossy, .outage, .worst].contains(profile)
    #expect((first == trace(c)) == !isRandom)
    #expect(trace(pms(faults: [profile])) == trace(pms(faults: [profile])))
  }

  @Test("without faults nothing is dropped, late or lost")
  func none() {
    for line in trace(invoiced()) { #expect(line == "201 0 [0]") }
    for line in trace(pms(faults: [.none])) { #expect(line == "201 0 [0]") }
  }

  @Test("flaky fails in every way, and more records exist than were confirmed")
  func flaky() {
    for side in [invoiced(faults: [.flaky]) as any SimulatedSystem, pms(faults: [.flaky])] {
      let statuses = trace(side, 400).map { Int($0.prefix { $0 != " " }) ?? 0 }
      for status in [0, 201, 429, 500] { #expect(statuses.contains(status), "\(status)") }
      #expect(statuses.contains { 502...504 ~= $0 })
      #expect(side.stats.records > statuses.count { $0 == 201 })
      #expect(side.stats.answers.values.reduce(0, +) == 400)
    }
  }

  @Test("a 500 of a bad day is stored under its key")
  func storedFailure() throws {
    let side = invoiced(faults: [.flaky])
    var replayed = 0
    for index in Int64(0)..<400 {
      let key: HTTPHeaders = ["Idempotency-Key": "key-\(1000 + index)"]
      let now = noon + index * 500  // so that none is in flight any more
      let answer = side.ask("POST", "/customers", ["name": "A"], headers: key, at: now)
      guard answer.response?.status == 500 else { continue }
      side.setFaults([])
      #expect(try side.answer("POST", "/customers", ["name": "A"], headers: key, at: now + 400).status == 500)
      side.setFaults([.flaky])
      replayed += 1
    }
    #expect(replayed > 5)
  }

  @Test("lossy loses, doubles, delays and overtakes")
  func lossy() {
    for side in [invoiced(faults: [.lossy]) as any SimulatedSystem, pms(faults: [.lossy])] {
      var (lost, doubled, late, overtaken): (Int, Int, Int, Int) = (0, 0, 0, 0)
      for index in 0..<400 {
        let answer = side.ask("POST", "/customers", ["name": .string("N\(index)")])
        if answer.deliveries.isEmpty { lost += 1 }
        if answer.deliveries.count == 2 { doubled += 1 }
        if answer.deliveries.contains(where: { $0.due >= noon + 500 }) { late += 1 }
        if let due = answer.deliveries.first?.due, due < noon + answer.delay { overtaken += 1 }
        #expect(answer.response?.status == 201)
      }
      #expect(lost > 10 && doubled > 10 && late > 20 && overtaken > 10)
      #expect(side.stats.lost == lost)
    }
  }

  @Test("normalising trims, rounds and folds")
  func normalising() throws {
    let side = pms(faults: [.normalising])
    let body = try JSONValue(
      parsing:
        #"{"name":" A  B ","email":" X@Y.Example","credit":{"limit":10.125},"a":10.135,"b":-0.004,"c":1.1,"#
        + #""d":3,"e":1.999}"#
    )
    let kept = try side.json("POST", "/customers", body)
    #expect(kept["name"] == "A  B" && kept["email"] == "x@y.example")
    func text(_ value: JSONValue?) -> String? { value?.identifier }
    #expect(text(kept["credit"]?["limit"]) == "10.12")
    #expect(text(kept["a"]) == "10.14")
    #expect(Double(text(kept["b"]) ?? "1") == 0)
    #expect(text(kept["c"]) == "1.1")
    #expect(text(kept["d"]) == "3")
    #expect(Double(text(kept["e"]) ?? "0") == 2)
  }

  @Test("lying leaves rows out, repeats them, shows old ones, and has a clock that is off")
  func lying() throws {
    let invoiced = invoiced(faults: [.lying])
    invoiced.fill(20, now: noon)
    let pms = pms(faults: [.lying])
    for index in 0..<20 { _ = try create(pms, ["name": .string("\(index)")]) }
    for side in [invoiced as any SimulatedSystem, pms] {
      var (empty, short, long) = (0, 0, 0)
      for _ in 0..<200 {
        let page = try side.json("GET", "/customers", at: noon + 60_000)
        let rows = (page.array ?? page["data"]?.array ?? []).compactMap { $0["id"]?.identifier }
        if rows.isEmpty { empty += 1 } else if Set(rows).count < 20 { short += 1 }
        if Set(rows).count < rows.count { long += 1 }
      }
      #expect(empty > 0 && short > 10 && long > 10)
      let date = try side.answer("GET", "/customers").headers["Date"]
      #expect(date != "Sun, 01 Mar 2026 12:00:00 GMT")
    }
    let id = try create(pms, ["name": "old"])
    _ = pms.ask("PATCH", "/customers/\(id)", ["name": "new"], at: noon + 60_000)
    func names(at now: Int64) throws -> Set<String> {
      Set(try (0..<100).compactMap { _ in try pms.json("GET", "/customers/\(id)", at: now)["name"]?.string })
    }
    #expect(try names(at: noon + 61_000) == ["old", "new"])
    #expect(try names(at: noon + 62_000) == ["new"])
  }

  @Test("a clock that is set right never dates a change before an earlier one", arguments: [1, 2, 3] as [UInt64])
  func clockNeverRunsBack(seed: UInt64) throws {
    let side = invoiced(seed: seed)
    let id = try #require(try side.json("POST", "/customers", ["name": "A"])["id"]?.identifier)
    var last: Int64 = 0
    for step in 0..<6 as Range<Int64> {
      side.setFaults(step % 2 == 0 ? [.lying] : [])
      let changed = side.edit(
        HTTPRequest(
          method: "PATCH", target: "/customers/\(id)", headers: ["Content-Type": "application/json"],
          body: Array(#"{"name":"\#(step)"}"#.utf8)), now: noon + step * 1000)
      let stamp = try #require(changed.response?.json?["updated_at"]?.int64)
      #expect(stamp >= last)
      last = stamp
    }
  }

  @Test("outages come and go")
  func outage() {
    let side = invoiced(faults: [.outage])
    var runs: [Int] = []
    for second in Int64(0)..<2000 {
      let status = side.ask("GET", "/customers", at: noon + second * 1000).response?.status ?? 0
      if runs.last != status { runs.append(status) }
    }
    #expect(runs.contains(0) && runs.contains(503) && runs.count { $0 == 200 } > 10)
  }

  @Test("the sandbox's own pages switch everything, uncounted and without credentials")
  func administration() throws {
    for side in [invoiced() as any SimulatedSystem, pms()] {
      func post(_ path: String, _ body: JSONValue = [:]) throws -> HTTPResponse {
        try side.answer("POST", "/_sandbox/" + path, body, headers: ["Authorization": ""])
      }
      _ = side.ask("GET", "/customers")
      #expect(try post("webhooks", ["lose": 1]).status == 200)
      #expect(side.ask("POST", "/customers", ["name": "A"]).deliveries.isEmpty)
      #expect(side.ask("POST", "/customers", ["name": "A"]).deliveries.count == 1)
      let stats = try side.json("GET", "/_sandbox/stats")
      #expect(stats["requests"] == ["GET": 1, "POST": 2, "PATCH": 0, "PUT": 0, "DELETE": 0])
      #expect(stats["webhooks"] == ["sent": 0, "failed": 0, "pending": 1, "lost": 1])
      #expect(stats["answers"] == ["200": 1, "201": 2])
      #expect(stats["records"] == 2)

      #expect(try post("outage", ["on": true]).status == 200)
      #expect(try side.answer("GET", "/customers").status == 503)
      #expect(try post("outage", ["on": true, "kind": "refused"]).status == 200)
      #expect(side.ask("GET", "/customers").response == nil)
      #expect(try post("outage", ["on": false]).status == 200)
      #expect(try side.answer("GET", "/customers").status == 200)

      #expect(try post("fail", ["next": 2, "status": 502]).status == 200)
      for status in [502, 502, 200] { #expect(try side.answer("GET", "/customers").status == status) }

      let lost: JSONValue = ["next": 1, "status": 0, "method": "POST", "after": true]
      #expect(try post("fail", lost).status == 200)
      #expect(try side.answer("GET", "/customers").status == 200)
      let unanswered = side.ask("POST", "/customers", ["name": "Unanswered"])
      #expect(unanswered.response == nil && unanswered.deliveries.count == 1)
      #expect(side.customers.last?["name"] == "Unanswered")
      #expect(try post("fail", ["next": 1, "after": true]).status == 200)
      #expect(try side.answer("POST", "/customers", ["name": "Broken"]).status == 500)
      #expect(side.customers.last?["name"] == "Broken")
      #expect(try post("fail", ["next": 1, "status": 200]).status == 404)

      #expect(try post("latency", ["milliseconds": 70]).status == 200)
      #expect(side.ask("GET", "/customers").delay == 70)
      #expect(try post("latency", ["milliseconds": 0]).status == 200)

      #expect(try post("faults", ["profiles": ["lossy", "flaky"]]).json == ["profiles": ["flaky", "lossy"]])
      #expect(try post("faults", ["profiles": ["wool"]]).status == 404)
      #expect(try side.json("GET", "/_sandbox/faults") == ["profiles": ["flaky", "lossy"]])
      #expect(try post("faults", ["profiles": []]).status == 200)
      #expect(try post("webhooks", ["enabled": false]).json?["enabled"] == false)
      #expect(side.ask("POST", "/customers", ["name": "A"]).deliveries.isEmpty)
      #expect(try post("clear-stats").json?["requests"]?["POST"] == 0)
      #expect(try side.answer("GET", "/_sandbox/wool").status == 404)
    }
  }

  @Test("the filled-in customers are the same for a seed, of all types, and set off nothing")
  func fill() throws {
    let (a, b, c) = (invoiced(seed: 7), invoiced(seed: 7), invoiced(seed: 8))
    for side in [a, b, c] { side.fill(300, now: noon) }
    #expect(a.customers == b.customers && a.customers != c.customers && a.customers.count == 300)
    #expect(Set(a.customers.compactMap { $0["type"]?.string }) == ["company", "government", "non_profit", "person"])
    #expect(Set(a.customers.compactMap { $0["number"]?.string }).count == 300)
    #expect(a.customers.contains { $0["name"]?.string?.utf8.contains { $0 > 0x7F } == true })
    #expect(a.stats.pending == 0)
    #expect(try a.json("GET", "/events") == [])
    #expect(try a.json("POST", "/customers", ["name": "Next"])["number"] == "CUST-0301")
  }
}
