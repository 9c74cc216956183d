import Mapping
import Store
import Sync

/// Where a walk puts what it finds: the inbox, never faster than the workers empty it.
struct WalkInbox: Sendable {
  let context: EngineContext
  let origin: EventOrigin
  let notify: @Sendable ([RecordKey]) -> Void

  /// Pending events above which a walk waits, and the level that lets it go on.
  private static let most = 2000
  private static let few = 1000
  /// How long nothing may get less before a walk gives up for now.
  private static let patience: Duration = .seconds(600)

  /// A record to be looked at; `body` is the record as it was listed, or empty where it is to be fetched.
  func event(about key: RecordKey, body: [UInt8]) -> NewEvent {
    NewEvent(
      side: key.side, eventID: "\(origin.rawValue):\(context.random.idempotencyKey())", type: "record.seen",
      kind: .seen,
      origin: origin, record: key.id, body: body, receivedAt: context.clock.now)
  }

  /// Stores them in one commit; their bookmark may only be moved after that.
  func append(_ events: [NewEvent]) async throws(WalkError) {
    guard !events.isEmpty else { return }
    var changes = Changes()
    changes.followUps = events
    do throws(StoreError) { _ = try await context.store.commit(changes) } catch { throw .store(error) }
    notify(events.compactMap { event in event.record.map { RecordKey(event.side, $0) } })
  }

  func waitForRoom() async throws(WalkError) {
    var waiting = try await pending()
    guard waiting > Self.most else { return }
    var (least, since) = (waiting, context.clock.now)
    while waiting > Self.few {
      do { try await context.clock.sleep(for: max(.milliseconds(100), Self.nap(waiting))) } catch { throw .cancelled }
      waiting = try await pending()
      if waiting < least { (least, since) = (waiting, context.clock.now) }
      if context.clock.now.since(since) > Self.patience { throw .stuck(waiting: waiting) }
    }
  }

  /// How long to wait before so many pending events are counted again: the more, the longer they and their count take.
  static func nap(_ waiting: Int) -> Duration { .milliseconds(min(waiting / 50, 5000)) }

  private func pending() async throws(WalkError) -> Int {
    do throws(StoreError) { return try await context.store.pendingEvents(receivedBy: nil) } catch {
      throw .store(error)
    }
  }
}
