import JSON
import Mapping
import Sandbox
import SeededRandom
import Sync

/// Draws a bad day from a seed: each kind of thing from a stream of its own.
struct ScenarioMaker {
  /// What is drawn, beside the mapping as it is given.
  struct Choices: Sendable {
    /// The flows' policies too.
    var policies = true
    /// Deletes, merges and changes of type.
    var deletes = true
  }

  let mapping: Mapping
  var choices = Choices()

  private static let minute: Int64 = 60_000

  func scenario(_ seed: UInt64) -> Scenario {
    let root = SeededGenerator(seed: seed)
    var mood = root.stream(1)
    var policies = root.stream(2)
    var scenario = Scenario(
      seed: seed, mapping: choices.policies ? Self.varied(mapping, &policies) : mapping)
    scenario.surroundings = surroundings(&mood)
    edits(&scenario, root.stream(3), root.stream(4))
    let span = scenario.edits.map(\.at).max() ?? 0
    faults(&scenario, root.stream(5), rate: mood.pick([0, 0, 0.02, 0.1, 0.3]))
    webhookFaults(&scenario, root.stream(6), rate: mood.pick([0, 0, 0.1, 0.4]))
    outages(&scenario, root.stream(7), span: span)
    crashes(&scenario, root.stream(8), span: span)
    reconciles(&scenario, root.stream(9), span: span)
    storeFaults(&scenario, root.stream(10), rate: mood.pick([0, 0, 0, 0.02, 0.1]))
    if choices.policies { mappingChanges(&scenario, root.stream(11)) }
    decisions(&scenario, root.stream(12), span: span)
    resolutions(&scenario, root.stream(13), span: span)
    return scenario
  }

  private func surroundings(_ mood: inout SeededGenerator) -> Surroundings {
    var surroundings = Surroundings()
    surroundings.normalises = mood.chance(0.3)
    surroundings.callbacksCarryOnlyID = mood.chance(0.3)
    for side in Side.allCases where mood.chance(0.3) {
      surroundings.skews[side] = mood.number(in: -30_000...30_000)
    }
    surroundings.latency = mood.pick([5, 40, 400])
    surroundings.webhookLatency = mood.pick([10, 200, 3000])
    return surroundings
  }

  private static func varied(_ mapping: Mapping, _ draw: inout SeededGenerator) -> Mapping {
    var mapping = mapping
    let conflict = draw.pick(ConflictPolicy.allCases)
    let onLink = draw.pick(LinkPolicy.allCases)
    let deletes = [draw.pick(DeletePolicy.allCases), draw.pick(DeletePolicy.allCases)]
    let onLeave = draw.pick(LeavePolicy.allCases)
    let live = draw.chance(0.15) ? draw.pick(LiveStep.allCases) : .all
    let create = draw.chance(0.15) ? draw.pick(CreatePolicy.allCases) : .both
    for index in mapping.flows.indices {
      mapping.flows[index].conflict = conflict
      mapping.flows[index].onLink = onLink
      mapping.flows[index].invoicedDeleted = deletes[0]
      mapping.flows[index].pmsDeleted = deletes[1]
      mapping.flows[index].onLeave = onLeave
      mapping.flows[index].live = live
      mapping.flows[index].create = create
    }
    return mapping
  }

  /// Some restarts are with a mapping that someone has changed meanwhile.
  private func mappingChanges(_ scenario: inout Scenario, _ draw: SeededGenerator) {
    var draw = draw
    guard draw.chance(0.4) else { return }
    var current = scenario.mapping
    for index in scenario.crashes.indices.sorted(by: { scenario.crashes[$0].at < scenario.crashes[$1].at }) {
      current = changed(current, &draw)
      scenario.crashes[index].mapping = current
    }
  }

  /// Another mapping for the same flows: policies, steps of going live, rows that go, come back, or become other ones.
  private func changed(_ mapping: Mapping, _ draw: inout SeededGenerator) -> Mapping {
    var next = mapping
    if draw.chance(0.3) { next = Self.varied(next, &draw) }
    if draw.chance(0.5) { for index in next.flows.indices { next.flows[index].live = .all } }
    for index in next.flows.indices where draw.chance(0.5) {
      let keys = Set(next.flows[index].match.map(\.invoiced))
      let original = self.mapping.flows[index].properties
      next.flows[index].properties = original.compactMap { row in
        guard !keys.contains(row.invoiced) else { return row }
        switch draw.number(in: 0...9) {
        case 0, 1: return nil
        case 2:
          var row = row
          row.direction = draw.pick(Direction.allCases)
          return row
        case 3 where row.converters.isEmpty:
          var row = row
          if row.type == .string { row.type = .any }
          if row.type == .decimal { row.converters = [.scale(2)] }
          return row
        default: return row
        }
      }
    }
    return next
  }

  // MARK: What people do

  private func edits(_ scenario: inout Scenario, _ what: SeededGenerator, _ values: SeededGenerator) {
    var what = what
    var people = People(mapping: scenario.mapping)
    // Where everybody edits the same few properties, edits meet.
    if what.chance(0.6), let rows = scenario.mapping.flows.first?.properties, !rows.isEmpty {
      people.favourites = [what.pick(rows).key, what.pick(rows).key]
    }
    let massDelete: Side? = choices.deletes && what.chance(0.08) ? what.pick(Side.allCases) : nil
    let subjects = Int(massDelete == nil ? what.number(in: 1...5) : what.number(in: 4...8))
    let count = massDelete == nil ? Int(what.pick([2, 4, 8, 14, 24] as [Int64])) : subjects + 4
    var now: Int64 = 1000
    var made = 0
    for number in 0..<max(subjects, count) {
      var draw = what.stream(UInt64(number) + 100)
      now += draw.pick([0, 0, draw.number(in: 1...60), draw.number(in: 100...5000), draw.number(in: 10_000...300_000)])
      var sample = SampleValues(generator: values.stream(UInt64(number)))
      let side: Side = draw.chance(0.5) ? .invoiced : .pms
      let isSilent = draw.chance(0.03)
      if made < subjects, made == 0 || draw.chance(0.5) || number + subjects - made >= max(subjects, count) {
        guard let flow = massDelete == nil ? draw.pick(scenario.mapping.flows) : scenario.mapping.flows.first,
          let pair = people.pair(flow, subject: made, number: number, &sample)
        else { continue }
        let isBoth = draw.chance(0.2)
        for side in isBoth ? Side.allCases : [side] {
          guard let body = side == .invoiced ? pair.invoiced : pair.pms else { continue }
          scenario.edits.append(
            Edit(
              number: scenario.edits.count, at: now, side: side, subject: made, action: .create(body: body),
              isSilent: isSilent))
        }
        made += 1
        continue
      }
      let subject = Int(draw.number(in: 0...Int64(max(made - 1, 0))))
      let flow = draw.pick(scenario.mapping.flows)
      if let action = rarer(flow, on: side, made: made, subject: subject, &draw) {
        scenario.edits.append(
          Edit(
            number: scenario.edits.count, at: now, side: side, subject: subject, action: action, isSilent: isSilent))
        continue
      }
      let changes = people.changes(flow, on: side, subject: subject, number: number, &sample, &draw)
      guard !changes.isEmpty else { continue }
      scenario.edits.append(
        Edit(
          number: scenario.edits.count, at: now, side: side, subject: subject, action: .update(changes: changes),
          isSilent: isSilent))
    }
    guard let massDelete else { return }
    // Somebody clears up: more at once than the guard lets through.
    now += 120_000
    for subject in 0..<made {
      scenario.edits.append(
        Edit(
          number: scenario.edits.count, at: now + Int64(subject) * 40, side: massDelete, subject: subject,
          action: .delete)
      )
    }
  }

  /// Deletes, merges, and a customer that becomes one of another type.
  private func rarer(
    _ flow: Flow, on side: Side, made: Int, subject: Int, _ draw: inout SeededGenerator
  ) -> Edit.Action? {
    guard choices.deletes else { return nil }
    switch draw.number(in: 0...19) {
    case 0, 1: return .delete
    case 2 where made > 1: return .merge(loser: (subject + 1) % made)
    case 3 where draw.chance(0.3): return leaving(flow, on: side)
    case 3:
      let constants = flow.side(side).conditions.compactMap { condition in
        condition.onlyValue.map { Assignment(condition.path, $0) }
      }
      return constants.isEmpty ? nil : .update(changes: constants)
    default: return nil
    }
  }

  /// Becomes a record that no flow is about.
  private func leaving(_ flow: Flow, on side: Side) -> Edit.Action? {
    guard let path = flow.side(side).conditions.first(where: { $0.onlyValue?.string != nil })?.path else { return nil }
    // Invoiced takes no other type than its own.
    let isType = side == .invoiced && path.description == "type"
    let change = Assignment(path, isType ? "person" : "elsewhere")
    var record = JSONValue.object(JSONObject())
    record.set(change.value, at: path)
    let isLeft = mapping.flows.allSatisfy { flow in
      flow.side(side).conditions.contains { $0.path == path && !$0.holds(in: record) }
    }
    return isLeft ? .update(changes: [change]) : nil
  }

  /// Where many records are deleted, the operator mostly has to have a say.
  private func decisions(_ scenario: inout Scenario, _ draw: SeededGenerator, span: Int64) {
    var draw = draw
    let deletes = scenario.edits.count { if case .delete = $0.action { true } else { false } }
    guard draw.chance(deletes > 3 ? 0.8 : 0.3) else { return }
    for number in 0..<Int(draw.number(in: 1...4)) {
      let at = Self.moment(&draw, span: span)
      let kind = draw.pick([Decision.Kind.approveDeletes, .rejectDeletes, .retryParked])
      scenario.decisions.append(Decision(number: number, at: at, kind: kind))
    }
  }

  /// Where edits that meet wait for a person, the operator mostly decides; deletes against edits may wait anyway.
  private func resolutions(_ scenario: inout Scenario, _ draw: SeededGenerator, span: Int64) {
    var draw = draw
    guard draw.chance(scenario.mapping.flows.contains { $0.conflict == .manual } ? 0.8 : 0.2) else { return }
    for _ in 0..<Int(draw.number(in: 1...3)) {
      let at = Self.moment(&draw, span: span)
      let kind = Decision.Kind.take(draw.pick(Side.allCases))
      scenario.decisions.append(Decision(number: scenario.decisions.count, at: at, kind: kind))
    }
  }

  /// While edits go on, or in the ten minutes after.
  private static func moment(_ draw: inout SeededGenerator, span: Int64) -> Int64 {
    draw.chance(0.4) ? draw.number(in: 0...max(1, span)) : span + draw.number(in: 1000...10 * minute)
  }

  // MARK: What goes wrong

  private func faults(_ scenario: inout Scenario, _ draw: SeededGenerator, rate: Double) {
    guard rate > 0 else { return }
    for (index, side) in Side.allCases.enumerated() {
      for isWrite in [false, true] {
        var draw = draw.stream(UInt64(index * 2 + (isWrite ? 1 : 0)))
        for ordinal in 1...200 where draw.chance(rate) {
          scenario.faults.append(
            CallFault(
              number: scenario.faults.count, side: side, isWrite: isWrite, ordinal: ordinal,
              kind: Self.fault(isWrite, &draw)))
        }
      }
    }
  }

  private static func fault(_ isWrite: Bool, _ draw: inout SeededGenerator) -> CallFault.Kind {
    switch draw.number(in: 0...10) {
    case 0: .refused
    case 1: .lostRequest
    case 2: .lostAnswer
    case 3: isWrite ? .arrivesLate(draw.number(in: 0...20_000)) : .slow(draw.number(in: 100...40_000))
    case 4: .gateway(draw.pick([502, 503, 504]))
    case 5: .tooMany(draw.chance(0.5) ? Int(draw.number(in: 1...90)) : nil)
    case 6: .serverError(carriedOut: isWrite && draw.chance(0.5))
    case 7: .slow(draw.number(in: 100...40_000))
    case 8: isWrite ? .serverError(carriedOut: true) : .stale
    case 9:
      isWrite
        ? .lostAnswer
        : draw.chance(0.5) ? .missingRow(Int(draw.number(in: 0...9))) : .doubledRow(Int(draw.number(in: 0...9)))
    default: isWrite ? .lostAnswer : .emptyPage
    }
  }

  private func webhookFaults(_ scenario: inout Scenario, _ draw: SeededGenerator, rate: Double) {
    guard rate > 0 else { return }
    for (index, side) in Side.allCases.enumerated() {
      var draw = draw.stream(UInt64(index))
      for ordinal in 1...100 where draw.chance(rate) {
        let kind: WebhookFault.Kind =
          switch draw.number(in: 0...2) {
          case 0: .lost
          case 1: .doubled(draw.number(in: 0...5000))
          default: .delayed(draw.number(in: 100...120_000))
          }
        scenario.webhookFaults.append(
          WebhookFault(number: scenario.webhookFaults.count, side: side, ordinal: ordinal, kind: kind))
      }
    }
  }

  private func storeFaults(_ scenario: inout Scenario, _ draw: SeededGenerator, rate: Double) {
    guard rate > 0 else { return }
    var draw = draw
    for ordinal in 1...300 where draw.chance(rate) {
      scenario.storeFaults.append(StoreFault(number: scenario.storeFaults.count, ordinal: ordinal))
    }
  }

  private func outages(_ scenario: inout Scenario, _ draw: SeededGenerator, span: Int64) {
    var draw = draw
    guard draw.chance(0.25) else { return }
    for number in 0..<Int(draw.number(in: 1...3)) {
      let from = draw.number(in: 0...max(1, span))
      scenario.outages.append(
        OutageWindow(
          number: number, side: draw.chance(0.5) ? .invoiced : .pms, from: from,
          until: from + draw.number(in: 1000...20 * Self.minute), isRefusing: draw.chance(0.5)))
    }
  }

  private func crashes(_ scenario: inout Scenario, _ draw: SeededGenerator, span: Int64) {
    var draw = draw
    guard draw.chance(0.4) else { return }
    for number in 0..<Int(draw.number(in: 1...3)) {
      let moment: Crash.Moment =
        switch draw.number(in: 0...3) {
        case 0: .time
        case 1: .commit(Int(draw.number(in: 0...20)), after: false)
        case 2: .commit(Int(draw.number(in: 0...20)), after: true)
        default: .write(Int(draw.number(in: 0...6)))
        }
      scenario.crashes.append(
        Crash(
          number: number, at: draw.number(in: 0...max(1, span)), moment: moment,
          downtime: draw.pick([0, 100, draw.number(in: 1000...10 * Self.minute)])))
    }
  }

  private func reconciles(_ scenario: inout Scenario, _ draw: SeededGenerator, span: Int64) {
    var draw = draw
    guard draw.chance(0.3) else { return }
    for _ in 0..<Int(draw.number(in: 1...3)) { scenario.reconciles.append(draw.number(in: 0...max(1, span))) }
    scenario.reconciles.sort()
  }
}

/// Makes up what people write, so that it fits the flows.
struct People {
  let mapping: Mapping
  /// The rows that are edited most; none for all alike.
  var favourites: Set<String> = []

  /// The same customer as each side would have it; nil where the flow's `where` leaves no way to make one up.
  func pair(
    _ flow: Flow, subject: Int, number: Int, _ sample: inout SampleValues
  ) -> (invoiced: JSONValue?, pms: JSONValue?)? {
    var records: [Side: JSONValue] = [:]
    for side in Side.allCases {
      var record = JSONValue.object(JSONObject())
      for constant in flow.constants(on: side) { record.set(constant.value, at: constant.path) }
      records[side] = record
    }
    for row in flow.properties where sample.generator.chance(0.6) || isNeeded(row, flow) {
      let mark = "s\(subject).\(number)"
      let isKey = flow.match.contains { $0.invoiced == row.invoiced || $0.pms == row.pms }
      let start: Side = row.direction == .toInvoiced ? .pms : .invoiced
      guard let value = sample.value(row, on: start, mark: mark, isKey: isKey) else { continue }
      set(value, at: row.path(on: start), in: &records[start])
      guard row.direction == .both, let other = try? row.translated(from: start, raw: value) else { continue }
      set(other, at: row.path(on: start.other), in: &records[start.other])
    }
    if records[.invoiced]?["name"] == nil {
      records[.invoiced]?.set(.string("s\(subject)"), at: JSONPath([.key("name")]))
    }
    func fitting(_ side: Side) -> JSONValue? {
      guard let record = records[side], mapping.flow(owning: record, on: side)?.name == flow.name else { return nil }
      return record
    }
    let pair = (invoiced: fitting(.invoiced), pms: fitting(.pms))
    return pair.invoiced == nil && pair.pms == nil ? nil : pair
  }

  private func set(_ value: JSONValue, at path: JSONPath, in record: inout JSONValue?) {
    if !value.isNull { record?.set(value, at: path) }
  }

  private func isNeeded(_ row: PropertyPair, _ flow: Flow) -> Bool {
    row.invoiced.description == "name" || flow.match.first.map { $0.invoiced == row.invoiced } ?? false
  }

  /// New values for a few of the flow's rows on a side.
  func changes(
    _ flow: Flow, on side: Side, subject: Int, number: Int, _ sample: inout SampleValues, _ draw: inout SeededGenerator
  ) -> [Assignment] {
    let rows = flow.properties.filter { row in
      // Keys say which customer it is; who changes them makes another one of it.
      row.direction.carries(from: side) && !flow.match.contains { $0.path(on: side) == row.path(on: side) }
    }
    guard !rows.isEmpty else { return [] }
    let favoured = rows.filter { favourites.contains($0.key) }
    var changes: [Assignment] = []
    for _ in 0..<Int(draw.number(in: 1...2)) {
      let row = draw.pick(favoured.isEmpty || draw.chance(0.2) ? rows : favoured)
      guard !changes.contains(where: { $0.path == row.path(on: side) }),
        let value = sample.value(row, on: side, mark: "s\(subject).\(number)", isKey: false)
      else { continue }
      changes.append(Assignment(row.path(on: side), value))
    }
    return changes
  }
}
