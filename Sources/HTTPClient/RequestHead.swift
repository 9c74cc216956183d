import CCurl
import HTTP

/// A request's method, headers and body as libcurl is told of them.
enum RequestHead {
  /// Refuses what would change the message's meaning on the wire: a line break in a header is another header.
  static func check(_ request: HTTPRequest, host: String) throws(HTTPClientError) {
    guard HTTPHeaders.isName(request.method) else {
      throw .invalidRequest(host: host, reason: "its method is no HTTP method")
    }
    for (name, value) in request.headers.fields {
      guard HTTPHeaders.isName(name) else {
        throw .invalidRequest(host: host, reason: "a header's name is none in HTTP")
      }
      guard value.utf8.allSatisfy({ $0 != 0x0d && $0 != 0x0a && $0 != 0 }) else {
        throw .invalidRequest(host: host, reason: "header \(name) contains a line break or a NUL")
      }
    }
  }

  static func apply(_ request: HTTPRequest, to handle: EasyHandle) {
    switch (request.method, request.body.isEmpty) {
    case ("HEAD", _): handle.set(CURLOPT_NOBODY, 1)
    case ("GET", true): handle.set(CURLOPT_HTTPGET, 1)
    case ("POST", _), ("PUT", _), ("PATCH", _), (_, false):
      handle.set(CURLOPT_POST, 1)
      handle.set(body: request.body)
      handle.set(CURLOPT_CUSTOMREQUEST, request.method)
    default: handle.set(CURLOPT_CUSTOMREQUEST, request.method)
    }
    handle.set(headerLines: lines(of: request))
  }

  private static func lines(of request: HTTPRequest) -> [String] {
    // A line without a value takes away what libcurl would send by itself: `Expect` waits a second for a 100.
    var lines = ["Expect:"]
    if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
    for (name, value) in request.headers.fields {
      if libcurlsOwn.contains(where: { $0.isSameASCII(name[...]) }) { continue }
      // A semicolon is libcurl's way to send an empty value.
      lines.append(value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 } ? "\(name);" : "\(name): \(value)")
    }
    return lines
  }

  private static let libcurlsOwn = ["content-length", "transfer-encoding", "expect"]
}
