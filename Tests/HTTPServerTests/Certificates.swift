import Glibc

/// A folder with throw-away certificates, made by the `openssl` command; it goes with its owner.
final class Certificates {
  struct Failed: Error { let command: String }

  let folder: String

  init() throws {
    var template = Array("/tmp/http-server-tests-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw Failed(command: "mkdtemp") }
    folder = String(cString: made)
  }

  deinit { try? run("rm -rf \(folder)") }

  func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// `NAME.pem` and `NAME.key`: its own authority, or signed by another's.
  func make(_ name: String, signedBy authority: String? = nil) throws {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout \(path(name)).key -subj /CN=\(name)"
    if let authority {
      try run("openssl req \(key) -out \(path(name)).csr")
      try run(
        "openssl x509 -req -days 2 -in \(path(name)).csr -CA \(path(authority)).pem -CAkey \(path(authority)).key"
          + " -CAcreateserial -out \(path(name)).pem")
    } else {
      try run("openssl req -x509 -days 2 \(key) -out \(path(name)).pem")
    }
  }

  func run(_ command: String) throws {
    var child = pid_t()
    let texts: [String] = ["/bin/sh", "-c", "\(command) >/dev/null 2>&1"]
    let words: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) } + [nil]
    defer { for word in words { Glibc.free(word) } }
    guard posix_spawn(&child, "/bin/sh", nil, nil, words, environ) == 0 else { throw Failed(command: command) }
    var status: Int32 = 0
    guard waitpid(child, &status, 0) == child, status == 0 else { throw Failed(command: command) }
  }
}
