import CLibevent
import COpenSSL
import Glibc

/// A certificate and how callers are checked, for any number of connections.
///
/// Safety of `@unchecked Sendable`: the context does not change after `init`, and OpenSSL counts its references by
/// itself.
final class TLSContext: @unchecked Sendable {
  private let context: OpaquePointer

  init(_ files: TLSConfiguration) throws(HTTPServerError) {
    ERR_clear_error()
    guard let context = SSL_CTX_new(TLS_server_method()) else { throw Self.error(files.certificate) }
    self.context = context
    _ = SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
    _ = SSL_CTX_ctrl(context, SSL_CTRL_MODE, Int(SSL_MODE_RELEASE_BUFFERS), nil)
    guard SSL_CTX_use_certificate_chain_file(context, files.certificate) == 1 else {
      throw Self.error(files.certificate)
    }
    try useKey(files.key)
    guard SSL_CTX_check_private_key(context) == 1 else { throw Self.error(files.key) }
    guard let authorities = files.clientCA else { return }
    guard SSL_CTX_load_verify_locations(context, authorities, nil) == 1,
      let names = SSL_load_client_CA_file(authorities)
    else { throw Self.error(authorities) }
    SSL_CTX_set_client_CA_list(context, names)
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    // Without it OpenSSL refuses to resume a session whose caller had shown a certificate.
    _ = "customer-sync".withCString { name in
      name.withMemoryRebound(to: UInt8.self, capacity: 13) { SSL_CTX_set_session_id_context(context, $0, 13) }
    }
  }

  deinit { SSL_CTX_free(context) }

  /// OpenSSL would ask whoever sits at the terminal for an encrypted key's pass phrase; a service has nobody there.
  private func useKey(_ file: String) throws(HTTPServerError) {
    var isEncrypted = false
    let isTaken = withUnsafeMutablePointer(to: &isEncrypted) { isEncrypted in
      SSL_CTX_set_default_passwd_cb_userdata(context, isEncrypted)
      SSL_CTX_set_default_passwd_cb(context) { _, _, _, isEncrypted in
        isEncrypted?.assumingMemoryBound(to: Bool.self).pointee = true
        return -1
      }
      defer { SSL_CTX_set_default_passwd_cb_userdata(context, nil) }
      return SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM) == 1
    }
    if isTaken { return }
    guard isEncrypted else { throw Self.error(file) }
    ERR_clear_error()
    throw .tls(file: file, reason: "it is encrypted, and nobody is there to give its pass phrase")
  }

  /// A connection's buffers; they own the TLS session and, once they have it, the socket.
  func makeBuffers(on base: OpaquePointer) -> OpaquePointer? {
    guard let session = SSL_new(context) else { return nil }
    let buffers = bufferevent_openssl_socket_new(
      base, -1, session, BUFFEREVENT_SSL_ACCEPTING, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
    guard let buffers else {
      SSL_free(session)
      return nil
    }
    bufferevent_openssl_set_allow_dirty_shutdown(buffers, 1)
    return buffers
  }

  private static func error(_ file: String) -> HTTPServerError {
    let code = ERR_get_error()
    ERR_clear_error()
    // OpenSSL has no words for the system's own errors.
    let system = 0x8000_0000 as UInt
    let words = code & system != 0 ? strerror(Int32(truncatingIfNeeded: code & ~system)).map { UnsafePointer($0) } : nil
    let reason = (words ?? ERR_reason_error_string(code)).map { String(cString: $0) }
    return .tls(file: file, reason: reason ?? "error \(code)")
  }
}

extension TLSConfiguration {
  /// Reads the files as a listener would; throws where they can't be read or don't belong together.
  public func check() throws(HTTPServerError) { _ = try TLSContext(self) }
}
