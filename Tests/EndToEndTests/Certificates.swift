import Foundation
import Support

/// Certificates that `openssl` makes for one test: an authority, and what it signed.
final class Certificates: Sendable {
  let folder: Folder

  var ca: String { path("ca.pem") }

  init() throws {
    folder = try Folder()
    try openssl("req -x509 \(Self.key) -days 2 -keyout ca.key -out ca.pem -subj /CN=Test-CA", in: folder.url)
  }

  /// Signs a certificate for these names, as `openssl` writes them: `DNS:localhost,IP:127.0.0.1`.
  func sign(_ name: String, for names: String) throws {
    try openssl("req \(Self.key) -keyout \(name).key -out \(name).request -subj /CN=\(name)", in: folder.url)
    try folder.write("subjectAltName=\(names)\n", "\(name).names")
    try openssl(
      "x509 -req -in \(name).request -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile \(name).names "
        + "-out \(name).pem", in: folder.url)
  }

  func path(_ name: String) -> String { folder.url.appendingPathComponent(name).path }

  /// What one certificate has in place of another's.
  func copy(_ from: String, over to: String) throws {
    for ending in ["key", "pem"] {
      let target = folder.url.appendingPathComponent("\(to).\(ending)")
      try? FileManager.default.removeItem(at: target)
      try FileManager.default.copyItem(at: folder.url.appendingPathComponent("\(from).\(ending)"), to: target)
    }
  }

  private static let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
}
