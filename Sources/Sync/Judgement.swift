import JSON
import Mapping

/// What an observation is worth against what was seen before (rule 5).
public enum Judgement: Sendable, Hashable {
  /// Newer than what was seen: take it.
  case newest
  /// The same version and content: nothing new.
  case same
  /// Older than what was seen: its snapshot is dropped.
  case stale
  /// It can't be told from this alone: fetch.
  case fetch
}

extension Judgement {
  /// Judges `candidate` against the record's state; `paths` are the mapped paths on that side.
  public static func of(_ candidate: Observation, against state: RecordState, paths: [JSONPath]) -> Judgement {
    if state.presence == .gone {
      return revives(candidate, state) ? .fetch : .stale
    }
    guard let last = state.last else { return candidate.source.isWhole ? .newest : .fetch }
    #if SABOTAGE
      if Sabotage.breaks(.believesOlderSnapshots) { return .newest }
    #endif
    if let new = candidate.version, let old = last.version {
      // A listing may lag behind, and then shows no change that came after it.
      if new < old { return candidate.source == .listing ? .fetch : .stale }
      if new == old {
        if candidate.record == last.record { return .same }
        return candidate.source.isWhole ? .newest : .fetch
      }
    }
    if candidate.source.isWhole { return .newest }
    guard candidate.version != nil, last.version != nil, state.wasFetched else { return .fetch }
    // What was there and is now absent (not null) makes the payload no whole record.
    for path in paths where last.record[path] != nil && candidate.record[path] == nil { return .fetch }
    return .newest
  }

  /// What is older than a deletion never revives its id (rule 14); where that can't be told, a fetch does.
  private static func revives(_ candidate: Observation, _ state: RecordState) -> Bool {
    guard let version = candidate.version, let gone = state.goneAt else { return true }
    return version.timestamp > gone
  }
}

extension Observation.Source {
  /// Whether what is absent in it isn't there.
  var isWhole: Bool { self == .fetch || self == .answer }
}

extension Flow {
  /// Whether the answer to a write leaves out what was there before or was sent: then it needn't be the whole record, and
  /// only a fetch says that nothing is there (rule 5).
  public func isCutShort(_ answer: Observation, over former: JSONValue?, sent: [Assignment]) -> Bool {
    paths(on: answer.key.side).contains { path in
      answer.record[path] == nil
        && (former?[path] != nil || sent.contains { $0.path == path && !$0.value.isNull })
    }
  }

  /// Every path of a side that the flow reads there.
  public func paths(on side: Side) -> [JSONPath] {
    var paths = properties.flatMap { row -> [JSONPath] in
      var paths = [row.path(on: side)]
      if row.direction.carries(from: side) {
        for case .join(_, let with) in row.converters { paths += with }
      }
      return paths
    }
    paths += match.map { $0.path(on: side) }
    paths += self.side(side).conditions.map(\.path)
    if let reference = reference(on: side) { paths.append(reference) }
    return paths
  }
}
