import Glibc
import Synchronization

/// The right to write a store: a lock on a file beside it, which the kernel takes back when its process dies.
final class FileLock: Sendable {
  /// Below 0 once it is released.
  private let descriptor: Atomic<Int32>

  /// `holder` is what others are told: what this process is doing, in a word. `instance` names this holding of the lock.
  init(path: String, holder: String, instance: String) throws(StoreError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .unusable("can't open the lock file \(path): \(systemMessage()); make its directory writable for this user")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let reason = errno
      let text = Self.lines(of: descriptor).first ?? ""
      close(descriptor)
      if reason == EWOULDBLOCK { throw .inUse(by: text.isEmpty ? "another process" : text) }
      throw .unusable("can't lock \(path): \(systemMessage(reason)); keep the store on a file system that has locks")
    }
    self.descriptor = Atomic(descriptor)
    let text = Array("process \(getpid()) (\(holder))\n\(instance)\n".utf8)
    // Only what others are told about us: the lock holds without it.
    _ = ftruncate(descriptor, 0)
    _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  deinit { release() }

  func release() {
    let descriptor = descriptor.exchange(-1, ordering: .acquiringAndReleasing)
    guard descriptor >= 0 else { return }
    // From now on nobody can be taken for the holder.
    _ = ftruncate(descriptor, 0)
    // Closing alone leaves it locked while a child process, between fork and exec, has the same open file.
    _ = flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// The instance that holds, or held, the lock at `path`; nil where there is none or it can't be read.
  static func instance(at path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let lines = lines(of: descriptor)
    return lines.count > 1 && !lines[1].isEmpty ? lines[1] : nil
  }

  private static func lines(of descriptor: Int32) -> [String] {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    return bytes.prefix(max(0, count)).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { String(decoding: $0, as: UTF8.self) }
  }
}

/// The system's words for `code`.
func systemMessage(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
