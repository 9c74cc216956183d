import CLibevent
import Glibc
import Synchronization

/// libevent's loop on a thread of its own, as a Swift executor.
///
/// An actor whose `unownedExecutor` is a loop's runs on that thread; so do tasks that prefer it
/// (`Task(executorPreference: loop)`), closures handed to `execute`, timers and signal watches. Nothing that runs
/// there may block. A loop lives until `stop()`.
///
/// Safety of `@unchecked Sendable`: `base` and `wake` never change after `init`, and libevent locks its base (threads
/// are enabled before the first one is made). `ready`, `timers` and `watches` are touched by the loop's thread only, or
/// by the thread that ends it once its queue is closed. Everything else is behind `queue` or atomic.
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
  enum Work: Sendable {
    case job(UnownedJob)
    case closure(@Sendable () -> Void)
  }

  private struct Queue {
    var work: [Work] = []
    /// The loop has been told of the work that waits: one wake-up for a batch.
    var isAwake = false
    /// The thread has ended; nothing is taken any more.
    var isClosed = false
  }

  /// The raw loop, for the wrappers of this package; its events belong to whoever made them.
  package let base: OpaquePointer
  private let wake: OpaquePointer
  /// Points to this loop; libevent needs it before `self` is whole.
  private let wakeContext: UnsafeMutablePointer<Unmanaged<EventLoop>?>
  private let queue = Mutex(Queue())
  private let threadID = Atomic<UInt>(0)
  private let joining = Mutex<pthread_t?>(nil)
  private let afterStop = Mutex(())
  private var ready: [Work] = []
  var timers: [ObjectIdentifier: Timer] = [:]
  var watches: [SignalWatch] = []

  /// Threads before the first base, as libevent asks; and a peer that hangs up must be an error of `write`, not the
  /// end of the process.
  private static let isProcessReady: Bool = {
    signal(SIGPIPE, SIG_IGN)
    return evthread_use_pthreads() == 0
  }()

  /// With a list of changes, what a round of callbacks switches off and on again costs no system call: a third of the
  /// server's. It asks that no watched descriptor is a duplicate of another.
  private static func makeBase() -> OpaquePointer? {
    guard let configuration = event_config_new() else { return nil }
    defer { event_config_free(configuration) }
    event_config_set_flag(configuration, Int32(EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST.rawValue))
    return event_base_new_with_config(configuration)
  }

  /// Starts the thread. Throws when the system gives no descriptor or no thread.
  public init() throws(EventLoopError) {
    guard Self.isProcessReady else { throw .cannotStart("libevent was built without threads") }
    guard let base = Self.makeBase() else { throw .cannotStart("no event base (\(systemError(errno)))") }
    let box = UnsafeMutablePointer<Unmanaged<EventLoop>?>.allocate(capacity: 1)
    box.initialize(to: nil)
    let woken: event_callback_fn = { _, _, context in
      context?.assumingMemoryBound(to: Unmanaged<EventLoop>?.self).pointee?.takeUnretainedValue().runReady()
    }
    guard let wake = event_new(base, -1, 0, woken, box) else {
      box.deallocate()
      event_base_free(base)
      throw .cannotStart("no event (out of memory)")
    }
    self.base = base
    self.wake = wake
    self.wakeContext = box
    // Unretained: the thread keeps the loop alive for as long as callbacks can come.
    box.pointee = Unmanaged.passUnretained(self)

    var thread = pthread_t()
    let body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { context in
      if let context { Unmanaged<EventLoop>.fromOpaque(context).takeRetainedValue().run() }
      return nil
    }
    let context = Unmanaged.passRetained(self)
    let failure = pthread_create(&thread, nil, body, context.toOpaque())
    guard failure == 0 else {
      context.release()
      throw .cannotStart("no thread (\(systemError(failure)))")
    }
    joining.withLock { [thread] in $0 = thread }
  }

  deinit {
    event_free(wake)
    event_base_free(base)
    wakeContext.deallocate()
  }

  /// Whether the caller runs on the loop's thread.
  public var isCurrentThread: Bool { threadID.load(ordering: .relaxed) == UInt(pthread_self()) }

  // MARK: Work

  public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

  /// Runs `work` on the loop's thread, after what was handed in before it; from any thread. However much is handed in
  /// before the loop comes to it, it is woken once. After `stop()` the work is dropped.
  public func execute(_ work: @Sendable @escaping () -> Void) { add(.closure(work)) }

  private func add(_ work: Work) {
    let mustWake = queue.withLock { queue in
      guard !queue.isClosed else { return false }
      queue.work.append(work)
      defer { queue.isAwake = true }
      return !queue.isAwake
    }
    if mustWake { event_active(wake, 0, 0) }
  }

  /// Runs `work` on the loop's thread, or at once when the loop has ended: for freeing what belongs to its base.
  package func finish(_ work: @Sendable @escaping () -> Void) {
    let isClosed = queue.withLock { queue in
      if !queue.isClosed { queue.work.append(.closure(work)) }
      return queue.isClosed
    }
    guard isClosed else { return add(.closure({})) }
    afterStop.withLock { _ in work() }
  }

  var isClosed: Bool { queue.withLock { $0.isClosed } }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  public func checkIsolated() { precondition(isCurrentThread, "this must run on its event loop's thread") }

  public func isIsolatingCurrentContext() -> Bool? { isCurrentThread }

  // MARK: The thread

  private func run() {
    threadID.store(UInt(pthread_self()), ordering: .relaxed)
    event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY)
    end()
  }

  private func runReady() {
    queue.withLock { queue in
      swap(&queue.work, &ready)
      queue.isAwake = false
    }
    for work in ready {
      switch work {
      case .job(let job):
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
      case .closure(let closure): closure()
      }
    }
    ready.removeAll(keepingCapacity: true)
  }

  /// Runs what was handed in before the end, ends timers and watches, and takes nothing more.
  private func end() {
    while true {
      runReady()
      for timer in timers.values { timer.end(elapsed: false) }
      for watch in watches { watch.free() }
      watches = []
      // libevent frees a connection's buffers a round later.
      event_base_loop(base, EVLOOP_NONBLOCK)
      let isDone = queue.withLock { queue in
        queue.isClosed = queue.work.isEmpty && timers.isEmpty
        return queue.isClosed
      }
      if isDone { return }
    }
  }

  /// Ends the loop and waits for its thread. Work handed in before still runs; timers that have not fired never do,
  /// and sleepers are cancelled. On the loop's own thread it only asks for the end and returns.
  public func stop() {
    let base = SendableBase(base)
    execute { event_base_loopbreak(base.pointer) }
    guard !isCurrentThread else { return }
    joining.withLock { thread in
      if let running = thread { pthread_join(running, nil) }
      thread = nil
    }
  }
}

/// Safety: libevent locks the base that it points to.
private struct SendableBase: @unchecked Sendable {
  let pointer: OpaquePointer
  init(_ pointer: OpaquePointer) { self.pointer = pointer }
}

func systemError(_ code: Int32) -> String { String(cString: strerror(code)) }
