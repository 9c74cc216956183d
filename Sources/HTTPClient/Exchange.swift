import CCurl
import EventLoop
import HTTP

/// One request and its answer.
///
/// Safety of `@unchecked Sendable`: what is mutable is touched on the loop's thread only, or after the loop has ended.
final class Exchange: @unchecked Sendable {
  typealias Outcome = Result<HTTPResponse, HTTPClientError>

  let request: HTTPRequest
  let target: Target
  let timeout: Duration
  private var reader: ResponseReader
  /// The request has begun to be sent: libcurl calls just before.
  private var hasBegun = false
  private var isAnswerLost = false
  private var handle: EasyHandle?
  private var continuation: CheckedContinuation<Outcome, Never>?
  private var earlyOutcome: Outcome?
  var timer: EventLoop.Timer?

  init(
    _ request: HTTPRequest, timeout: Duration, configuration: HTTPClientConfiguration
  ) throws(HTTPClientError) {
    target = try Target(request.target)
    try RequestHead.check(request, host: target.host)
    self.request = request
    self.timeout = timeout
    reader = ResponseReader(limit: configuration.maxResponse)
  }

  // MARK: The end

  /// False when the exchange has ended before it began: it was cancelled.
  func resume(to continuation: CheckedContinuation<Outcome, Never>) -> Bool {
    if let earlyOutcome {
      continuation.resume(returning: earlyOutcome)
      return false
    }
    self.continuation = continuation
    return true
  }

  /// Hands the outcome over; only the first one counts. Returns the handle, for the next exchange.
  func end(_ outcome: Outcome) -> EasyHandle? {
    timer?.cancel()
    timer = nil
    if let continuation { continuation.resume(returning: outcome) } else { earlyOutcome = earlyOutcome ?? outcome }
    continuation = nil
    defer { handle = nil }
    return handle
  }

  /// What libcurl's result for this exchange means.
  func outcome(of code: CURLcode, by handle: EasyHandle) -> Outcome {
    guard code != CURLE_OK else {
      let status = handle.info(CURLINFO_RESPONSE_CODE)
      return .success(HTTPResponse(status: status, headers: reader.headers, body: reader.body))
    }
    if reader.isTooLarge { return .failure(.responseTooLarge(host: target.host, limit: reader.limit)) }
    return .failure(failure(isAnswerLost ? "the connection was closed before an answer" : handle.cause(code)))
  }

  /// That the exchange ended without an answer, and whether the server may have seen the request.
  func failure(_ cause: String) -> HTTPClientError {
    let isSent = hasBegun && (handle?.info(CURLINFO_REQUEST_SIZE) ?? 0) > 0
    return isSent ? .unanswered(host: target.host, cause: cause) : .notSent(host: target.host, cause: cause)
  }

  // MARK: The way through libcurl

  /// Sets a handle up for this exchange. The callbacks hold it unretained: the multi keeps it until its end.
  func prepare(_ handle: EasyHandle) {
    self.handle = handle
    handle.set(CURLOPT_URL, target.url)
    handle.set(CURLOPT_PROXY, target.isLoopback ? "" : nil)  // nil: as the environment says
    // The deadline is our own timer's, since libcurl has none for what waits for a connection. This one makes it try
    // the next of a host's addresses in time.
    handle.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, timeout.milliseconds))
    RequestHead.apply(request, to: handle)
    for option in [CURLOPT_HEADERDATA, CURLOPT_WRITEDATA, CURLOPT_PREREQDATA] { handle.set(option, context: self) }
  }

  /// Makes a handle call the exchange that it is prepared for.
  static func setCallbacks(_ handle: EasyHandle) {
    curl_easy_set_data_callback(handle.raw, CURLOPT_HEADERFUNCTION) { bytes, size, count, exchange in
      Exchange.take(bytes, size * count, exchange) { $0.reader.addLine($1) }
    }
    curl_easy_set_data_callback(handle.raw, CURLOPT_WRITEFUNCTION) { bytes, size, count, exchange in
      Exchange.take(bytes, size * count, exchange) { $0.reader.addBody($1) }
    }
    curl_easy_set_prereq_callback(handle.raw) { exchange, _, _, _, _ in
      guard let exchange else { return CURL_PREREQFUNC_ABORT }
      let mayBegin = Unmanaged<Exchange>.fromOpaque(exchange).takeUnretainedValue().mayBegin()
      return mayBegin ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
    }
  }

  /// The count of bytes taken; any other than theirs makes libcurl end the exchange.
  private static func take(
    _ bytes: UnsafeMutablePointer<CChar>?, _ count: Int, _ exchange: UnsafeMutableRawPointer?,
    _ add: (Exchange, UnsafeRawBufferPointer) -> Bool
  ) -> Int {
    guard let exchange else { return 0 }
    let isTaken = add(
      Unmanaged<Exchange>.fromOpaque(exchange).takeUnretainedValue(), UnsafeRawBufferPointer(start: bytes, count: count)
    )
    return isTaken ? count : 0  // an empty piece is never handed on
  }

  /// libcurl sends a request again by itself when a reused connection closes before the answer. The server may have
  /// taken the first one, so that is only for methods which mean the same twice (RFC 9110 section 9.2.2).
  private func mayBegin() -> Bool {
    let isAgain = hasBegun && (handle?.info(CURLINFO_REQUEST_SIZE) ?? 0) > 0
    hasBegun = true
    guard isAgain, !["GET", "HEAD", "PUT", "DELETE", "OPTIONS"].contains(request.method) else { return true }
    isAnswerLost = true
    return false
  }
}

extension Duration {
  /// Rounded up, and within what a C `long` of 32 bits can hold.
  var milliseconds: Int {
    let (seconds, attoseconds) = components
    guard seconds < 1_000_000 else { return 1_000_000_000 }
    return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
