import EventLoop
import Glibc
import Synchronization
import Testing

@Suite("EventLoop", .timeLimit(.minutes(1))) struct EventLoopTests {
  @Test("work from many threads runs on the loop's thread, each thread's in its order")
  func executes() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let seen = Guarded<[[Int]]>([[], [], [], []])
    await withTaskGroup { group in
      for thread in 0..<4 {
        group.addTask {
          for number in 0..<500 {
            loop.execute {
              #expect(loop.isCurrentThread)
              seen.withLock { $0[thread].append(number) }
            }
          }
          await withCheckedContinuation { done in loop.execute { done.resume() } }
        }
      }
    }
    #expect(seen.withLock { $0 } == Array(repeating: Array(0..<500), count: 4))
    #expect(!loop.isCurrentThread)
  }

  @Test("an actor can live on a loop, and a task prefer it")
  func executor() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    #expect(await Resident(loop).isHome())
    #expect(await Task(executorPreference: loop) { loop.isCurrentThread }.value)
  }

  @Test("timers fire in the order of their time, and never early")
  func timers() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let (fired, continuation) = AsyncStream<(Int, Duration)>.makeStream()
    let start = loop.now
    for milliseconds in [30, 0, 10, 20] {
      loop.schedule(after: .milliseconds(milliseconds)) { continuation.yield((milliseconds, loop.now - start)) }
    }
    var order: [Int] = []
    for await (milliseconds, after) in fired {
      order.append(milliseconds)
      #expect(after >= .milliseconds(milliseconds))
      if order.count == 4 { break }
    }
    #expect(order == [0, 10, 20, 30])
  }

  @Test("a timer that a long callback delays is not early either")
  func timerAfterLongCallback() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let after = await withCheckedContinuation { continuation in
      loop.execute {
        usleep(30_000)
        let start = loop.now
        loop.schedule(after: .milliseconds(20)) { continuation.resume(returning: loop.now - start) }
      }
    }
    #expect(after >= .milliseconds(20))
  }

  @Test("a cancelled timer does not fire", arguments: [false, true])
  func cancelledTimer(onLoop: Bool) async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let hasFired = Guarded(false)
    let cancel: @Sendable () -> Void = {
      loop.schedule(after: .milliseconds(5)) { hasFired.withLock { $0 = true } }.cancel()
    }
    if onLoop { loop.execute(cancel) } else { cancel() }
    try await loop.sleep(for: .milliseconds(20))
    #expect(!hasFired.withLock { $0 })
  }

  @Test("a sleeper wakes in time, or at once when its task is cancelled")
  func sleeping() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let start = loop.now
    try await loop.sleep(for: .milliseconds(20))
    #expect(loop.now - start >= .milliseconds(20))

    let sleeper = Task { try await loop.sleep(for: .seconds(3600)) }
    loop.schedule(after: .milliseconds(5)) { sleeper.cancel() }
    await #expect(throws: CancellationError.self) { try await sleeper.value }
    let early = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      try await loop.sleep(for: .seconds(3600))
    }
    await #expect(throws: CancellationError.self) { try await early.value }
  }

  @Test("stopping runs what was handed in, drops timers, cancels sleepers, and can be repeated")
  func stopping() async throws {
    let loop = try EventLoop()
    let ran = Guarded(0)
    let sleeper = Task { try await loop.sleep(for: .seconds(3600)) }
    loop.schedule(after: .seconds(3600)) { ran.withLock { $0 += 1000 } }
    for _ in 0..<100 { loop.execute { ran.withLock { $0 += 1 } } }
    loop.stop()
    loop.stop()
    #expect(ran.withLock { $0 } == 100)
    await #expect(throws: CancellationError.self) { try await sleeper.value }
    await #expect(throws: CancellationError.self) { try await loop.sleep(for: .seconds(3600)) }
    loop.execute { Issue.record("nothing runs on a stopped loop") }
  }

  @Test("a stopped loop goes away with all that it holds, also when it stops itself")
  func released() async throws {
    weak var weakLoop: EventLoop?
    do {
      let loop = try EventLoop()
      weakLoop = loop
      loop.schedule(after: .seconds(3600)) { [loop] in _ = loop.now }
      loop.execute { loop.stop() }
      loop.stop()
    }
    #expect(weakLoop == nil)
  }

  @Test("a signal is delivered on the loop's thread, as often as it comes")
  func signals() async throws {
    let loop = try EventLoop()
    defer { loop.stop() }
    let (raised, continuation) = AsyncStream<Bool>.makeStream()
    try loop.onSignal(SIGUSR2) { continuation.yield(loop.isCurrentThread) }
    var count = 0
    kill(getpid(), SIGUSR2)
    for await isOnLoop in raised {
      #expect(isOnLoop)
      count += 1
      if count == 3 { break }
      kill(getpid(), SIGUSR2)
    }
    #expect(throws: EventLoopError.cannotWatchSignal(SIGKILL)) { try loop.onSignal(SIGKILL) {} }
  }
}

private final class Guarded<Value: Sendable>: Sendable {
  private let mutex: Mutex<Value>
  init(_ value: Value) { mutex = Mutex(value) }
  func withLock<Result: Sendable>(_ body: (inout Value) -> Result) -> Result { mutex.withLock { body(&$0) } }
}

private actor Resident {
  private let loop: EventLoop
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  init(_ loop: EventLoop) { self.loop = loop }
  func isHome() -> Bool { loop.isCurrentThread }
}
