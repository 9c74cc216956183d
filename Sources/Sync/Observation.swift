import JSON
import Mapping

/// What was seen of a record at one moment.
public struct Observation: Sendable, Hashable {
  /// Where it was seen; only a fetch or an answer proves that what is absent isn't there (rule 5).
  public enum Source: String, Sendable, Hashable { case payload, listing, fetch, answer }

  public var key: RecordKey
  public var record: JSONValue
  /// Nil where the side has none.
  public var version: Version?
  public var etag: String?
  public var source: Source
  /// By our clock.
  public var seenAt: Timestamp

  public init(
    key: RecordKey, record: JSONValue, version: Version?, etag: String? = nil, source: Source, seenAt: Timestamp
  ) {
    self.key = key
    self.record = record
    self.version = version
    self.etag = etag
    self.source = source
    self.seenAt = seenAt
  }
}

/// What the store keeps of a record.
public struct RecordState: Sendable, Hashable {
  public enum Presence: String, Sendable, Hashable {
    /// Not there yet, as far as we know: an event named it, nothing was seen.
    case unseen
    case alive
    /// Deleted or merged away: a tombstone, which nothing older than the deletion revives.
    case gone
  }

  public var key: RecordKey
  public var presence: Presence
  /// The newest observation; kept after a delete until retention ends.
  public var last: Observation?
  /// Whether a fetch or an answer was ever seen, so that payloads can be judged against it.
  public var wasFetched: Bool
  /// When the record went, by its side's clock where that is known.
  public var goneAt: Timestamp?
  /// Why nothing is matched or created for it; nil when it isn't kept apart.
  public var apart: String?
  /// The flow that owned it when it was last planned.
  public var flow: String?
  /// Since when a doubtful answer (a 404 without a delete event, a fetch older than what was seen) waits for its
  /// second look.
  public var doubtSince: Timestamp?
  /// Since when work on it fails, and how many of its side's own errors it got in a row that others didn't get (rule 19).
  public var failingSince: Timestamp?
  public var serverErrors = 0
  /// When we first heard of it.
  public var firstSeenAt: Timestamp

  public init(key: RecordKey, firstSeenAt: Timestamp) {
    self.key = key
    self.firstSeenAt = firstSeenAt
    presence = .unseen
    wasFetched = false
  }

  /// Work on it got through, or waits for a person.
  public mutating func endFailures() {
    failingSince = nil
    serverErrors = 0
  }
}
