import Glibc

/// A file, or one of the standard streams, that a command couldn't read or write: exit 1.
struct FileFailure: Error, CustomStringConvertible {
  let description: String

  init(_ action: String, _ path: String, _ code: Int32) {
    description = "'\(path)' can't be \(action): \(String(cString: strerror(code)))"
  }
}

enum Files {
  /// The file's bytes as they are; standard input's for nil and for `-`.
  static func bytes(of path: String?) throws(FileFailure) -> [UInt8] {
    guard let path, path != "-" else { return try read(STDIN_FILENO, "standard input") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure("read", path, errno) }
    defer { close(descriptor) }
    return try read(descriptor, path)
  }

  private static func read(_ descriptor: Int32, _ name: String) throws(FileFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      if count > 0 {
        bytes += buffer[..<count]
      } else if errno != EINTR {
        throw FileFailure("read", name, errno)
      }
    }
  }

  static func exist(_ path: String) -> Bool { access(path, F_OK) == 0 }

  /// Writes the text to the file, replacing it; to standard output for nil and for `-`.
  static func write(_ text: String, to path: String?) throws(FileFailure) {
    guard let path, path != "-" else { return Console.write(text) }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileFailure("written", path, errno) }
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno != EINTR {
        let code = errno
        close(descriptor)
        throw FileFailure("written", path, code)
      }
      bytes = bytes.dropFirst(max(0, count))
    }
    guard close(descriptor) == 0 else { throw FileFailure("written", path, errno) }
  }
}
