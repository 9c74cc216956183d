import Connectors
import Logging
import Mapping
import Store
import Sync
import Synchronization

/// Runs walks one at a time: by the schedule (`reconcile.every`, `reconcile.full`), and when a person asks for one.
public final class Walks: Sendable {
  private struct State {
    var queue: [WalkRun] = []
    var current: WalkRun?
    /// The latest that are over, in the order in which they ended.
    var ended: [WalkRun] = []
    var count = 0
    var failures = 0
    /// Whether other work than the walks' own comes in meanwhile.
    var bySchedule = true
  }

  private let context: EngineContext
  private let notify: @Sendable ([RecordKey]) -> Void
  private let timer: DueTimer
  private let state = Mutex(State())

  init(context: EngineContext, notify: @escaping @Sendable ([RecordKey]) -> Void) {
    self.context = context
    self.notify = notify
    timer = DueTimer(executor: context.executor)
  }

  /// Asks for a walk; one that is the same and hasn't begun yet is joined.
  public func start(_ request: WalkRequest) -> WalkRun {
    let run = state.withLock { state in
      if let waiting = state.queue.first(where: { $0.request == request }) { return waiting }
      state.count += 1
      let run = WalkRun(id: state.count, request: request, isAsked: true)
      state.queue.append(run)
      return run
    }
    timer.bring(forwardTo: context.clock.now)
    return run
  }

  /// The latest walk of that kind: one that waits, runs or is over.
  public func latest(_ kind: WalkRequest.Kind) -> WalkRun? {
    state.withLock { state in
      state.queue.last { $0.request.kind == kind } ?? state.current.flatMap { $0.request.kind == kind ? $0 : nil }
        ?? state.ended.last { $0.request.kind == kind }
    }
  }

  /// The walk with that number, as long as it is among the latest: who waits for one mustn't take another's end for it.
  public func run(_ id: Int) -> WalkRun? {
    state.withLock { state in
      ([state.current].compactMap(\.self) + state.queue + state.ended).first { $0.id == id }
    }
  }

  private static let mostEnded = 32

  /// Walks when it is time or when asked, until cancelled.
  func run(bySchedule: Bool) async {
    state.withLock { $0.bySchedule = bySchedule }
    await restoreMetric()
    var next = bySchedule ? context.clock.now : nil
    while !Task.isCancelled {
      if let run = await self.next(due: next) {
        await perform(run)
        if bySchedule, run.request.kind == .reconcile || !run.isAsked {
          next = context.clock.now.adding(pause(after: run))
        }
      } else {
        await timer.wait(until: next, clock: context.clock)
      }
    }
    let left = state.withLock { state in
      defer { state.queue = [] }
      return state.queue
    }
    for run in left { fail(run, WalkError.cancelled.description) }
  }

  private func next(due: Timestamp?) async -> WalkRun? {
    // From the queue to `current` at once: at each moment `run` finds it.
    let asked = state.withLock { state in
      if !state.queue.isEmpty { state.current = state.queue.removeFirst() }
      return state.current
    }
    if let asked { return asked }
    guard let due, due <= context.clock.now else { return nil }
    let isFull = await isFullDue()
    return state.withLock { state in
      state.count += 1
      let run = WalkRun(id: state.count, request: .reconcile(full: isFull), isAsked: false)
      state.current = run
      return run
    }
  }

  /// All records are walked first, then after `reconcile.full`, where a pass was broken off, and where the mapping says
  /// something else.
  private func isFullDue() async -> Bool {
    do throws(StoreError) {
      let store = context.store
      guard let last = try await store.value(WalkName.full).flatMap({ Int64($0) }) else { return true }
      if context.clock.now.since(Timestamp(milliseconds: last)) >= context.settings.reconcileFull { return true }
      for side in Side.allCases where try await store.value(WalkName.place(.reconcile(full: true), side)) != nil {
        return true
      }
      return try await !changedFlows().isEmpty
    } catch {
      return false
    }
  }

  private func changedFlows() async throws(StoreError) -> Set<String> {
    guard let text = try await context.store.value(WalkName.flows), let earlier = FlowDigests(text: text) else {
      return []
    }
    return context.digests.changes(since: earlier)
  }

  /// After a failure sooner than `every`, with growing pauses.
  private func pause(after run: WalkRun) -> Duration {
    let failures = state.withLock { state in
      state.failures = run.progress.state == .failed ? state.failures + 1 : 0
      return state.failures
    }
    let every = context.settings.reconcileEvery
    guard failures > 0 else { return every }
    return min(every, max(context.settings.retryFirst, .seconds(1)) * (1 << min(failures, 10)))
  }

  // MARK: One walk

  private func perform(_ run: WalkRun) async {
    let before = context.metrics.pushesTaken()
    run.update { progress in
      progress.state = .walking
      progress.startedAt = context.clock.now
    }
    if run.isAsked, run.request.isFull { await bringForward() }
    let reasons = await walk(run)
    let end = context.clock.now
    run.update { progress in
      progress.state = .working
      progress.side = nil
    }
    if run.isAsked { await waitForRest(run, upTo: end) }
    if reasons.isEmpty, run.request.kind == .reconcile { await reconciled(run, at: end) }
    await sum(run, before, reasons)
  }

  /// Who asks for all records doesn't want to wait for the next try of what failed: it is made now, except where the
  /// side itself asked to be left alone.
  private func bringForward() async {
    let settings = context.settings
    guard
      let due = try? await context.store.due(
        by: context.clock.now.adding(settings.retryMost), limit: Self.mostBroughtForward)
    else { return }
    notify(due.keys.filter { !context.askedToWait.holds($0, at: context.clock.now) })
  }

  private static let mostBroughtForward = 10_000

  /// Walks both sides, one after the other; trouble with one doesn't keep the other from being walked.
  private func walk(_ run: WalkRun) async -> [String] {
    let request = run.request
    let inbox = WalkInbox(context: context, origin: request.kind == .backfill ? .backfill : .reconcile, notify: notify)
    var reasons: [String] = []
    func attempt(_ body: () async throws(WalkError) -> Void) async {
      do throws(WalkError) { try await body() } catch {
        if !reasons.contains(error.description) { reasons.append(error.description) }
      }
    }
    var changed: Set<String> = []
    await attempt { () async throws(WalkError) in
      do throws(StoreError) { changed = request.isFull ? try await changedFlows() : [] } catch { throw .store(error) }
    }
    if request.kind == .reconcile {
      await attempt { () async throws(WalkError) in
        try await EventWalk(context: context, side: .invoiced, run: run, inbox: inbox).walk()
      }
    }
    for side in Side.allCases {
      if Task.isCancelled { break }
      var walk = SideWalk(context: context, side: side, run: run, inbox: inbox)
      walk.changedFlows = changed
      run.update { $0.side = side }
      await attempt { () async throws(WalkError) in
        if request.isFull { try await walk.everything() } else { try await walk.changes() }
      }
      // What the first side's records are linked with or made into needn't be looked at once more from the other one.
      if request.isFull, side == .invoiced { await waitForRest(run, upTo: context.clock.now) }
    }
    if Task.isCancelled, !reasons.contains(WalkError.cancelled.description) {
      reasons.append(WalkError.cancelled.description)
    }
    return reasons
  }

  /// Waits until what was received up to `time` is done, or doesn't get less any more.
  private func waitForRest(_ run: WalkRun, upTo time: Timestamp) async {
    let bySchedule = state.withLock { $0.bySchedule }
    let start = context.clock.now
    var (least, since) = (Int.max, start)
    var nap = 5
    while !Task.isCancelled {
      guard let waiting = try? await context.store.pendingEvents(receivedBy: bySchedule ? time : nil) else { return }
      run.update { $0.waiting = waiting }
      if waiting == 0 { return }
      if waiting < least { (least, since) = (waiting, context.clock.now) }
      if context.clock.now.since(since) > patience { return }
      do { try await context.clock.sleep(for: max(.milliseconds(nap), WalkInbox.nap(waiting))) } catch { return }
      // What takes long is looked at less often.
      let waited = Int(context.clock.now.since(start).components.seconds)
      nap = min(nap * 2, max(250, min(waited * 50, 2000)))
    }
  }

  /// Longer than doubtful news takes to be asked again; shorter while a side is down, which may take any time.
  private var patience: Duration {
    let isDown = Side.allCases.contains { context.gate($0).closedReason != nil }
    return isDown ? context.settings.breakerProbe * 3 : context.settings.confirm * 3 + .seconds(5)
  }

  private func reconciled(_ run: WalkRun, at time: Timestamp) async {
    context.metrics.reconciled(at: time)
    do throws(StoreError) {
      try await context.store.setValue("\(time.milliseconds)", for: WalkName.reconciled)
      guard run.request.isFull else { return }
      try await context.store.setValue(context.digests.text, for: WalkName.flows)
      try await context.store.setValue("\(time.milliseconds)", for: WalkName.full)
    } catch {
      context.logger.error("the end of a reconcile could not be kept", metadata: [LogKey.error: "\(error)"])
    }
  }

  private func sum(_ run: WalkRun, _ before: [Side: [Push.Action: Int]], _ reasons: [String]) async {
    let counts = try? await context.store.counts()
    let after = context.metrics.pushesTaken()
    run.update { progress in
      for (side, actions) in after {
        for (action, count) in actions {
          progress.pushes[side, default: [:]][action] = count - (before[side]?[action] ?? 0)
        }
      }
      progress.parked = counts?.openHolds[.parked] ?? 0
      progress.conflicts = counts?.openHolds[.conflict] ?? 0
      progress.reasons += reasons
      progress.finishedAt = context.clock.now
      progress.side = nil
      progress.state = reasons.isEmpty ? .done : .failed
    }
    state.withLock { state in
      state.current = nil
      // The latest of the other kind stays, however many of this one follow.
      let other = state.ended.last { $0.request.kind != run.request.kind }
      if state.ended.count == Self.mostEnded, let first = state.ended.firstIndex(where: { $0 !== other }) {
        state.ended.remove(at: first)
      }
      state.ended.append(run)
    }
    let progress = run.progress
    let numbers: Logger.Metadata = [
      "rows": "\(progress.rows.values.reduce(0, +))", "changed": "\(progress.changed)",
      "missing": "\(progress.missing)",
    ]
    if reasons.isEmpty {
      context.logger.debug("walked", metadata: numbers.merging(["kind": "\(run.request.kind.rawValue)"]) { $1 })
    } else if !Task.isCancelled {
      context.logger.warning(
        "a walk over the sides' records was broken off, and goes on later",
        metadata: numbers.merging([LogKey.reason: "\(reasons.joined(separator: "; "))"]) { $1 })
    }
  }

  private func fail(_ run: WalkRun, _ reason: String) {
    run.update { progress in
      progress.state = .failed
      progress.reasons.append(reason)
      progress.finishedAt = context.clock.now
    }
  }

  private func restoreMetric() async {
    let kept = try? await context.store.value(WalkName.reconciled)
    if let time = kept.flatMap({ $0 }).flatMap({ Int64($0) }) {
      context.metrics.reconciled(at: Timestamp(milliseconds: time))
    }
  }
}
