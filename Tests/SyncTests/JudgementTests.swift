import JSON
import Mapping
import Testing

@testable import Sync

@Suite("rule 5: an event is a hint")
struct JudgementTests {
  struct Line: Sendable, CustomTestStringConvertible {
    let name: String
    var candidate: Observation
    var last: Observation? = observation(["a": 1, "b": 2], version: 10)
    var wasFetched = true
    let judgement: Judgement
    var testDescription: String { name }
  }

  static func payload(_ record: JSONValue, _ version: Int64?) -> Observation {
    observation(record, version: version, .payload)
  }

  static let table = [
    Line(name: "a newer payload", candidate: payload(["a": 2, "b": 2], 11), judgement: .newest),
    Line(name: "an older payload", candidate: payload(["a": 2, "b": 2], 9), judgement: .stale),
    Line(name: "the same again", candidate: payload(["b": 2, "a": 1], 10), judgement: .same),
    Line(name: "a tie with other content", candidate: payload(["a": 2, "b": 2], 10), judgement: .fetch),
    Line(name: "a payload without a version", candidate: payload(["a": 2, "b": 2], nil), judgement: .fetch),
    Line(
      name: "a payload, where the version seen before is not known", candidate: payload(["a": 2, "b": 2], 11),
      last: observation(["a": 1, "b": 2]), judgement: .fetch),
    Line(name: "a mapped path is absent", candidate: payload(["b": 2], 11), judgement: .fetch),
    Line(name: "a mapped path is null", candidate: payload(["a": nil, "b": 2], 11), judgement: .newest),
    Line(
      name: "a mapped path was absent before", candidate: payload(["b": 2], 11),
      last: observation(["b": 2], version: 10),
      judgement: .newest),
    Line(name: "an unmapped path is absent", candidate: payload(["a": 1], 11), judgement: .newest),
    Line(
      name: "never compared with a fetch", candidate: payload(["a": 2, "b": 2], 11), wasFetched: false,
      judgement: .fetch),
    Line(
      name: "nothing seen before", candidate: payload(["a": 1], 11), last: nil, wasFetched: false, judgement: .fetch),
    Line(name: "a newer listing row", candidate: observation(["a": 2], version: 11, .listing), judgement: .newest),
    Line(name: "an older listing row", candidate: observation(["a": 2], version: 9, .listing), judgement: .fetch),
    Line(
      name: "a listing row with a tie and other content", candidate: observation(["a": 2], version: 10, .listing),
      judgement: .fetch),
    Line(name: "a newer fetch", candidate: observation(["b": 2], version: 11), judgement: .newest),
    Line(name: "an older fetch", candidate: observation(["a": 2], version: 9), judgement: .stale),
    Line(
      name: "a fetch with a tie and other content", candidate: observation(["a": 2], version: 10), judgement: .newest),
    Line(name: "a fetch without a version", candidate: observation(["a": 2]), judgement: .newest),
    Line(name: "the first fetch", candidate: observation(["a": 2]), last: nil, wasFetched: false, judgement: .newest),
    Line(name: "an answer", candidate: observation(["a": 2], version: 10, .answer), judgement: .newest),
  ]

  @Test("an observation counts only where it is provably the newest", arguments: table)
  func judges(_ line: Line) {
    var state = RecordState(key: line.candidate.key, firstSeenAt: at(0))
    state.last = line.last
    state.presence = line.last == nil ? .unseen : .alive
    state.wasFetched = line.wasFetched
    #expect(Judgement.of(line.candidate, against: state, paths: [path("a")]) == line.judgement)
  }

  static let tombstone: [(Observation, Judgement)] = [
    (payload(["a": 1], 19), .stale), (payload(["a": 1], 20), .stale), (payload(["a": 1], 21), .fetch),
    (payload(["a": 1], nil), .fetch), (observation(["a": 1], version: 19), .stale),
    (observation(["a": 1], version: 19, .listing), .stale),
  ]

  @Test("rule 14: what is older than a deletion never revives its id", arguments: tombstone)
  func tombstones(candidate: Observation, judgement: Judgement) {
    var state = RecordState(key: candidate.key, firstSeenAt: at(0))
    state.presence = .gone
    state.goneAt = at(20)
    state.last = observation(["a": 1], version: 10)
    #expect(Judgement.of(candidate, against: state, paths: []) == judgement)
  }

  @Test("the mapped paths are all that a flow reads on a side")
  func paths() {
    var flow = Scene(
      row("name", "title"), row("city", "place", .string, [.join(separator: ", ", with: [path("state")])], .toPMS)
    ).flow
    flow.match = [MatchKey(invoiced: path("number"), pms: path("no"))]
    flow.invoiced.conditions = [Condition(path: path("type"), test: .oneOf(["company"]))]
    flow.invoicedReference = path("metadata.pms_id")
    #expect(
      flow.paths(on: .invoiced).map(\.description) == ["name", "city", "state", "number", "type", "metadata.pms_id"])
    #expect(flow.paths(on: .pms).map(\.description) == ["title", "place", "no"])
  }
}
