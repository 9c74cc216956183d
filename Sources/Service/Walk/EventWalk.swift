import Connectors
import JSON
import Mapping
import Store
import Sync

/// Fetches the events of a side that lists them, since the bookmark: those whose webhook came are known by their ids,
/// the others are worked as if it had come.
struct EventWalk: Sendable {
  let context: EngineContext
  let side: Side
  let run: WalkRun
  let inbox: WalkInbox

  /// Events show up in their log a while after they happened, and not in their order.
  private static let overlap: Duration = .seconds(300)

  func walk() async throws(WalkError) {
    let caller = WalkCaller(context: context, side: side)
    let connector = context.connector(side)
    let kept: String?
    do throws(StoreError) { kept = try await context.store.value(WalkName.events) } catch { throw .store(error) }
    let bookmark = kept.flatMap { Int64($0) }.map { Timestamp(milliseconds: $0) }
    // Before the first bookmark, all records are walked anyway.
    let start = context.clock.now
    let since = (bookmark ?? start.adding(connector.clockOffset ?? .zero)).adding(.zero - Self.overlap)
    var (cursor, began): (ListCursor?, Timestamp?) = (nil, nil)
    repeat {
      try await inbox.waitForRoom()
      let page = try await caller.call { [cursor] (connector) async throws(ConnectorError) in
        try await connector.eventPage(since: since, cursor: cursor)
      }
      guard let page else { return }
      began = began ?? start.adding(connector.clockOffset ?? .zero)
      let events = page.events.compactMap { Self.event($0, on: side, at: context.clock.now) }
      run.update { $0.events += events.count }
      try await inbox.append(events)
      cursor = page.next
    } while cursor != nil
    guard let began else { return }
    do throws(StoreError) { try await context.store.setValue("\(began.milliseconds)", for: WalkName.events) } catch {
      throw .store(error)
    }
  }

  /// The event as its webhook would be stored, under its own id.
  private static func event(_ event: JSONValue, on side: Side, at time: Timestamp) -> NewEvent? {
    guard let id = event["id"]?.identifier, !id.isEmpty, let type = event["type"]?.string,
      let kind = EventEndpoint.invoicedKinds[type], let record = event["data"]?["object"]?["id"]?.identifier,
      !record.isEmpty
    else { return nil }
    return NewEvent(
      side: side, eventID: id, type: type, kind: kind, origin: .webhook, record: RecordID(record),
      body: event.serialized, receivedAt: time)
  }
}
