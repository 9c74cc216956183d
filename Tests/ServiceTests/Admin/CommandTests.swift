import Foundation
import Glibc
import HTTP
import JSON
import Logging
import Sandbox
import Service
import Support
import Testing

/// The built program, run beside the tests.
struct Ran: Sendable {
  let status: Int32
  let output: String
  let errors: String
  var json: JSONValue { (try? JSONValue(parsing: Array(output.utf8))) ?? .null }

  static func command(_ bench: AdminBench, _ arguments: String...) async throws -> Ran {
    try await run(arguments + ["--config", bench.configurationFile])
  }

  static func run(_ arguments: [String]) async throws -> Ran {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let program = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("customer-sync")
    let place = NSTemporaryDirectory() + "/customer-sync-run-" + UUID().uuidString
    let paths = [place + ".out", place + ".err"]
    defer { for path in paths { try? FileManager.default.removeItem(atPath: path) } }
    let end = try await Child(program.path, arguments, output: paths[0], errors: paths[1]).result()
    let status = try #require(end.code, "\(arguments): \(end)")
    let texts = try paths.map { try String(contentsOfFile: $0, encoding: .utf8) }
    return Ran(status: status, output: texts[0], errors: texts[1])
  }
}

@Suite("Commands", .timeLimit(.minutes(3)), .serialized) struct CommandTests {
  @Test("commands ask the running service, and say what they did")
  func withService() async throws {
    try await AdminBench.with { bench in
      let link = try await bench.link("Acme \u{7} <b>")
      try await checkReads(bench, link)
      let paused = try await Ran.command(bench, "pause", "pms", "--reason", "stocktaking")
      #expect(paused.status == 0 && paused.output == "Pushes to pms are paused.\n")
      let status = try await Ran.command(bench, "status")
      #expect(status.status == 0 && status.output.contains("pms       paused") && status.errors == "")
      #expect(!status.output.contains("\u{1B}"))
      #expect(try await bench.admin("GET", "status").json["sides"]?["pms"]?["state"] == "paused")
      #expect(try await Ran.command(bench, "resume", "pms").status == 0)

      let stranger = bench.configurationFile + ".stranger"
      try String(contentsOfFile: bench.configurationFile, encoding: .utf8).replacing(AdminBench.token, with: "wrong")
        .write(toFile: stranger, atomically: true, encoding: .utf8)
      let refused = try await Ran.run(["links", "list", "--json", "--config", stranger])
      #expect(refused.status == 1 && refused.output == "" && refused.errors.hasPrefix("error: "))

      let number = link["id"]?.identifier ?? ""
      let unlinked = try await Ran.command(bench, "links", "unlink", number, "--json")
      #expect(unlinked.status == 0 && unlinked.json["state"] == "ended")
      #expect(try await Ran.command(bench, "links", "list", "--ended", "--json").json.array?.count == 1)
      #expect(try await Ran.command(bench, "links", "list", "--json").json == [])
      let made = try await Ran.command(
        bench, "links", "link", link["invoiced_id"]?.string ?? "", link["pms_id"]?.string ?? "", "--json")
      #expect(made.status == 0 && made.json["state"] == "active")
      let again = try await Ran.command(bench, "links", "unlink", number)
      #expect(again.status == 1 && again.errors.contains("has ended already"))
      let forgotten = try await Ran.command(bench, "forget", "--pms", link["pms_id"]?.string ?? "")
      #expect(forgotten.status == 0 && forgotten.output.hasPrefix("Erased: pms:"))
    }
  }

  @Test("a reconcile shows its own end, though others are asked for meanwhile")
  func followed() async throws {
    try await AdminBench.with { bench in
      async let ran = Ran.command(bench, "reconcile", "--json")
      let over = Task { () -> Int in
        var asked = 0
        while !Task.isCancelled {
          _ = try await bench.admin("POST", "reconcile", ["full": true])
          asked += 1
        }
        return asked
      }
      let outcome = try await ran
      over.cancel()
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.json["state"] == "done" && outcome.json["full"] == false)
    }
  }

  @Test("commands open the store themselves where something else answers on the admin listener's address")
  func strangers() async throws {
    try await AdminBench.with { other in
      let place = try AdminBench.directory()
      defer { try? FileManager.default.removeItem(atPath: place) }
      try AdminBench.mapping.write(toFile: place + "/mapping.yaml", atomically: true, encoding: .utf8)
      let urls = (invoiced: other.sandbox.invoiced.url, pms: other.sandbox.pms.url)
      let file = place + "/customer-sync.yaml"
      try AdminBench.configuration(urls, admin: other.service.adminPort, true)
        .write(toFile: file, atomically: true, encoding: .utf8)
      // The second time there is a lock file, of a command that is over.
      for _ in 1...2 {
        let paused = try await Ran.run(["pause", "pms", "--config", file])
        #expect(paused.status == 0, "\(paused.errors)")
      }
      #expect(try await other.admin("GET", "status").json["sides"]?["pms"]?["state"] == "up")
      let own = try await Ran.run(["status", "--json", "--config", file])
      #expect(own.json["sides"]?["pms"]?["state"] == "paused")
    }
  }

  private func checkReads(_ bench: AdminBench, _ link: JSONValue) async throws {
    let (invoiced, pms) = (link["invoiced_id"]?.string ?? "", link["pms_id"]?.string ?? "")
    let list = try await Ran.command(bench, "links", "list", "--json")
    #expect(list.status == 0 && list.json.array?.first?["pms_id"]?.string == pms)
    let lines = try await Ran.command(bench, "links", "list").output.split(separator: "\n")
    #expect(lines.count == 2 && lines[0].hasPrefix("ID") && lines[1].contains(invoiced))
    let shown = try await Ran.command(bench, "links", "show", "invoiced:" + invoiced)
    #expect(shown.status == 0 && shown.output.contains("customer_number") == false && shown.output.contains("CUST-1"))
    let events = try await Ran.command(bench, "events", "list", "--side", "invoiced", "--json")
    let event = try #require(events.json.array?.first)
    #expect(event["side"] == "invoiced" && event["at"]?.string != nil)
    let one = try await Ran.command(bench, "events", "show", event["event"]?.string ?? "", "--json")
    #expect(one.status == 0 && one.json["id"] == event["id"])
    #expect(try await Ran.command(bench, "events", "replay", event["id"]?.identifier ?? "").status == 0)
    for list in ["parked", "conflicts"] {
      #expect(try await Ran.command(bench, list, "list", "--json").json == [])
      let unknown = try await Ran.command(bench, list, "show", "4711")
      #expect(unknown.status == 1 && unknown.output == "" && unknown.errors.contains("There is no"))
    }
    #expect(try await Ran.command(bench, "parked", "retry", "--all").output == "0 parked entries are tried again.\n")
    for unknown in [["events", "show", "nothing"], ["links", "show", "nothing"], ["links", "unlink", "4711"]] {
      let ran = try await Ran.run(unknown + ["--config", bench.configurationFile])
      #expect(ran.status == 1 && ran.errors.contains("There is no"), "\(unknown)")
    }
    #expect(try await Ran.command(bench, "conflicts", "resolve", "1", "--take", "both").status == 64)
    #expect(try await Ran.command(bench, "pause", "left").status == 64)
    #expect(try await Ran.command(bench, "events", "list", "--state", "odd").status == 64)
  }

  @Test("commands open the store themselves while no service runs, and the next one carries out what they decided")
  func withoutService() async throws {
    try await AdminBench.with { bench in
      let link = try await bench.link()
      await bench.service.drain(within: .seconds(2))
      try await checkReads(bench, link)
      #expect(try await Ran.command(bench, "pause", "invoiced").status == 0)
      let status = try await Ran.command(bench, "status", "--json")
      #expect(status.json["sides"]?["invoiced"]?["state"] == "paused")
      #expect(try await Ran.command(bench, "status").errors.hasSuffix("No service runs now.\n"))
      let waiting = try await Ran.command(bench, "events", "list", "--state", "waiting", "--json")
      #expect(waiting.json.array?.isEmpty == false)
      #expect(try await Ran.command(bench, "resume", "invoiced").status == 0)
      let again = try await AdminBench.start(in: bench.directory)
      _ = try await again.wait { try await again.items("events?state=waiting").isEmpty ? true : nil }
      await again.stop()
    }
  }

  @Test("a store that another process holds, without a service that answers, is exit 1 with its holder named")
  func held() async throws {
    let directory = try AdminBench.directory()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try AdminBench.mapping.write(toFile: directory + "/mapping.yaml", atomically: true, encoding: .utf8)
    let file = directory + "/customer-sync.yaml"
    try AdminBench.configuration(("http://127.0.0.1:1", "http://127.0.0.1:1"), admin: 1, true)
      .write(toFile: file, atomically: true, encoding: .utf8)
    let configuration = try #require(Configuration.load(file: file, environment: [:]).0)
    let mapping = try #require(MappingLoader.load(configuration.mapping).0)
    let core = try ServiceCore(
      configuration, mapping: mapping, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      purpose: "backfill")
    let refused = try await Ran.run(["status", "--config", file])
    await core.close()
    #expect(refused.status == 1 && refused.output == "")
    #expect(refused.errors.contains("in use by process \(getpid()) (backfill)"))
    #expect(try await Ran.run(["status", "--config", file]).status == 0)
    #expect(try await Ran.run(["status", "--config", directory + "/none.yaml"]).status == 78)
  }
}
