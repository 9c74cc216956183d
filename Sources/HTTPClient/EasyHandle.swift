import CCurl

/// Owns one libcurl easy handle, used for one exchange after the other, on the loop's thread.
///
/// What all exchanges have in common is set once; `clear()` takes back the rest.
final class EasyHandle {
  let raw: UnsafeMutableRawPointer
  private let trust: TrustStore
  private let errorText: UnsafeMutablePointer<CChar>
  private var headers: UnsafeMutablePointer<curl_slist>?

  init?(configuration: HTTPClientConfiguration, trust: TrustStore) {
    guard let raw = curl_easy_init() else { return nil }
    self.raw = raw
    self.trust = trust
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    curl_easy_set_pointer(raw, CURLOPT_ERRORBUFFER, errorText)
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    set(CURLOPT_PATH_AS_IS, 1)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_TCP_NODELAY, 1)
    set(CURLOPT_TCP_KEEPALIVE, 1)
    set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
    set(CURLOPT_PIPEWAIT, 1)  // rather a stream of an HTTP/2 connection that is being made than one more connection
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    set(CURLOPT_USERAGENT, configuration.userAgent)
    setTrust()
  }

  deinit {
    curl_easy_cleanup(raw)
    curl_slist_free_all(headers)
    errorText.deallocate()
  }

  private func setTrust() {
    // Ours replaces what libcurl would read for every connection.
    set(CURLOPT_CAINFO, nil)
    set(CURLOPT_CAPATH, nil)
    set(CURLOPT_SSL_CTX_DATA, context: trust)
    curl_easy_set_ssl_callback(raw) { _, context, trust in
      guard let context, let trust else { return CURLE_SSL_CERTPROBLEM }
      Unmanaged<TrustStore>.fromOpaque(trust).takeUnretainedValue().apply(to: OpaquePointer(context))
      return CURLE_OK
    }
  }

  /// Forgets the last exchange: its body and headers hold a customer's data and a credential.
  func clear() {
    set(CURLOPT_POSTFIELDSIZE, -1)
    set(CURLOPT_COPYPOSTFIELDS, nil)
    set(CURLOPT_HTTPGET, 1)
    set(CURLOPT_CUSTOMREQUEST, nil)
    set(CURLOPT_URL, nil)
    curl_easy_set_pointer(raw, CURLOPT_HTTPHEADER, nil)
    curl_slist_free_all(headers)
    headers = nil
    errorText[0] = 0
  }

  func set(_ option: CURLoption, _ value: Int) { curl_easy_set_long(raw, option, value) }

  func set(_ option: CURLoption, _ value: String?) { curl_easy_set_text(raw, option, value) }

  func set(_ option: CURLoption, context: AnyObject) {
    curl_easy_set_pointer(raw, option, Unmanaged.passUnretained(context).toOpaque())
  }

  /// The body, which libcurl copies.
  func set(body: [UInt8]) {
    curl_easy_set_size(raw, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
    body.withUnsafeBytes { bytes in _ = curl_easy_set_pointer(raw, CURLOPT_COPYPOSTFIELDS, bytes.baseAddress) }
  }

  func set(headerLines: [String]) {
    for line in headerLines {
      // Without memory nil comes back and the list stays as it is.
      if let longer = curl_slist_append(headers, line) { headers = longer }
    }
    curl_easy_set_pointer(raw, CURLOPT_HTTPHEADER, headers)
  }

  func info(_ info: CURLINFO) -> Int {
    var value = 0
    return curl_easy_get_long(raw, info, &value) == CURLE_OK ? value : 0
  }

  /// What went wrong, in libcurl's words.
  func cause(_ code: CURLcode) -> String {
    String(cString: errorText[0] == 0 ? curl_easy_strerror(code) : UnsafePointer(errorText))
  }
}
