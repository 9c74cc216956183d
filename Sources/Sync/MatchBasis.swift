import JSON
import Mapping

/// What an ambiguous match was planned from: while it stays the same, its record waits (rule 20).
public struct MatchBasis: Sendable, Hashable {
  /// Each candidate, with what keeps it from being linked; "" where nothing does.
  public var candidates: [RecordKey: String]
  /// The record's own match keys, as texts that both sides share.
  public var keys: [String]

  public init(_ found: [Candidate], keys: [String] = []) {
    self.keys = keys
    candidates = [:]
    for candidate in found {
      candidates[candidate.observation.key] = candidate.obstacle ?? ""
      for rival in candidate.rivals where candidates[rival] == nil { candidates[rival] = "" }
    }
  }

  public init(candidates: [RecordKey: String]) {
    self.candidates = candidates
    keys = []
  }

  /// As a hold keeps it; equal exactly where the bases are.
  public var text: String {
    let all = candidates.sorted { $0.key < $1.key }.map { key, obstacle -> JSONValue in
      [.string(key.side.rawValue), .string(key.id.text), .string(obstacle)]
    }
    return JSONValue.array([.array(all), .array(keys.map { .string($0) })]).text
  }

  /// Nil for a text that is none of ours.
  public init?(text: String) {
    guard let parts = (try? JSONValue(parsing: Array(text.utf8)))?.array, parts.count == 2,
      let all = parts[0].array, let keys = parts[1].array
    else { return nil }
    self.keys = keys.compactMap(\.string)
    candidates = [:]
    for item in all {
      guard let item = item.array, item.count == 3, let side = item[0].string.flatMap({ Side(rawValue: $0) }),
        let id = item[1].string
      else { return nil }
      candidates[RecordKey(side, RecordID(id))] = item[2].string ?? ""
    }
  }
}

extension Flow {
  /// Whether a record still matches by one of these keys.
  public func matches(_ record: JSONValue, on side: Side, anyOf keys: [String]) -> Bool {
    match.contains { key in matchText(key, of: record, on: side).map { keys.contains($0) } ?? false }
  }
}
