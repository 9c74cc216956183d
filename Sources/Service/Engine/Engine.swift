import Connectors
import JSON
import Logging
import Mapping
import Store
import Sync
import Synchronization

/// Works the inbox off: one unit at a time per record, many side by side.
public final class Engine: Sendable {
  let context: EngineContext
  private let scheduler: Scheduler
  private let timers: DueTimer
  private let probes: [Side: DueTimer]
  private let blocked: BlockedKeys
  private let reviews = Mutex(0)
  /// Walks over the sides' records: reconcile and backfill.
  public let walks: Walks

  /// How many units are worked on at once; the sides' own limits are in their gates.
  private static let workers = 64
  /// How many due records are read from the store at a time.
  private static let batch = 1000

  init(context: EngineContext) {
    self.context = context
    let timers = DueTimer(executor: context.executor)
    let blocked = BlockedKeys()
    let box = SchedulerBox()
    let worker = Worker(context: context) { wake in
      switch wake {
      case .at(let time): timers.bring(forwardTo: time)
      case .now(let keys): box.notify(keys)
      case .blocked(let key): blocked.add(key)
      }
    }
    scheduler = Scheduler(limit: Self.workers, executor: context.executor) { key, lease in
      await worker.process(key, lease)
    }
    self.timers = timers
    probes = Dictionary(uniqueKeysWithValues: Side.allCases.map { ($0, DueTimer(executor: context.executor)) })
    self.blocked = blocked
    walks = Walks(context: context) { box.notify($0) }
    box.set(scheduler)
  }

  /// There is work on this record; cheap, from any thread.
  public func notify(_ key: RecordKey) { schedule(CollectionOfOne(key)) }

  private var isShut: Bool { Side.allCases.allSatisfy { context.gate($0).isClosed } }

  /// While neither side lets a call through nothing can be done: the work waits, and costs nothing.
  private func schedule(_ keys: some Sequence<RecordKey>) {
    guard isShut else { return scheduler.notify(keys) }
    for key in keys { blocked.add(key) }
    // A side may have come back meanwhile.
    if !isShut { scheduler.notify(blocked.takeAll()) }
  }

  /// Takes up what earlier runs left, then watches for work that falls due and for sides that answer again, and walks
  /// the sides, until cancelled.
  /// - Parameter walksBySchedule: False for commands, which walk when they are asked to.
  public func run(walksBySchedule: Bool = true) async {
    reviews.withLock { $0 += 1 }
    await takeUpLeftovers()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        await self.review()
        self.reviews.withLock { $0 -= 1 }
      }
      group.addTask { await self.watchDue() }
      group.addTask { await self.prune() }
      for side in Side.allCases { group.addTask { await self.watch(side) } }
      group.addTask { await self.walks.run(bySchedule: walksBySchedule) }
    }
  }

  /// Nothing is in hand or queued.
  var isIdle: Bool { scheduler.isIdle && reviews.withLock { $0 == 0 } }

  private func review() async {
    do throws(StoreError) {
      let keys = try await MappingReview(context: context).run { self.schedule($0) }
      if keys > 0 {
        context.logger.info("records are looked at again after a change of the mapping", metadata: ["count": "\(keys)"])
      }
    } catch {
      context.logger.error("what a changed mapping asks for was not found out", metadata: [LogKey.error: "\(error)"])
    }
  }

  /// Starts no more work, and returns when no push is in flight.
  func stop() async { await scheduler.stop() }

  /// Does `body` while no worker has any of these records in hand.
  func exclusively<Result: Sendable, Failure: Error>(
    on keys: [RecordKey], _ body: () async throws(Failure) -> Result
  ) async throws(Failure) -> Result {
    await scheduler.hold(keys)
    defer { scheduler.release(keys) }
    return try await body()
  }

  /// Starts no work from now on: for commands that only change the store, whose work `serve` does later.
  public func rest() async { await scheduler.stop() }

  /// A person lifted a pause: what waited for the side goes on.
  func resumed() { schedule(blocked.takeAll()) }

  /// Other credentials or another address may be what a closed side was waiting for: it is probed at once. What another
  /// mapping changes is looked at.
  func reloaded() {
    reviews.withLock { $0 += 1 }
    Task(executorPreference: context.executor) {
      await self.review()
      self.reviews.withLock { $0 -= 1 }
    }
    for probe in probes.values { probe.bring(forwardTo: context.clock.now) }
  }

  /// Everything pending is looked at again, whatever it was waiting for.
  private func takeUpLeftovers() async {
    do throws(StoreError) {
      for push in try await context.store.unsettledPushes() where push.state == .sent {
        // A crash came between the write and its answer.
        var left = push
        left.state = .unanswered
        var changes = Changes()
        changes.pushes = [left]
        _ = try await context.store.commit(changes)
        scheduler.notify([push.source])
      }
    } catch {
      context.logger.error("the pushes of the last run could not be read", metadata: [LogKey.error: "\(error)"])
    }
  }

  private func watchDue() async {
    while !Task.isCancelled {
      var next: Timestamp?
      do throws(StoreError) {
        let due = try await context.store.due(by: context.clock.now, limit: Self.batch)
        schedule(due.keys)
        next = due.next
        if due.keys.count == Self.batch { next = context.clock.now.adding(.milliseconds(200)) }
      } catch {
        next = context.clock.now.adding(.seconds(1))
      }
      await timers.wait(until: next, clock: context.clock)
    }
  }

  /// Removes what is older than the retention, every hour.
  private func prune() async {
    while !Task.isCancelled {
      do { try await context.clock.sleep(for: .seconds(3600)) } catch { return }
      let now = context.clock.now
      do throws(StoreError) {
        try await context.store.prune(
          events: now.adding(.zero - context.settings.keepEvents),
          history: now.adding(.zero - context.settings.keepHistory))
      } catch {
        context.logger.warning("old events could not be removed", metadata: [LogKey.error: "\(error)"])
      }
    }
  }

  /// Probes a side that is down or paused by itself, and sets what waited going when it answers.
  private func watch(_ side: Side) async {
    let gate = context.gate(side)
    let name = SideGate.closuresName(side)
    var kept = (try? await context.store.value(name)) ?? ""
    gate.restore(closures: kept)
    while !Task.isCancelled {
      await probes[side]?.wait(until: context.clock.now.adding(context.settings.breakerProbe), clock: context.clock)
      let closures = gate.keptClosures
      if closures != kept, (try? await context.store.setValue(closures, for: name)) != nil { kept = closures }
      guard gate.needsProbe, !Task.isCancelled else { continue }
      do throws(ConnectorError) {
        try await context.connector(side).probe()
        gate.probed()
        context.logger.info("a side answers again", metadata: [LogKey.side: "\(side.rawValue)"])
        if !gate.isClosed { resumed() }
      } catch {
        context.logger.debug(
          "a side is still down", metadata: [LogKey.side: "\(side.rawValue)", LogKey.error: "\(error)"])
      }
    }
  }
}

/// The scheduler's workers tell it of more work; it is set once, before they run.
private final class SchedulerBox: Sendable {
  private let scheduler = Mutex<Scheduler?>(nil)
  func set(_ scheduler: Scheduler) { self.scheduler.withLock { $0 = scheduler } }
  func notify(_ keys: [RecordKey]) { scheduler.withLock { $0 }?.notify(keys) }
}

/// Records whose work waits for a side to let calls through again.
private final class BlockedKeys: Sendable {
  private let keys = Mutex<Set<RecordKey>>([])

  func add(_ key: RecordKey) { keys.withLock { _ = $0.insert(key) } }
  func takeAll() -> [RecordKey] {
    keys.withLock { keys in
      defer { keys = [] }
      return keys.sorted()
    }
  }
}
