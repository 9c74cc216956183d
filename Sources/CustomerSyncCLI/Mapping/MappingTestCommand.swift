import ArgumentParser
import Connectors
import JSON
import Mapping
import Service

struct MappingTest: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "test",
    abstract: "Show what a record becomes on the other side, property by property, and back.",
    discussion: """
      FILE is a record as its system's API gives it, or the body of a webhook or callback; - is standard input. \
      Nothing is asked of either system. Exits with 1 when no flow covers the record, or a value doesn't fit.

      EXAMPLE
        customer-sync mapping test --invoiced event.json
        curl -s -H "Authorization: Bearer $PMS_TOKEN" \\
          https://pms.example.com/api/v1/customers/7 |
          customer-sync mapping test --pms -
      """)

  @OptionGroup var source: MappingOptions

  @Option(help: ArgumentHelp("A record of Invoiced.", valueName: "file"))
  var invoiced: String?

  @Option(help: ArgumentHelp("A record of the PMS.", valueName: "file"))
  var pms: String?

  @Option(help: ArgumentHelp("Try this flow, whichever owns the record.", valueName: "name"))
  var flow: String?

  @Flag(help: "Print an object.")
  var json = false

  func validate() throws {
    if (invoiced == nil) == (pms == nil) { throw ValidationError("Give one of --invoiced FILE and --pms FILE.") }
  }

  func run() throws {
    let (mapping, configuration) = try source.load()
    let side: Side = invoiced == nil ? .pms : .invoiced
    let file = invoiced ?? pms ?? "-"
    var bytes = try CommandFailure.reporting { () throws(FileFailure) in try Files.bytes(of: file) }
    // Some editors begin a file with a byte order mark, which is no JSON.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
    let value = try CommandFailure.reporting { () throws(SampleFailure) in
      do throws(JSONError) { return try JSONValue(parsing: bytes) } catch { throw SampleFailure("\(file): \(error)") }
    }
    let sample = try CommandFailure.reporting { () throws(SampleFailure) in
      try SampleRecord(value, side: side, file: file, callbackRecord: configuration?.pms.callback.record)
    }
    let idPath = side == .pms ? configuration?.pms.entity.id : nil
    let flow = try CommandFailure.reporting { () throws(SampleFailure) in try chosen(mapping, sample, side) }
    let trial = RecordTrial(sample.record, side: side, flow: flow, idPath: idPath ?? JSONPath([.key("id")]))
    if json { Console.print(trial.json.pretty) } else { Console.write(trial.text) }
    if trial.hasMisfits { throw ExitCode.failure }
  }

  private func chosen(_ mapping: Mapping, _ sample: SampleRecord, _ side: Side) throws(SampleFailure) -> Flow {
    let owner = mapping.flow(owning: sample.record, on: side)
    guard let name = flow else {
      if let owner { return owner }
      let reasons = mapping.flows.map { "  flow '\($0.name)': \(Self.obstacle($0, sample.record, side))" }
      throw SampleFailure(
        (["no flow covers this record of \(side.title)"] + reasons).joined(separator: "\n")
          + "\n  next: change a flow's `where`, or choose one with --flow")
    }
    guard let flow = mapping.flow(named: name) else {
      throw SampleFailure(mapping.noFlow(named: name))
    }
    guard flow.covers(sample.record, on: side) else {
      throw SampleFailure(
        "flow '\(name)' does not cover this record of \(side.title): \(Self.obstacle(flow, sample.record, side))")
    }
    if let owner, owner.name != flow.name {
      Console.message("warning: flow '\(owner.name)' comes first and would own this record, not '\(name)'")
    }
    return flow
  }

  /// The first condition of the flow that doesn't hold.
  private static func obstacle(_ flow: Flow, _ record: JSONValue, _ side: Side) -> String {
    guard let failing = flow.side(side).conditions.first(where: { !$0.holds(in: record) }) else { return "it fits" }
    let found = record[failing.path].map { ShownValue.text($0) } ?? "absent"
    let wanted =
      switch failing.test {
      case .oneOf(let values): values.map { ShownValue.text($0) }.joined(separator: " or ")
      case .not(let value): "anything but \(ShownValue.text(value))"
      case .exists(let exists): exists ? "a value" : "nothing"
      }
    return "`where` wants '\(failing.path)' to be \(wanted), and it is \(found)"
  }
}

/// Why a file can't be tried.
struct SampleFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A record given by itself, or in an event's body.
struct SampleRecord {
  let record: JSONValue

  /// - Parameter callbackRecord: Where the PMS's callbacks carry the record, if a configuration says so.
  init(_ value: JSONValue, side: Side, file: String, callbackRecord: JSONPath?) throws(SampleFailure) {
    guard value.object != nil else { throw SampleFailure("\(file) holds no JSON object, so it is no record") }
    let isEvent = value["type"]?.string != nil
    switch side {
    case .invoiced:
      if isEvent, let inner = value["data"]?["object"], inner.object != nil { record = inner } else { record = value }
      if let object = record["object"]?.string, object != "customer" {
        throw SampleFailure("\(file) is about the Invoiced object '\(object)', and no flow covers any but 'customer'")
      }
    case .pms:
      let path = callbackRecord ?? JSONPath([.key("data")])
      if isEvent, let inner = value[path], inner.object != nil { record = inner } else { record = value }
    }
  }
}
