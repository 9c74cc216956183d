import Connectors
import JSON
import Mapping
import Sync

/// Where a pass over all of a side's records stands, as the store keeps it: a pass that was killed goes on from there.
struct PassPlace: Sendable, Hashable {
  /// The next page; nil at the start.
  var cursor: ListCursor?
  /// When the pass began, by the side's clock: from here on the next walk looks for changes.
  var began: Timestamp?
  /// When its last page was walked, by our clock.
  var keptAt: Timestamp?
  /// The highest record number at the start: what came later isn't missing where it isn't listed.
  var newest: Int64 = 0
  var rows = 0
  var seen = SeenNumbers()
  /// The flows as they were when it began: others make it begin anew.
  var mapping: String = ""

  var text: String {
    var object = JSONObject()
    if let cursor { object["cursor"] = .string(cursor.text) }
    if let began { object["began"] = .number(JSONNumber(began.milliseconds)) }
    if let keptAt { object["kept"] = .number(JSONNumber(keptAt.milliseconds)) }
    object["newest"] = .number(JSONNumber(newest))
    object["rows"] = .number(JSONNumber(rows))
    object["seen"] = .string(seen.text)
    object["mapping"] = .string(mapping)
    return JSONValue.object(object).text
  }

  init() {}

  /// Nil for a text that is none of ours.
  init?(text: String) {
    guard let value = try? JSONValue(parsing: text), let newest = value["newest"]?.int64,
      let rows = value["rows"]?.int64, let seen = value["seen"]?.string.flatMap({ SeenNumbers(text: $0) }),
      let mapping = value["mapping"]?.string
    else { return nil }
    cursor = value["cursor"]?.string.map { ListCursor(text: $0) }
    began = value["began"]?.int64.map { Timestamp(milliseconds: $0) }
    keptAt = value["kept"]?.int64.map { Timestamp(milliseconds: $0) }
    self.newest = newest
    self.rows = Int(clamping: rows)
    self.seen = seen
    self.mapping = mapping
  }
}

/// The names under which the store keeps what walks remember.
enum WalkName {
  /// When the last reconcile ended.
  static let reconciled = "walk.reconciled"
  /// When the last full reconcile ended.
  static let full = "walk.full"
  /// Digests of the flows that the last full reconcile went by.
  static let flows = "walk.flows"
  /// Up to when a side's changes were walked, by its clock.
  static func bookmark(_ side: Side) -> String { "walk.bookmark.\(side.rawValue)" }
  static let events = "walk.bookmark.events"
  /// The place of a full pass that isn't over.
  static func place(_ request: WalkRequest, _ side: Side) -> String {
    "walk.place.\(request.kind.rawValue).\(side.rawValue)" + (request.flow.map { "." + $0 } ?? "")
  }
}
