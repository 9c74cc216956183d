import JSON
import Mapping
import Sync

/// What a `customer.merged` says: one customer was absorbed by another (reference section 8.3).
struct Merge: Sendable, Hashable {
  var lost: RecordKey
  var kept: RecordKey
  /// By the side's clock.
  var at: Timestamp?

  init(lost: RecordKey, kept: RecordKey, at: Timestamp?) {
    self.lost = lost
    self.kept = kept
    self.at = at
  }

  /// Reads the event; nil where it names no two customers.
  init?(_ event: JSONValue) {
    let object = event["data"]?["object"]
    guard let kept = object?["id"]?.identifier, let lost = object?["original_customer"]?["id"]?.identifier,
      !kept.isEmpty, !lost.isEmpty, kept != lost
    else { return nil }
    self.init(
      lost: RecordKey(.invoiced, RecordID(lost)), kept: RecordKey(.invoiced, RecordID(kept)),
      at: event["timestamp"]?.int64.map { Version(seconds: $0).timestamp })
  }
}
