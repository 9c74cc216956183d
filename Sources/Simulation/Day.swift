import Connectors
import HTTP
import HTTPClient
import JSON
import Logging
import Mapping
import Sandbox
import SeededRandom
import Service
import Signatures
import Store
import Sync
import Synchronization

/// One scenario as it is lived through: the real service between both simulated sides, on virtual time.
final class Day: Sendable {
  fileprivate struct Running: Sendable {
    var process: SimulatedProcess
    var engine: Engine
    var intake: Intake
    var store: SimulatedStore
    var connectors: [Side: any Connector]
    var mapping: Mapping
    var task: Task<Void, Never>
  }

  fileprivate struct State: Sendable {
    var running: Running?
    var starts = 0
    var commits = 0
    var writes = 0
    /// When each crash that waits for a moment began to, by what had been counted then.
    var armed: [(crash: Crash, commits: Int, writes: Int)] = []
    var edits = 0
    /// Where each subject's records are.
    var places: [Int: [Side: String]] = [:]
  }

  /// 2026-03-01T12:00:00Z.
  private static let start: Int64 = 1_772_366_400_000
  private static let minute: Int64 = 60_000
  /// More jobs than a day that comes to an end has.
  private static let mostSteps = 300_000

  private let scenario: Scenario
  private let settings: SimulatedSettings
  let timeline: Timeline
  let trace: Trace
  let judge: Judge
  private let executor: StepExecutor
  let systems: [Side: any SimulatedSystem]
  let store: SQLiteStore
  private let random: SeededGenerator
  private let storeFaults: Set<Int>
  private let box = NetworkBox()
  private let state = Mutex(State())

  init(_ scenario: Scenario, _ settings: SimulatedSettings, store: SQLiteStore, isRecording: Bool) {
    self.scenario = scenario
    judge = Judge(scenario)
    storeFaults = Set(scenario.storeFaults.map(\.ordinal))
    self.settings = settings
    let root = SeededGenerator(seed: scenario.seed).stream(1000)
    random = root
    timeline = Timeline(start: Self.start, generator: root.stream(1))
    trace = Trace(timeline: timeline, isRecording: isRecording)
    executor = StepExecutor(generator: root.stream(2))
    self.store = store
    var invoiced = InvoicedOptions()
    invoiced.webhookURL = "http://service.simulation/webhooks/invoiced"
    invoiced.clockSkew = scenario.surroundings.skews[.invoiced] ?? 0
    var pms = PMSOptions()
    pms.callbackURL = "http://service.simulation/callbacks/pms"
    pms.callbacksCarryOnlyID = scenario.surroundings.callbacksCarryOnlyID
    pms.clockSkew = scenario.surroundings.skews[.pms] ?? 0
    if scenario.surroundings.normalises { pms.faults = [.normalising] }
    systems = [
      .invoiced: InvoicedSandbox(invoiced, generator: root.stream(3)),
      .pms: PMSSandbox(pms, generator: root.stream(4)),
    ]
    box.set(
      Network(
        scenario, systems: systems, timeline: timeline, trace: trace, generator: root.stream(5), observer: self))
  }

  private var network: Network { box.network }
  var mapping: Mapping { state.withLock { $0.running?.mapping } ?? scenario.mapping }
  var steps: Int { executor.steps }
  private var carriedOut: Int { state.withLock { $0.edits } }
  var passed: Int64 { timeline.now - Self.start }

  // MARK: The day's course

  func run() -> Violation? {
    begin(scenario.mapping)
    for edit in scenario.edits { at(edit.at) { await self.carryOut(edit) } }
    for moment in scenario.reconciles { timeline.schedule(at: Self.start + moment) { self.walk() } }
    for crash in scenario.crashes {
      timeline.schedule(at: Self.start + crash.at) { self.arm(crash) }
    }
    for decision in scenario.decisions { at(decision.at) { await self.carryOut(decision) } }
    // Invoiced tries a webhook again after an hour.
    let calm = Self.start + scenario.calmAt
    pass(until: calm + 75 * Self.minute)
    state.withLock { $0.armed = [] }
    walk()
    pass(until: calm + 105 * Self.minute)
    wait { await self.checkRest() }
    let writes = judge.writes
    walk()
    pass(until: calm + 125 * Self.minute)
    if judge.writes > writes {
      judge.fail(.pushAtRest, "\(judge.writes - writes) writes in a reconcile after the last")
    }
    judge.checkCount(edits: carriedOut, crashes: state.withLock { $0.starts - 1 })
    kill()
    pass(until: calm + 126 * Self.minute)
    return judge.violation
  }

  private func at(_ moment: Int64, _ body: @escaping @Sendable () async -> Void) {
    timeline.schedule(at: Self.start + moment) { self.spawn(body) }
  }

  private func spawn(_ body: @escaping @Sendable () async -> Void) {
    Task(executorPreference: executor) { await body() }
  }

  /// Runs `body` to its end, with whatever else is ready.
  private func wait(_ body: @escaping @Sendable () async -> Void) {
    let done = DoneFlag()
    spawn {
      await body()
      done.set()
    }
    while !done.isSet, executor.step() {}
  }

  private func pass(until moment: Int64) {
    while judge.violation == nil {
      if executor.step() {
        if executor.steps > Self.mostSteps {
          wait { await self.tellUnrest() }
        }
        continue
      }
      if !timeline.advance(until: moment) { break }
    }
    timeline.skip(to: moment)
  }

  // MARK: The service

  private func begin(_ mapping: Mapping) {
    let process = SimulatedProcess()
    let clock = SimulatedClock(timeline: timeline, process: process)
    let now: @Sendable () -> Timestamp = { clock.now }
    let transport = SimulatedTransport(network: network, process: process)
    let number = state.withLock { state in
      state.starts += 1
      return state.starts
    }
    let source = RandomBytes(random.stream(UInt64(100 + number)))
    let configuration = settings.configuration
    let connectors: [Side: any Connector] = [
      .invoiced: InvoicedConnector(
        url: configuration.invoiced.url, apiKey: configuration.invoiced.apiKey,
        timeout: configuration.invoiced.timeout, transport: transport, now: now),
      .pms: PMSConnector(configuration.pms.endpoint, transport: transport, now: now),
    ]
    let store = SimulatedStore(base: store, process: process) { self.committing(after: $0) }
    let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    let engine = Engine(
      configuration, mapping: mapping, store: store, connectors: connectors, clock: clock,
      random: RandomSource { source.next($0) }, logger: logger, executor: executor)
    let intake = Intake(store: store, clock: clock, metrics: Metrics(), logger: logger) { engine.notify($0) }
    let task = Task(executorPreference: executor) { await engine.run(walksBySchedule: false) }
    trace.note("start", [], "the service starts")
    judge.runs(by: mapping)
    state.withLock {
      $0.running = Running(
        process: process, engine: engine, intake: intake, store: store, connectors: connectors, mapping: mapping,
        task: task)
    }
  }

  private func kill() {
    let running = state.withLock { state in
      defer { state.running = nil }
      return state.running
    }
    running?.task.cancel()
    running?.process.kill()
  }

  private func arm(_ crash: Crash) {
    if crash.moment == .time { return carryOut(crash) }
    state.withLock { $0.armed.append((crash, $0.commits, $0.writes)) }
  }

  private func carryOut(_ crash: Crash) {
    let mapping = crash.mapping ?? mapping
    guard state.withLock({ $0.running != nil }) else { return }
    trace.note("crash", [], "CRASH; down for \(crash.downtime) ms")
    kill()
    timeline.schedule(at: timeline.now + crash.downtime) { self.begin(mapping) }
  }

  /// - Returns: Whether the commit goes on.
  private func committing(after: Bool) -> Bool {
    let (due, commits) = state.withLock { state -> (Crash?, Int) in
      if !after { state.commits += 1 }
      let commits = state.commits
      let due = state.takeArmed { armed in
        if case .commit(let count, let isAfter) = armed.crash.moment {
          return isAfter == after && commits - armed.commits > count
        }
        return false
      }
      return (due, commits)
    }
    if let due { carryOut(due) }
    guard !after, storeFaults.contains(commits), timeline.now < Self.start + scenario.calmAt else { return true }
    trace.note("full", [], "     the disk is full")
    return false
  }

  var isRunning: Bool { state.withLock { $0.running != nil } }

  /// Asks the service's admin API for something to be done.
  func ask(_ path: String, _ body: JSONValue) async {
    guard let engine = state.withLock({ $0.running?.engine }) else { return }
    _ = await engine.answer(HTTPRequest(method: "POST", target: "/admin/v1/\(path)", body: body.serialized))
  }

  /// A pass over every record of both sides.
  private func walk() {
    trace.note("walk", [], "reconcile")
    _ = state.withLock { $0.running }?.engine.walks.start(.reconcile(full: true))
  }
}

extension Day.State {
  /// The first armed crash whose moment has come, which is armed no more.
  fileprivate mutating func takeArmed(_ isDue: ((crash: Crash, commits: Int, writes: Int)) -> Bool) -> Crash? {
    guard running != nil, let index = armed.firstIndex(where: isDue) else { return nil }
    return armed.remove(at: index).crash
  }
}

// MARK: - What the network tells

extension Day: NetworkObserver {
  func underWay(_ request: HTTPRequest, to side: Side, by change: Int) {
    judge.underWay(request.path, on: side, by: change)
  }

  func departs(_ request: HTTPRequest, to side: Side, isDisturbed: Bool) {
    if isDisturbed { judge.disturbed() }
    let due = state.withLock { state -> Crash? in
      state.writes += 1
      let writes = state.writes
      return state.takeArmed { armed in
        if case .write(let count) = armed.crash.moment { return writes - armed.writes > count }
        return false
      }
    }
    if let due { carryOut(due) }
  }

  func arrived(_ request: HTTPRequest, at side: Side, before: JSONValue?, made: JSONValue?) {
    judge.wrote(request, to: side, before: before, made: made, at: timeline.now, mapping) { side, id in
      self.systems[side]?.customers.contains { $0["id"]?.identifier == id } ?? false
    }
    if let record = made ?? before.flatMap({ self.record($0["id"]?.identifier, on: side) }) {
      judge.shows(record, on: side, after: request)
    }
  }

  private func record(_ id: String?, on side: Side) -> JSONValue? {
    systems[side]?.customers.first { $0["id"]?.identifier == id }
  }

  func receive(_ request: HTTPRequest, from side: Side, _ answer: @escaping @Sendable (Int) -> Void) {
    guard let running = state.withLock({ $0.running }), let endpoint = settings.endpoints[side] else {
      return answer(0)
    }
    running.intake.receive(request, at: endpoint) { response in
      // Whoever was killed right then has answered nothing.
      guard !running.process.isOver else { return answer(0) }
      if response.status == 200, let body = try? JSONValue(parsing: response.body), body["status"] == "accepted",
        let event = body["event"]?.identifier
      {
        self.judge.accepted(event, from: side)
      }
      answer(response.status)
    }
  }
}

// MARK: - What people do

extension Day {
  private func carryOut(_ edit: Edit) async {
    switch edit.action {
    case .create(let body):
      note(edit, "creates \(body.text)")
      if let record = network.edit("POST", "/customers", body, on: edit.side, isSilent: edit.isSilent) {
        state.withLock { $0.places[edit.subject, default: [:]][edit.side] = record["id"]?.identifier }
        judge.edited(
          record, from: nil, on: edit.side, partner: nil, at: timeline.now, isSilent: edit.isSilent, mapping)
      }
    case .update(let changes):
      guard let (id, record) = await place(edit.subject, on: edit.side) else { return }
      let partner = await partner(of: id, on: edit.side)
      let body = Self.body(changes, of: record, on: edit.side)
      note(edit, "edits \(edit.side.rawValue):\(id): \(body.text)")
      if let edited = network.edit("PATCH", "/customers/\(id)", body, on: edit.side, isSilent: edit.isSilent) {
        judge.edited(
          edited, from: record, on: edit.side, partner: partner, at: timeline.now, isSilent: edit.isSilent, mapping)
      }
    case .delete:
      guard let (id, _) = await place(edit.subject, on: edit.side) else { return }
      note(edit, "deletes \(edit.side.rawValue):\(id)")
      _ = network.edit("DELETE", "/customers/\(id)", nil, on: edit.side, isSilent: edit.isSilent)
    case .merge(let loser):
      guard let (id, _) = await place(edit.subject, on: .invoiced), let (lost, _) = await place(loser, on: .invoiced),
        id != lost
      else { return }
      note(edit, "merges invoiced:\(lost) into invoiced:\(id)")
      judge.merged(lost, into: id)
      _ = network.edit(
        "POST", "/customers/\(id)/merge", ["customer": JSONNumber(validating: lost).map { .number($0) } ?? .null],
        on: .invoiced, isSilent: edit.isSilent)
    }
  }

  private func note(_ edit: Edit, _ text: @autoclosure () -> String) {
    state.withLock { $0.edits += 1 }
    trace.note(
      "edit", [UInt8(truncatingIfNeeded: edit.number)],
      "a person \(text())\(edit.isSilent ? "   (no webhook)" : "")")
  }

  /// The subject's record on a side: the one that was made there, or else the one that it is linked with.
  private func place(_ subject: Int, on side: Side) async -> (id: String, record: JSONValue)? {
    let places = state.withLock { $0.places[subject] } ?? [:]
    var id = places[side]
    if id == nil, let other = places[side.other] {
      id = try? await store.unit(of: RecordKey(side.other, RecordID(other))).link?.id(on: side).text
    }
    guard let id, let record = systems[side]?.customers.first(where: { $0["id"]?.identifier == id }) else { return nil }
    return (id, record)
  }

  private func partner(of id: String, on side: Side) async -> (record: JSONValue, link: Link)? {
    let link = try? await store.unit(of: RecordKey(side, RecordID(id))).link
    guard let link, link.state == .active else { return nil }
    let other = link.id(on: side.other).text
    return systems[side.other]?.customers.first { $0["id"]?.identifier == other }.map { ($0, link) }
  }

  /// As the side's own pages send it: Invoiced's metadata whole, the rest just what was changed.
  private static func body(_ changes: [Assignment], of record: JSONValue, on side: Side) -> JSONValue {
    var body = JSONValue.mergePatch(setting: changes, base: record)
    if side == .invoiced, let changed = body["metadata"]?.object {
      var metadata = record["metadata"]?.object ?? JSONObject()
      for (key, value) in changed.members { metadata[key] = value.isNull ? nil : value }
      body.set(.object(metadata), at: JSONPath([.key("metadata")]))
    }
    return body
  }
}

/// Set once, when the day has what the network needs.
private final class NetworkBox: Sendable {
  private let value = Mutex<Network?>(nil)
  func set(_ network: Network) { value.withLock { $0 = network } }
  var network: Network {
    guard let network = value.withLock({ $0 }) else { preconditionFailure("a day has its network from the start") }
    return network
  }
}

private final class DoneFlag: Sendable {
  private let value = Mutex(false)
  var isSet: Bool { value.withLock { $0 } }
  func set() { value.withLock { $0 = true } }
}

/// Random bytes from a seed.
private final class RandomBytes: Sendable {
  private let generator: Mutex<SeededGenerator>
  init(_ generator: SeededGenerator) { self.generator = Mutex(generator) }
  func next(_ count: Int) -> [UInt8] {
    generator.withLock { generator in (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) } }
  }
}
