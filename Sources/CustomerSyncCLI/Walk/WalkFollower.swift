import ArgumentParser
import Glibc
import JSON

/// Starts a walk, shows how it gets on, and prints what came of it.
enum WalkFollower {
  static func run(
    _ options: ConfigurationOptions, _ output: OutputOptions, purpose: String, path: String, body: JSONValue
  ) async throws {
    let admin = try await AdminConnection.open(options, purpose: purpose, works: true)
    do {
      let walk = try await follow(admin, path, body)
      await admin.close()
      if output.json { Console.print(walk.pretty) } else { Console.print(summary(walk)) }
      guard walk["state"] == "done" else {
        Console.message("error: \(Table.text(walk["reason"]))")
        throw ExitCode.failure
      }
    } catch let failure as CommandFailure {
      await admin.close()
      Console.message("error: \(failure.reason)")
      throw ExitCode.failure
    }
  }

  private static func follow(_ admin: AdminConnection, _ path: String, _ body: JSONValue) async throws -> JSONValue {
    let progress = WalkProgress()
    var walk = try await admin.call("POST", path, body: body)
    // Others may ask for walks too: by its number, so that nobody's but its own end is waited for and shown.
    guard let id = walk["id"]?.identifier else { throw CommandFailure("the admin API named no walk") }
    while walk["state"] != "done", walk["state"] != "failed" {
      progress.show(walk)
      try await Task.sleep(for: .milliseconds(50))
      walk = try await admin.call("GET", path, query: [("id", id)])
    }
    progress.end()
    return walk
  }

  static func summary(_ walk: JSONValue) -> String {
    func count(_ name: String) -> String { Table.text(walk[name] ?? 0) }
    let rows = walk["rows"]
    var lines = [
      "Looked at \(Table.text(rows?["invoiced"] ?? 0)) records of Invoiced and \(Table.text(rows?["pms"] ?? 0)) of the "
        + "PMS: \(count("changed")) new, changed or not in order, \(count("missing")) missing."
    ]
    let pushes = walk["pushes"]?.array ?? []
    lines +=
      pushes.isEmpty
      ? ["Nothing was written to either side."]
      : Table.lines([Column("WRITTEN TO", "side"), Column("ACTION", "action"), Column("TIMES", "count")], pushes)
    for (name, text, list) in [
      ("waiting", "still waiting", "status"), ("parked", "parked", "parked list"),
      ("conflicts", "in conflict", "conflicts list"),
    ] {
      if let number = walk[name]?.int64, number > 0 { lines.append("\(number) \(text); see: customer-sync \(list)") }
    }
    return lines.joined(separator: "\n")
  }
}

/// How a walk gets on: a bar on a terminal, else a line now and then.
final class WalkProgress {
  private let isTerminal = Console.isTerminal(STDERR_FILENO)
  private let clock = ContinuousClock()
  private let start = ContinuousClock().now
  private var shown: ContinuousClock.Instant?
  private var last = ""

  func show(_ walk: @autoclosure () -> JSONValue) {
    let now = clock.now
    let pause: Duration = isTerminal ? .milliseconds(200) : .seconds(10)
    // What is over in a moment needs no progress.
    guard now - (shown ?? start) >= pause else { return }
    shown = now
    let line = text(walk(), seconds: Double((now - start).components.seconds) + 0.5)
    guard line != last else { return }
    last = line
    if isTerminal { Console.write("\r\u{1B}[K\(line)", toError: true) } else { Console.message(line) }
  }

  func end() { if isTerminal, !last.isEmpty { Console.write("\r\u{1B}[K", toError: true) } }

  private func text(_ walk: JSONValue, seconds: Double) -> String {
    guard walk["state"] == "walking", let side = walk["side"]?.string else {
      return "\(Table.text(walk["state"])): \(Table.text(walk["waiting"])) to be worked on"
    }
    let rows = Int(walk["rows"]?[side]?.int64 ?? 0)
    let rate = Int(Double(rows) / seconds)
    guard let total = walk["totals"]?[side]?.int64.map({ Int($0) }), total > 0 else {
      return "\(side)  \(rows) rows, \(rate) a second"
    }
    let width = 24
    let full = min(width, rows * width / total)
    let bar = String(repeating: "=", count: full) + String(repeating: " ", count: width - full)
    let left = rate > 0 ? max(0, total - rows) / rate : 0
    return "\(side)  [\(bar)] \(rows) of \(total), \(rate) a second, \(left / 60) min \(left % 60) s left"
  }
}
