import JSON
import Mapping

/// What becomes of a record that isn't linked, once its candidates on the other side are known (rule 11).
public enum Admission: Sendable, Hashable {
  /// Each is the other's only candidate.
  case link(Observation, why: String)
  /// Several, or one that can't be had: parked with them named.
  case ambiguous(candidates: [RecordKey], why: String)
  /// None: created, where the flow lets us.
  case create
}

/// One record that a match found, and what is known of it here.
public struct Candidate: Sendable, Hashable {
  public var observation: Observation
  /// Why it can't be linked with: linked already, kept apart, owned by another flow; nil when it can.
  public var obstacle: String?
  /// How it was found: "the stored reference", "number".
  public var by: String
  /// How many records of the source's side it matches by the same key, the source included.
  public var rivals: [RecordKey]

  public init(observation: Observation, obstacle: String?, by: String, rivals: [RecordKey] = []) {
    self.observation = observation
    self.obstacle = obstacle
    self.by = by
    self.rivals = rivals
  }
}

extension Planner {
  /// Decides for one key's candidates, or for the stored reference's; nil where it has none and the next key counts.
  public static func admit(_ source: RecordKey, candidates: [Candidate]) -> Admission? {
    guard let first = candidates.first else { return nil }
    let keys = candidates.map(\.observation.key)
    if candidates.count > 1 {
      return .ambiguous(
        candidates: keys, why: "\(candidates.count) records of \(first.observation.key.side.title) match by \(first.by)"
      )
    }
    if let obstacle = first.obstacle {
      return .ambiguous(candidates: keys, why: "the only match by \(first.by), \(keys[0]), \(obstacle)")
    }
    let rivals = first.rivals.filter { $0 != source }
    if !rivals.isEmpty {
      return .ambiguous(
        candidates: keys + rivals,
        why: "\(keys[0]) matches by \(first.by), and so do \(rivals.map(\.description).joined(separator: ", "))")
    }
    return .link(first.observation, why: "matched by \(first.by)")
  }

  /// The record to be created on the other side, with what each row sends (rule 12).
  public static func creation(of source: Observation, flow: Flow, idPath: JSONPath) throws(Misfit) -> (
    record: JSONValue, properties: [Push.Property], claims: [Push.Claim]
  ) {
    let side = source.key.side
    let target = side.other
    var properties: [Push.Property] = []
    var taken: Set<JSONPath> = []
    func add(_ row: String?, _ path: JSONPath, _ value: JSONValue, source: JSONValue?) {
      guard !value.isNull, taken.insert(path).inserted else { return }
      properties.append(Push.Property(row: row, path: path, former: nil, sent: value, source: source))
    }
    for row in flow.properties {
      let raw = row.raw(on: side, in: source.record)
      // Every value must fit, also one that isn't sent: the record is whole or not at all (rule 16).
      if row.direction == .both || row.onlySource == side { _ = try row.canonical(on: side, raw: raw) }
      guard row.direction.carries(from: side) else { continue }
      add(row.key, row.path(on: target), try row.translated(from: side, raw: raw), source: raw)
    }
    // Also where no row carries them this way: an unanswered create is looked up by them.
    for key in flow.match {
      if let value = flow.searchValue(key, of: source.record, on: side) {
        let row = flow.row(of: key)
        add(row?.key, key.path(on: target), value, source: row?.raw(on: side, in: source.record) ?? value)
      }
    }
    if let reference = flow.reference(on: target) {
      let id = source.key.json(in: source.record, idPath: idPath)
      add(nil, reference, target == .invoiced ? .string(source.key.id.text) : id, source: id)
    }
    for constant in flow.constants(on: target) { add(nil, constant.path, constant.value, source: nil) }
    let claims = flow.match.compactMap { flow.claim($0, of: source.record, on: side) }
    return (Push.record(of: properties), properties, claims)
  }
}
