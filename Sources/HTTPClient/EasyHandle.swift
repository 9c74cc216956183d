import CCurl

/// Owns one libcurl easy handle, used for one exchange after the other, on the loop's thread.
final class EasyHandle {
  let raw: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private var headers: UnsafeMutablePointer<curl_slist>?

  init?() {
    guard let raw = curl_easy_init() else { return nil }
    self.raw = raw
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
  }

  deinit {
    curl_easy_cleanup(raw)
    curl_slist_free_all(headers)
    errorText.deallocate()
  }

  /// Forgets the last exchange's options.
  func reset() {
    curl_easy_reset(raw)
    curl_slist_free_all(headers)
    headers = nil
    errorText[0] = 0
    curl_easy_set_pointer(raw, CURLOPT_ERRORBUFFER, errorText)
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
