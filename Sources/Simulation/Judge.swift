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
  case tooManyPushes = "too-many-pushes"
  case deleteNotAllowed = "delete-not-allowed"
  case recordMissing = "record-missing"

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
    case .tooManyPushes: "one edit led to more writes than it can need"
    case .deleteNotAllowed: "a record was deleted that the flow's policy doesn't let go"
    case .recordMissing: "a record is gone that nobody deleted"
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
  }

  private struct State: Sendable {
    var violation: Violation?
    var accepted: [(side: Side, event: String)] = []
    var known: [String: [Canonical]] = [:]
    var created: [Side: [Creation]] = [:]
    var writes = 0
    /// What a person last entered: by side and record, then by the row's path there.
    var entered: [String: [String: JSONValue?]] = [:]
    /// Writes that are on their way to a record.
    var underWay: [String: Int] = [:]
  }
  private let state = Mutex(State())

  var violation: Violation? { state.withLock { $0.violation } }
  /// How many writes of the service's the sides have carried out or refused.
  var writes: Int { state.withLock { $0.writes } }
  var accepted: [(side: Side, event: String)] { state.withLock { $0.accepted } }

  func fail(_ invariant: Invariant, _ detail: String) {
    state.withLock { if $0.violation == nil { $0.violation = Violation(invariant: invariant, detail: detail) } }
  }

  /// Whether the service made that record.
  func hasMade(_ id: String, on side: Side) -> Bool {
    state.withLock { $0.created[side]?.contains { $0.made == id } ?? false }
  }

  func accepted(_ event: String, from side: Side) { state.withLock { $0.accepted.append((side, event)) } }

  // MARK: What people entered

  /// A record as a person's edit left it; `partner` is the other side's record, where there is a link.
  func edited(
    _ record: JSONValue, from before: JSONValue?, on side: Side, partner: JSONValue?, _ mapping: Mapping
  ) {
    let name = Self.name(record, side)
    let other = partner.map { Self.name($0, side.other) }
    state.withLock { state in
      let isUnderWay = (state.underWay[name] ?? 0) + (other.flatMap { state.underWay[$0] } ?? 0) > 0
      for row in Self.rows(mapping) {
        let raw = row.raw(on: side, in: record)
        if let before, row.raw(on: side, in: before) == raw { continue }
        guard let value = try? row.canonical(on: side, raw: raw) else { continue }
        // What nobody entered, either side may fill by itself.
        state.entered[name, default: [:]][row.path(on: side).description] =
          value.isNothing && before == nil ? nil : .some(raw)
        if !value.isNothing { state.known[row.key, default: []].append(value) }
        // Both sides agreed, and nothing was on its way: from now on only this edit counts.
        guard let before, let partner, let other, !isUnderWay,
          row.same(row.raw(on: side, in: before), agreeing: row.raw(on: side.other, in: partner), on: side)
        else { continue }
        state.entered[other]?[row.path(on: side.other).description] = nil
      }
    }
  }

  private static func name(_ record: JSONValue, _ side: Side) -> String {
    "\(side.rawValue):\(record["id"]?.identifier ?? "")"
  }

  /// Whether a value of a row, on both records of a pair, is the last that a person entered on one of them.
  func isEntered(_ row: PropertyPair, _ records: [Side: JSONValue]) -> Bool {
    state.withLock { state in
      var isKnown = false
      for side in Side.allCases {
        guard let record = records[side],
          let raw = state.entered[Self.name(record, side)]?[row.path(on: side).description],
          let entered = try? row.canonical(on: side, raw: raw)
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
      return !isKnown
    }
  }

  /// A write to a record is on its way, or no more.
  func underWay(_ path: Substring, on side: Side, by change: Int) {
    let name = "\(side.rawValue):\(path.split(separator: "/").last ?? "")"
    state.withLock { $0.underWay[name, default: 0] += change }
  }

  private static func rows(_ mapping: Mapping) -> [PropertyPair] {
    var seen: Set<String> = []
    return mapping.flows.flatMap(\.properties).filter { seen.insert($0.fingerprint).inserted }
  }

  // MARK: What the service writes

  func wrote(
    _ request: HTTPRequest, to side: Side, before: JSONValue?, answer: HTTPResponse?, _ mapping: Mapping,
    exists: (Side, String) -> Bool
  ) {
    state.withLock { $0.writes += 1 }
    if request.method == "DELETE" { checkDelete(request, side, before, mapping, exists) }
    guard request.method != "DELETE", let body = try? JSONValue(parsing: request.body) else { return }
    checkValues(body, request, side, before, mapping)
    if request.method == "POST", let answer, 200..<300 ~= answer.status {
      noteDefaults(body, answer, side, mapping)
      checkCreation(body, answer, side, mapping, exists)
    }
  }

  private func checkValues(
    _ body: JSONValue, _ request: HTTPRequest, _ side: Side, _ before: JSONValue?, _ mapping: Mapping
  ) {
    let archive = mapping.flows.flatMap { $0.archive(on: side) + $0.constants(on: side) }
    for row in Self.rows(mapping) where row.direction.carries(from: side.other) {
      guard let sent = body[row.path(on: side)], sent != before?[row.path(on: side)],
        let value = try? row.canonical(on: side, raw: sent), !value.isNothing
      else { continue }
      let isKnown = state.withLock { state in
        state.known[row.key]?.contains(value) ?? false
      }
      if !isKnown, !archive.contains(where: { $0.path == row.path(on: side) && $0.value == sent }) {
        fail(
          .valueInvented,
          "\(side.rawValue) \(request.method) \(request.target) set '\(row.path(on: side))' to \(sent.text)")
      }
    }
  }

  /// A delete is passed on only where the other side's record is gone and the flow says so (rule 14).
  private func checkDelete(
    _ request: HTTPRequest, _ side: Side, _ before: JSONValue?, _ mapping: Mapping, _ exists: (Side, String) -> Bool
  ) {
    guard let before, let flow = mapping.flow(owning: before, on: side) else { return }
    let what = "\(side.rawValue) DELETE \(request.path)"
    if flow.deletePolicy(deletedOn: side.other) != .propagate || flow.live < .all {
      fail(.deleteNotAllowed, "\(what): flow \(flow.name) doesn't pass deletes on")
    } else if let partner = flow.reference(in: before, on: side), exists(side.other, partner.text) {
      fail(.deleteNotAllowed, "\(what): \(side.other.rawValue):\(partner) is still there")
    }
  }

  /// What a side filled by itself is its own edit.
  private func noteDefaults(_ body: JSONValue, _ answer: HTTPResponse, _ side: Side, _ mapping: Mapping) {
    guard let record = try? JSONValue(parsing: answer.body) else { return }
    for row in Self.rows(mapping) where body[row.path(on: side)] == nil {
      guard let value = try? row.canonical(on: side, raw: row.raw(on: side, in: record)) else { continue }
      state.withLock { $0.known[row.key, default: []].append(value) }
    }
  }

  private func checkCreation(
    _ body: JSONValue, _ answer: HTTPResponse, _ side: Side, _ mapping: Mapping, _ exists: (Side, String) -> Bool
  ) {
    guard let made = (try? JSONValue(parsing: answer.body))?["id"]?.identifier,
      let flow = mapping.flow(owning: body, on: side), let source = flow.reference(in: body, on: side)?.text
    else { return }
    let others = state.withLock { state in
      let others = state.created[side, default: []].filter { $0.source == source }
      state.created[side, default: []].append(Creation(source: source, made: made))
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
  /// Whether a raw value of a side means the same as one of the other side.
  func same(_ raw: JSONValue?, agreeing other: JSONValue?, on side: Side) -> Bool {
    guard let a = try? canonical(on: side, raw: raw), let b = try? canonical(on: side.other, raw: other) else {
      return false
    }
    return a == b
  }
}
