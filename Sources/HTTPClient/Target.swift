import CCurl

/// A URL that may be requested, as libcurl itself reads it.
struct Target: Sendable {
  let url: String
  /// Host and port, for messages.
  let host: String
  /// On this machine: never asked for through a proxy.
  let isLoopback: Bool

  init(_ url: String) throws(HTTPClientError) {
    // C would take the text for ended there.
    guard !url.utf8.contains(0) else { throw .invalidURL(reason: "it contains a NUL") }
    guard let parsed = curl_url() else { throw .invalidURL(reason: "out of memory") }
    defer { curl_url_cleanup(parsed) }
    // As it is: libcurl would else resolve the `..` of a record's id.
    let code = curl_url_set(parsed, CURLUPART_URL, url, UInt32(CURLU_PATH_AS_IS))
    guard code == CURLUE_OK else { throw .invalidURL(reason: String(cString: curl_url_strerror(code))) }
    guard let scheme = Self.part(CURLUPART_SCHEME, of: parsed), scheme == "http" || scheme == "https" else {
      throw .invalidURL(reason: "it is neither http nor https")
    }
    guard let name = Self.part(CURLUPART_HOST, of: parsed), let port = Self.part(CURLUPART_PORT, of: parsed) else {
      throw .invalidURL(reason: "it names no host")
    }
    self.url = url
    host = "\(name):\(port)"
    isLoopback = Self.isLoopback(name.lowercased())
  }

  private static func part(_ part: CURLUPart, of url: OpaquePointer) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(url, part, &text, UInt32(CURLU_DEFAULT_PORT)) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
  }

  private static func isLoopback(_ host: String) -> Bool {
    host == "localhost" || host.hasSuffix(".localhost") || host == "[::1]"
      || (host.hasPrefix("127.") && host.utf8.allSatisfy { $0 == 0x2e || (0x30...0x39).contains($0) })
  }
}
