import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync

/// A backfill that writes nothing: the engine itself, on a copy of the store and with both sides' writes held back.
public final class Rehearsal: Sendable {
  public let run: WalkRun
  private let core: ServiceCore
  private let connectors: [RehearsalConnector]
  private let work: Task<Void, Never>
  private let began: Timestamp

  /// - Parameter directory: A private one, for the copy of the store.
  public init(
    _ configuration: Configuration, mapping: Mapping, flow: String?, in directory: String
  ) throws(ServiceError) {
    var copy = configuration
    let path = directory + "/store.db"
    guard case .sqlite(let original) = configuration.store else {
      throw .misconfigured("store: this build keeps its store in SQLite only; write sqlite:FILE")
    }
    do throws(StoreError) { try SQLiteStore.copy(original, to: path) } catch { throw .failed("\(error)") }
    copy.store = .sqlite(path: path)
    // Nothing is in doubt here for long: nothing was written.
    copy.confirm = .zero
    var made: [RehearsalConnector] = []
    do throws(ServiceError) {
      core = try ServiceCore(
        copy, mapping: mapping, logger: Logger(label: "rehearsal") { _ in SwiftLogNoOpLogHandler() },
        purpose: "backfill"
      ) { connector, clock in
        let rehearsing = RehearsalConnector(connector, clock: clock)
        made.append(rehearsing)
        return rehearsing
      }
    } catch {
      // What is wrong with the copy is wrong with the store.
      throw .failed(error.description.replacing(path, with: original))
    }
    connectors = made
    began = core.context.clock.now
    run = core.engine.walks.start(.backfill(flow: flow))
    let engine = core.engine
    work = Task { await engine.run(walksBySchedule: false) }
  }

  public func close() async {
    work.cancel()
    await core.engine.rest()
    await work.value
    await core.close()
  }

  /// What a backfill would do, a row for each record and action; to be asked for when the run is over.
  public func rows() async throws(ServiceError) -> [JSONValue] {
    do throws(StoreError) {
      var rows: [JSONValue] = []
      var creates: Set<RecordKey> = []
      for write in connectors.flatMap(\.writes) {
        if write.isCreate { creates.insert(write.key) }
        rows.append(try await row(write))
      }
      rows = try await links(besides: creates) + rows
      for kind in [Hold.Kind.parked, .conflict] {
        var query = ListQuery(limit: 500)
        query.since = began
        repeat {
          let listing = try await core.store.holds(kind, query)
          rows += listing.items.map { hold in
            Self.row(
              kind == .parked ? "park" : "conflict", hold.record?.side, hold.flow, hold.invoicedID, hold.pmsID,
              property: hold.property, invoiced: hold.invoiced, pms: hold.pms, reason: hold.reason)
          }
          query.after = listing.next
        } while query.after != nil
      }
      return rows
    } catch {
      throw .failed("\(error)")
    }
  }

  /// Links that matching would make; those of new records come with their creation.
  private func links(besides creates: Set<RecordKey>) async throws(StoreError) -> [JSONValue] {
    var rows: [JSONValue] = []
    var query = ListQuery(limit: 500)
    query.since = began
    repeat {
      let listing = try await core.store.links(query)
      for link in listing.items where Side.allCases.allSatisfy({ !creates.contains(link.key(on: $0)) }) {
        rows.append(Self.row("link", nil, link.flow, link.invoiced, link.pms, reason: "the two records match"))
      }
      query.after = listing.next
    } while query.after != nil
    return rows
  }

  private func row(_ write: RehearsedWrite) async throws(StoreError) -> JSONValue {
    let unit = try await core.store.unit(of: write.key)
    let link = unit.link
    let flow = link.flatMap { core.context.mapping.flow(named: $0.flow) }
    let isReference = write.changes.count == 1 && write.changes[0].path == flow?.reference(on: write.key.side)
    let action =
      write.isCreate ? "create" : write.changes.isEmpty ? "delete" : isReference ? "reference" : "update"
    let own = write.isCreate ? nil : write.key.id
    let changes = write.changes.map { change -> JSONValue in
      ["property": .string(change.path.description), "from": change.from ?? .null, "to": change.to]
    }
    return Self.row(
      action, write.key.side, link?.flow, write.key.side == .invoiced ? own : link?.invoiced,
      write.key.side == .pms ? own : link?.pms, changes: changes,
      reason: write.changes.map { "\($0.path) = \($0.to.text)" }.joined(separator: ", "))
  }

  private static func row(
    _ action: String, _ side: Side?, _ flow: String?, _ invoicedID: RecordID?, _ pmsID: RecordID?,
    property: String? = nil, invoiced: JSONValue? = nil, pms: JSONValue? = nil, changes: [JSONValue] = [],
    reason: String
  ) -> JSONValue {
    func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
    // A record that a rehearsal made has no id yet.
    func id(_ id: RecordID?) -> JSONValue { text(id.flatMap { $0.text.hasPrefix("new-") ? nil : $0.text }) }
    return .object(
      JSONObject([
        ("state", .string(action)), ("side", text(side?.rawValue)), ("flow", text(flow)),
        ("invoiced_id", id(invoicedID)), ("pms_id", id(pmsID)), ("property", text(property)),
        ("invoiced", invoiced ?? .null), ("pms", pms ?? .null), ("changes", .array(changes)),
        ("reason", .string(reason)),
      ]))
  }
}
