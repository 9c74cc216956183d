import Foundation
import Mapping
import Store
import Sync
import Testing

/// The stores that have to behave alike.
enum Backend: String, CaseIterable, CustomTestStringConvertible {
  case file = "an SQLite file"
  case inlineFile = "an SQLite file, inline"
  case memory = "SQLite in memory"

  var testDescription: String { rawValue }
  var outlivesItself: Bool { self != .memory }
}

/// A store in a directory of its own, which goes with it.
final class Bench {
  let directory: URL
  let backend: Backend
  private(set) var store: any Store
  var path: String { directory.appendingPathComponent("store.db").path }

  init(_ backend: Backend) throws {
    self.backend = backend
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("store-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    store = try Self.open(backend, directory.appendingPathComponent("store.db").path)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  func reopen() async throws {
    await store.close()
    store = try Self.open(backend, path)
  }

  /// Whether any of the store's files holds these bytes.
  func holds(_ text: String) throws -> Bool {
    try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil).contains {
      try Data(contentsOf: $0).range(of: Data(text.utf8)) != nil
    }
  }

  private static func open(_ backend: Backend, _ path: String) throws -> any Store {
    switch backend {
    case .file: try SQLiteStore(path: path)
    case .inlineFile: try SQLiteStore(path: path, inline: true)
    case .memory: try SQLiteStore(inMemory: { _ in })
    }
  }
}

func at(_ milliseconds: Int64) -> Timestamp { Timestamp(milliseconds: milliseconds) }
func invoiced(_ id: String) -> RecordKey { RecordKey(.invoiced, RecordID(id)) }
func pms(_ id: String) -> RecordKey { RecordKey(.pms, RecordID(id)) }

func newEvent(
  _ id: String, _ record: RecordKey? = invoiced("1"), at time: Int64 = 1000, type: String = "customer.updated",
  kind: EventKind = .updated, body: String = "{}", state: EventState = .waiting
) -> NewEvent {
  NewEvent(
    side: record?.side ?? .invoiced, eventID: id, type: type, kind: kind, origin: .webhook, record: record?.id,
    body: Array(body.utf8), receivedAt: at(time), state: state)
}

func newPush(
  _ action: Push.Action = .update, source: RecordKey = invoiced("1"), target: String? = "p1",
  claims: [Push.Claim] = []
) -> Push {
  Push(
    action: action, flow: "guests", source: source, target: target.map { RecordID($0) }, link: nil, properties: [],
    claims: claims, idempotencyKey: "key", sentAt: at(5), event: nil)
}

func newHold(
  _ kind: Hold.Kind = .parked, _ cause: Hold.Cause = .misfit, _ record: RecordKey? = invoiced("1"), at time: Int64 = 9
) -> Hold {
  Hold(
    kind: kind, cause: cause, flow: "guests", record: record, basis: "b", reason: "It doesn't fit.",
    nextStep: "Correct it.", at: at(time))
}

func newHistory(_ kind: HistoryEntry.Kind = .pushed, _ invoiced: String? = "1", _ pms: String? = "p1", at time: Int64)
  -> HistoryEntry
{
  HistoryEntry(
    kind: kind, flow: "guests", invoicedID: invoiced.map { RecordID($0) }, pmsID: pms.map { RecordID($0) },
    rule: 7, sentence: "Sent.", at: at(time))
}

extension Receipt {
  var id: Int64? {
    switch self {
    case .accepted(let id), .duplicate(let id): id
    case .forgotten: nil
    }
  }
}

extension Store {
  @discardableResult
  func commit(_ fill: (inout Changes) -> Void) async throws(StoreError) -> Committed {
    var changes = Changes()
    fill(&changes)
    return try await commit(changes)
  }
}
