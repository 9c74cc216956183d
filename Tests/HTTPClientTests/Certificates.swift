import COpenSSL
import Foundation
import Support

/// Certificates that `openssl` made for one test: two authorities, and a server's signed by the first.
final class Certificates: Sendable {
  let directory: URL

  var ca: String { path("ca.pem") }
  var otherCA: String { path("other.pem") }

  init() throws {
    directory = FileManager.default.temporaryDirectory.appending(path: "certificates-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    try openssl("req -x509 \(key) -days 2 -keyout ca.key -out ca.pem -subj /CN=Test-CA", in: directory)
    try openssl("req -x509 \(key) -days 2 -keyout other.key -out other.pem -subj /CN=Other-CA", in: directory)
    try openssl("req \(key) -keyout key.pem -out request.pem -subj /CN=localhost", in: directory)
    try Data("subjectAltName=DNS:localhost,IP:127.0.0.1\n".utf8).write(to: directory.appending(path: "names"))
    try openssl(
      "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
      in: directory)
  }

  deinit { try? FileManager.default.removeItem(at: directory) }

  func server() throws -> TLSServer { try TLSServer(certificate: path("cert.pem"), key: path("key.pem")) }

  func path(_ name: String) -> String { directory.appending(path: name).path }
}

/// A server's side of TLS.
///
/// Safety of `@unchecked Sendable`: the context is not changed after `init`, and OpenSSL lets sessions be made from it
/// on any thread.
final class TLSServer: @unchecked Sendable {
  private let context: OpaquePointer

  init(certificate: String, key: String) throws {
    guard let context = SSL_CTX_new(TLS_server_method()),
      SSL_CTX_use_certificate_chain_file(context, certificate) == 1,
      SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1
    else { throw POSIXError(.EINVAL) }
    self.context = context
  }

  deinit { SSL_CTX_free(context) }

  func makeSession() -> OpaquePointer? { SSL_new(context) }
}
