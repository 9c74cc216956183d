import HTTP
import JSON
import Mapping
import Sync
import Synchronization

/// What must hold, whatever happens; the name that a failure is known by.
public enum Invariant: String, Sendable, Hashable, CaseIterable {
  case acceptedEventLost = "accepted-event-lost"
  case recordDoubled = "record-doubled"
  case pairDiffers = "pair-differs"
  case recordUnlinked = "record-unlinked"
  case deletedButLinked = "deleted-but-linked"
  case notAtRest = "not-at-rest"
  case pushAtRest = "push-at-rest"
  case valueInvented = "value-invented"
  case editLost = "edit-lost"
  case olderEditWon = "older-edit-won"
  case editOverwritten = "edit-overwritten"
  case tooManyPushes = "too-many-pushes"
  case writeNotAllowed = "write-not-allowed"
  case deleteNotAllowed = "delete-not-allowed"
  case tooManyDeletes = "too-many-deletes"

  /// In a sentence.
  public var meaning: String {
    switch self {
    case .acceptedEventLost: "an event that was answered 2xx is gone, or was never worked off"
    case .recordDoubled: "one side has two records for one of the other's"
    case .pairDiffers: "a linked pair differs after everything has come to rest"
    case .recordUnlinked: "a record that a flow covers is not linked after everything has come to rest"
    case .deletedButLinked: "a link still joins a record that is gone"
    case .notAtRest: "work does not come to an end"
    case .pushAtRest: "something was written though nobody had edited anything"
    case .valueInvented: "a value was written that nobody had entered"
    case .editLost: "the last value that a person entered is on neither side"
    case .olderEditWon: "of two edits that met the older one stands, though the flow lets the newest win"
    case .editOverwritten: "an edit of the PMS is gone that was the later one, and that the flow lets win anyway"
    case .tooManyPushes: "one edit led to more writes than it can need"
    case .writeNotAllowed: "something was written that the flow's `live` or `create` doesn't let"
    case .deleteNotAllowed: "a record was deleted that the flow's policy doesn't let go"
    case .tooManyDeletes: "more records were deleted than the guard lets through, and no person had a say"
    }
  }
}

/// An invariant that was broken, and how.
public struct Violation: Error, Sendable, Hashable, CustomStringConvertible {
  public let invariant: Invariant
  public let detail: String

  public var description: String { "\(invariant.rawValue): \(invariant.meaning): \(detail)" }
}

/// Looks on while a day goes by, and says what should not have happened.
final class Judge: Sendable {
  struct Creation: Sendable {
    var source: String
    var made: String
    /// As it stood then.
    var record: JSONValue
  }

  /// A value that a person entered, null for one that was cleared, and when.
  struct Entry: Sendable {
    var raw: JSONValue?
    var at: Int64
    var isSilent: Bool
    /// The edit brought back what both sides agreed on, from an edit that the service may not have seen: to the service
    /// the two are edits too, though the record looks untouched.
    var isReturn = false
  }

  struct State: Sendable {
    var violation: Violation?
    var accepted: [(side: Side, event: String)] = []
    /// Values that people entered, and those that sides filled by themselves, by the row's key.
    var known: [String: [(side: Side, raw: JSONValue?)]] = [:]
    /// What the service has run by.
    var mappings: [Mapping] = []
    /// Records that fitted no flow once.
    var left: Set<String> = []
    /// Records whose partner did.
    var abandoned: Set<String> = []
    /// The match keys that they had: a partner that wasn't linked yet has the same.
    var leftKeys: Set<String> = []
    /// Invoiced's records that were merged away, and into which.
    var mergedInto: [String: String] = [:]
    /// When the service deleted a record of a flow, and the records whose delete the operator let go.
    var deletes: [String: [String: Int64]] = [:]
    var approved: Set<String> = []
    var retries = 0
    /// Records whose deleted partners the operator had created anew.
    var restored: Set<String> = []
    /// Conflicts of these rows of pairs were decided by the operator.
    var decided: Set<String> = []
    var disturbances = 0
    var created: [Side: [Creation]] = [:]
    var writes = 0
    /// What a person last entered: by side and record, then by the row's path there.
    var entered: [String: [String: Entry]] = [:]
    /// When a person last edited a record.
    var lastEdits: [String: Int64] = [:]
    /// Writes that are on their way to a record.
    var underWay: [String: Int] = [:]
  }
  let state = Mutex(State())
  /// The rows of all the day's mappings, each once.
  let rows: [PropertyPair]
  /// The same by their keys: more than one of a key where a mapping was changed.
  private let rowsByKey: [[PropertyPair]]
  /// The rows that are the same all day, by key, and whether the newest edit of one wins all day.
  private let steady: Set<PropertyPair>
  private let isNewestAllDay: Bool
  /// Whether the PMS's edit wins all day, and each record keeps its partner and its flow.
  let prefersPMS: Bool
  /// Whether every record stays in its flow.
  private let keepsFlows: Bool

  init(_ scenario: Scenario) {
    let mappings = scenario.mappings
    var seen: Set<String> = []
    rows = mappings.flatMap(\.flows).flatMap(\.properties).filter { seen.insert($0.fingerprint).inserted }
    rowsByKey = Dictionary(grouping: rows, by: \.key).sorted { $0.key < $1.key }.map(\.value)
    steady = Set(
      rows.map(\.unplaced).filter { row in
        Set(mappings.map { $0.flows.filter { $0.properties.contains { $0.unplaced == row } }.map(\.name) }).count == 1
      })
    isNewestAllDay = mappings.allSatisfy { $0.flows.allSatisfy { $0.conflict == .newest && $0.onLink == .newest } }
    let deciding = Set(
      mappings.flatMap(\.flows).flatMap { flow in
        Side.allCases.flatMap { side in flow.side(side).conditions.map(\.path) }
      })
    keepsFlows =
      mappings.count == 1
      && scenario.edits.allSatisfy { edit in
        if case .update(let changes) = edit.action { !changes.contains { deciding.contains($0.path) } } else { true }
      }
    prefersPMS =
      keepsFlows && scenario.mapping.flows.allSatisfy { $0.conflict == .pms }
      && !scenario.edits.contains { if case .merge = $0.action { true } else { false } }
  }

  /// The service was started with a mapping.
  func runs(by mapping: Mapping) { state.withLock { $0.mappings.append(mapping) } }
  /// Something befell a write.
  func disturbed() { state.withLock { $0.disturbances += 1 } }

  var violation: Violation? { state.withLock { $0.violation } }
  /// How many writes of the service's the sides have carried out or refused.
  var writes: Int { state.withLock { $0.writes } }
  var accepted: [(side: Side, event: String)] { state.withLock { $0.accepted } }

  func fail(_ invariant: Invariant, _ detail: String) {
    state.withLock { if $0.violation == nil { $0.violation = Violation(invariant: invariant, detail: detail) } }
  }

  /// Whether the service made that record with that key: one that a link took to another customer since had another.
  func hasMade(_ id: String, on side: Side, with text: String, for key: MatchKey, of flow: Flow) -> Bool {
    state.withLock {
      $0.created[side]?.contains { $0.made == id && flow.matchText(key, of: $0.record, on: side) == text } ?? false
    }
  }

  func accepted(_ event: String, from side: Side) { state.withLock { $0.accepted.append((side, event)) } }

  // MARK: What people entered

  /// A record as a person's edit left it; `partner` is the other side's record, where there is a link.
  func edited(
    _ record: JSONValue, from before: JSONValue?, on side: Side, partner: (record: JSONValue, link: Link)?,
    at time: Int64, isSilent: Bool,
    _ mapping: Mapping
  ) {
    let name = Self.name(record, side)
    let other = partner.map { Self.name($0.record, side.other) }
    if mapping.flow(owning: record, on: side) == nil { left(record, from: before, partner: other, on: side, mapping) }
    state.withLock { state in
      state.lastEdits[name] = time
      let isUnderWay = (state.underWay[name] ?? 0) + (other.flatMap { state.underWay[$0] } ?? 0) > 0
      for row in rows {
        let raw = row.raw(on: side, in: record)
        if let before, row.raw(on: side, in: before) == raw { continue }
        guard let value = try? row.canonical(on: side, raw: raw) else { continue }
        let agreed = partner?.link.agreed[row.key]
        // What nobody entered, either side may fill by itself.
        state.entered[name, default: [:]][row.path(on: side).description] =
          value.isNothing && before == nil
          ? nil
          : Entry(
            raw: raw, at: time, isSilent: isSilent,
            isReturn: before != nil && agreed.map { row.same($0[side], raw, on: side) } ?? false)
        if !value.isNothing { state.known[row.key, default: []].append((side, raw)) }
        // Both sides were in sync, and nothing was on its way: from now on only this edit counts.
        guard let before, let partner, let other, !isUnderWay, let agreed, !agreed.isBaseOnly,
          row.same(agreed[side], row.raw(on: side, in: before), on: side),
          row.same(agreed[side.other], row.raw(on: side.other, in: partner.record), on: side.other),
          state.entered[other]?[row.path(on: side.other).description]?.isReturn != true
        else { continue }
        state.entered[other]?[row.path(on: side.other).description] = nil
      }
    }
  }

  static func name(_ record: JSONValue, _ side: Side) -> String {
    "\(side.rawValue):\(record["id"]?.identifier ?? "")"
  }

  /// Whether a value of a row, on both records of a pair, is the last that a person entered on one of them.
  func isEntered(_ row: PropertyPair, _ records: [Side: JSONValue]) -> Bool {
    state.withLock { state in
      var isKnown = false
      for side in Side.allCases {
        guard let record = records[side],
          let entry = state.entered[Self.name(record, side)]?[row.path(on: side).description],
          let entered = try? row.canonical(on: side, raw: entry.raw)
        else { continue }
        isKnown = true
        // What a person cleared, either side may have filled again by itself.
        if entered.isNothing { return true }
        for other in Side.allCases {
          guard let record = records[other],
            let value = try? row.canonical(on: other, raw: row.raw(on: other, in: record))
          else { continue }
          if value == entered || value.isNear(to: entered) { return true }
        }
      }
      return !isKnown || isCarriedOver(row, records, state)
    }
  }

  /// Whether a row of a pair shows the older of two edits that met, though the newer wins (rule 8). Told only where
  /// both times can't be in doubt: far apart, with webhooks, and each its record's last edit.
  func isOlderEdit(_ row: PropertyPair, _ records: [Side: JSONValue]) -> Bool {
    guard isNewestAllDay, isSteady(row) else { return false }
    return state.withLock { state in
      var edits: [(side: Side, at: Int64, value: Canonical)] = []
      for side in Side.allCases {
        guard let record = records[side] else { return false }
        let name = Self.name(record, side)
        // Edits of two pairs that a merge made one didn't meet: `on_link` decides between them (rule 15).
        guard !state.mergedInto.values.contains(name),
          let entry = state.entered[name]?[row.path(on: side).description], !entry.isSilent,
          state.lastEdits[name] == entry.at, let value = try? row.canonical(on: side, raw: entry.raw)
        else { return false }
        edits.append((side, entry.at, value))
      }
      edits.sort { $0.at < $1.at }
      guard edits[1].at - edits[0].at > Self.doubtful, edits[0].value != edits[1].value, !edits[1].value.isNothing,
        let record = records[.invoiced],
        let shown = try? row.canonical(on: .invoiced, raw: row.raw(on: .invoiced, in: record))
      else { return false }
      let (older, newer) = (edits[0].value, edits[1].value)
      return (shown == older || shown.isNear(to: older)) && shown != newer && !shown.isNear(to: newer)
    }
  }

  /// In milliseconds: Invoiced's whole seconds, the two that are a tie, and what the offset of a clock is off by.
  private static let doubtful: Int64 = 8000

  /// A write to a record is on its way, or no more.
  func underWay(_ path: Substring, on side: Side, by change: Int) {
    let name = "\(side.rawValue):\(path.split(separator: "/").last ?? "")"
    state.withLock { $0.underWay[name, default: 0] += change }
  }

  /// Whether a row is in the same flows all day, and the same there.
  func isSteady(_ row: PropertyPair) -> Bool { steady.contains(row.unplaced) }

  // MARK: What the service writes

  func wrote(
    _ request: HTTPRequest, to side: Side, before: JSONValue?, made: JSONValue?, at time: Int64, _ mapping: Mapping,
    exists: (Side, String) -> Bool
  ) {
    state.withLock { $0.writes += 1 }
    checkLive(request, side, made)
    if request.method == "DELETE" { checkDelete(request, side, before, at: time, mapping, exists) }
    guard request.method != "DELETE", let body = try? JSONValue(parsing: request.body) else { return }
    checkValues(body, request, side, before, mapping)
    if let before { noteArchive(body, before, side, exists) }
    if let made {
      noteDefaults(body, made, side, mapping)
      checkCreation(body, made, side, mapping, exists)
    }
  }

  /// What a mapping forbids may still be on its way from when another one let it: all that the service ran by count.
  private func checkLive(_ request: HTTPRequest, _ side: Side, _ made: JSONValue?) {
    let flows = state.withLock { $0.mappings }.flatMap(\.flows)
    let isLet =
      switch made {
      case .some: flows.contains { $0.live >= .creates && $0.create.allows(on: side) }
      case nil where request.method == "DELETE": flows.contains { $0.live == .all }
      case nil: flows.contains { $0.live >= .updates }
      }
    if !isLet { fail(.writeNotAllowed, "\(side.rawValue) \(request.method) \(request.target)") }
  }

  /// Every edit leads to a few writes, and what disturbs one to another: more would be a loop (rule 20).
  func checkCount(edits: Int, crashes: Int) {
    let (writes, disturbances, mappings) = state.withLock {
      ($0.writes, $0.disturbances + 2 * $0.retries, $0.mappings.count)
    }
    let most = 4 * edits + disturbances + 2 * crashes + 4 * mappings
    if writes > most { fail(.tooManyPushes, "\(writes) writes after \(edits) edits, \(disturbances) disturbed") }
  }

  private func checkValues(
    _ body: JSONValue, _ request: HTTPRequest, _ side: Side, _ before: JSONValue?, _ mapping: Mapping
  ) {
    let archive = mapping.flows.flatMap { $0.archive(on: side) + $0.constants(on: side) }
    let source = mapping.flow(owning: body, on: side)?.reference(in: body, on: side)
    let isRestored =
      source.map { id in state.withLock { $0.restored.contains("\(side.other.rawValue):\(id)") } } ?? false
    // What a row of one of the day's mappings makes of a value that was entered, by any of them.
    for rows in rowsByKey {
      guard let path = rows.first?.path(on: side), let sent = body[path], sent != before?[path],
        rows.contains(where: { $0.direction.carries(from: side.other) }),
        !archive.contains(where: { $0.path == path && $0.value == sent })
      else { continue }
      let isKnown = rows.contains { row in
        guard let value = try? row.canonical(on: side, raw: sent) else { return false }
        if value.isNothing { return true }
        // After a change of the row, `on_link` decides, also between a value and what a side had made of it; and where
        // nothing is, as on the survivor of a merge or a record made anew, a value comes in the form that the other side
        // has by now.
        let present = before.flatMap { row.raw(on: side, in: $0) }
        let isOwnForm = !isSteady(row) || before != nil && row.same(present, nil, on: side) || isRestored
        return state.withLock { $0.knows(value, of: row, orNear: isOwnForm) }
      }
      if !isKnown {
        fail(.valueInvented, "\(side.rawValue) \(request.method) \(request.target) set '\(path)' to \(sent.text)")
      }
    }
  }

  /// A delete is passed on only where the other side's record is gone and the flow says so (rule 14).
  private func checkDelete(
    _ request: HTTPRequest, _ side: Side, _ before: JSONValue?, at time: Int64, _ mapping: Mapping,
    _ exists: (Side, String) -> Bool
  ) {
    guard let before, let flow = mapping.flow(owning: before, on: side) else { return }
    let what = "\(side.rawValue) DELETE \(request.path)"
    let mappings = state.withLock { $0.mappings }
    countDelete(what, Self.name(before, side), of: flow, at: time)
    // A record that fits no flow any more may take its partner along.
    if mappings.contains(where: { $0.flows.contains { $0.onLeave == .delete } }), wasAbandoned(before, on: side, flow) {
      return
    }
    if mappings.count > 1 { return }
    if flow.deletePolicy(deletedOn: side.other) != .propagate || flow.live < .all {
      fail(.deleteNotAllowed, "\(what): flow \(flow.name) doesn't pass deletes on")
    } else if let partner = flow.reference(in: before, on: side), exists(side.other, partner.text) {
      fail(.deleteNotAllowed, "\(what): \(side.other.rawValue):\(partner) is still there")
    }
  }

  /// The guard lets three through in an hour, of so few (rule 14).
  private func countDelete(_ what: String, _ name: String, of flow: Flow, at time: Int64) {
    guard keepsFlows else { return }
    let limits = DeletionLimits()
    // A delete counts from when it was let through, which is a little before it is carried out.
    let window = limits.window - .seconds(60)
    let count = state.withLock { state in
      if state.approved.contains(name) { return 0 }
      if state.deletes[flow.name]?[name] == nil { state.deletes[flow.name, default: [:]][name] = time }
      return state.deletes[flow.name]?.values.count { time - $0 < window.components.seconds * 1000 } ?? 0
    }
    if count > limits.allowed(links: 0) { fail(.tooManyDeletes, "\(what): number \(count) of flow \(flow.name)") }
  }

  /// What a record shows after a write: the source of a one-way row may be what its side sets by itself, such as the
  /// time of the last change, or an object with the written value in it, and a side may fill anew what was cleared; a copy
  /// of it is not invented.
  func shows(_ record: JSONValue, on side: Side, after request: HTTPRequest) {
    let sent = try? JSONValue(parsing: request.body)
    for row in rows where row.direction.carries(from: side) {
      let path = row.path(on: side)
      guard row.direction != .both || sent?[path] == .null, let raw = row.raw(on: side, in: record) else { continue }
      state.withLock { $0.known[row.key, default: []].append((side, raw)) }
    }
  }

  /// What a side filled by itself is its own edit.
  private func noteDefaults(_ body: JSONValue, _ record: JSONValue, _ side: Side, _ mapping: Mapping) {
    let name = Self.name(record, side)
    for row in rows where body[row.path(on: side)] == nil {
      let raw = row.raw(on: side, in: record)
      guard let value = try? row.canonical(on: side, raw: raw), !value.isNothing else { continue }
      state.withLock { state in
        state.known[row.key, default: []].append((side, raw))
        state.entered[name, default: [:]][row.path(on: side).description] = Entry(raw: raw, at: 0, isSilent: true)
      }
    }
  }

  private func checkCreation(
    _ body: JSONValue, _ record: JSONValue, _ side: Side, _ mapping: Mapping, _ exists: (Side, String) -> Bool
  ) {
    guard let made = record["id"]?.identifier,
      let flow = mapping.flow(owning: body, on: side), let source = flow.reference(in: body, on: side)?.text
    else { return }
    let others = state.withLock { state in
      let others = state.created[side, default: []].filter { $0.source == source }
      state.created[side, default: []].append(Creation(source: source, made: made, record: record))
      return others
    }
    if let other = others.first(where: { exists(side, $0.made) }) {
      fail(
        .recordDoubled,
        "\(side.other.rawValue):\(source) has \(side.rawValue):\(other.made) and \(side.rawValue):\(made) made for it")
    }
  }
}

extension PropertyPair {
  /// Without its place in a file.
  fileprivate var unplaced: PropertyPair {
    var row = self
    row.position = nil
    return row
  }
}
