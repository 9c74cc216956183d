import CSpawn
import Dispatch
import Foundation
import Glibc
import Synchronization

/// Another program, run by a test.
///
/// Foundation's `Process` isn't used: to find the open descriptors it copies whole `dirent`s out of the buffer of
/// `readdir`, and where more than a thousand are open it reads past that buffer's end, which now and then crashes.
public final class Child: Sendable {
  public enum End: Equatable, Sendable {
    case exit(Int32)
    case signal(Int32)

    /// The exit code; nil where a signal ended it.
    public var code: Int32? {
      guard case .exit(let code) = self else { return nil }
      return code
    }
  }

  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  public let pid: pid_t
  private let end = Mutex<End?>(nil)
  private let ended = DispatchGroup()

  /// Starts it; it has no other descriptors than the three standard ones.
  ///
  /// - Parameters:
  ///   - environment: All that it gets; nil: what this process has.
  ///   - input: The file that it reads as its standard input; likewise the files that `output` and `errors` are written
  ///     to, anew each time. Files rather than pipes: nobody has to empty them.
  public init(
    _ program: String, _ arguments: [String], in directory: URL? = nil, environment: [String: String]? = nil,
    input: String = "/dev/null", output: String = "/dev/null", errors: String = "/dev/null"
  ) throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    if let directory { posix_spawn_file_actions_addchdir_np(&actions, directory.path) }
    // A test runner may block signals; a program as people start it has none blocked.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

    let variables = environment ?? ProcessInfo.processInfo.environment
    let words = ([program] + arguments).map { strdup($0) } + [nil]
    let settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in words + settings { free(text) } }
    var pid: pid_t = 0
    let refusal = posix_spawn(&pid, program, &actions, &attributes, words, settings)
    guard refusal == 0 else {
      throw Failure(description: "\(program) didn't start: \(String(cString: strerror(refusal)))")
    }
    self.pid = pid
    ended.enter()
    Thread.detachNewThread { [self] in awaitEnd() }
  }

  private func awaitEnd() {
    var info = siginfo_t()
    // It is reaped under the lock, so that `signal` never meets another process of the same id.
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == -1, errno == EINTR {}
    end.withLock {
      var status: Int32 = 0
      while waitpid(pid, &status, 0) == -1, errno == EINTR {}
      $0 = status & 0x7f == 0 ? .exit((status >> 8) & 0xff) : .signal(status & 0x7f)
    }
    ended.leave()
  }

  public var isRunning: Bool { end.withLock { $0 == nil } }

  /// Sends the signal, unless it has ended.
  public func signal(_ number: Int32) { end.withLock { if $0 == nil { kill(pid, number) } } }

  /// Blocks the thread until it ends.
  @discardableResult
  public func wait() -> End {
    ended.wait()
    return end.withLock { $0 } ?? .signal(0)
  }

  public func result() async -> End {
    await withCheckedContinuation { continuation in
      ended.notify(queue: .global()) { [self] in continuation.resume(returning: wait()) }
    }
  }
}
