import COpenSSL
import Synchronization

/// The certificates that a server's may be signed by: the system's, and those of one file beside them.
///
/// Owns one `X509_STORE`, shared by all connections of a client, so that no connection reads the files again.
///
/// Safety of `@unchecked Sendable`: `raw` never changes; OpenSSL locks the store that it points to, and counts its
/// references.
final class TrustStore: @unchecked Sendable {
  private let raw: OpaquePointer
  private let hasSystems = Mutex(false)

  init(ca: String?) throws(HTTPClientError) {
    ERR_clear_error()
    guard let raw = X509_STORE_new() else { throw .cannotStart(reason: "out of memory") }
    self.raw = raw
    // libcurl's own flags: a certificate that is listed is trusted, whether or not who signed it is.
    X509_STORE_set_flags(raw, UInt(X509_V_FLAG_TRUSTED_FIRST) | UInt(X509_V_FLAG_PARTIAL_CHAIN))
    if let ca, X509_STORE_load_file(raw, ca) != 1 {
      let cause = ERR_reason_error_string(ERR_peek_last_error()).map { String(cString: $0) } ?? "unknown error"
      throw .cannotStart(reason: "no certificates can be read from \(ca) (\(cause)); give a PEM file as `ca`")
    }
  }

  deinit { X509_STORE_free(raw) }

  /// Makes connections of that `SSL_CTX` trust this store; it takes a reference of its own.
  func apply(to context: OpaquePointer) {
    hasSystems.withLock { hasSystems in
      guard !hasSystems else { return }
      hasSystems = true
      // The system's are a file of half a megabyte that OpenSSL reads whole: a start that needs no TLS doesn't wait for
      // it. SSL_CERT_FILE and SSL_CERT_DIR are honoured.
      X509_STORE_set_default_paths(raw)
      ERR_clear_error()  // an absent default file leaves an error, and isn't one
    }
    SSL_CTX_set1_cert_store(context, raw)
  }
}

extension HTTPClientConfiguration {
  /// Reads a file of certificates to trust as a client would; throws where it holds none.
  public static func check(ca: String) throws(HTTPClientError) { _ = try TrustStore(ca: ca) }
}
