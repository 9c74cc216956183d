import HTTP

extension HTTPResponse {
  /// An error as RFC 9457 describes it, `application/problem+json`; of type `about:blank`, so its title is the
  /// status's own.
  public static func problem(_ status: Int, detail: String, headers: HTTPHeaders = [:]) -> HTTPResponse {
    var headers = headers
    headers["Content-Type"] = "application/problem+json"
    let title = reasonPhrase(of: status)
    let text = """
      {"type":"about:blank","title":"\(title)","status":\(status),"detail":"\(escaped(detail))"}
      """
    return HTTPResponse(status: status, headers: headers, body: Array(text.utf8))
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

/// RFC 9110 section 15 and RFC 6585; libevent knows fewer of them.
func reasonPhrase(of status: Int) -> StaticString {
  switch status {
  case 200: "OK"
  case 201: "Created"
  case 202: "Accepted"
  case 204: "No Content"
  case 304: "Not Modified"
  case 303: "See Other"
  case 400: "Bad Request"
  case 401: "Unauthorized"
  case 402: "Payment Required"
  case 403: "Forbidden"
  case 404: "Not Found"
  case 405: "Method Not Allowed"
  case 408: "Request Timeout"
  case 409: "Conflict"
  case 412: "Precondition Failed"
  case 413: "Content Too Large"
  case 414: "URI Too Long"
  case 415: "Unsupported Media Type"
  case 417: "Expectation Failed"
  case 422: "Unprocessable Content"
  case 425: "Too Early"
  case 429: "Too Many Requests"
  case 431: "Request Header Fields Too Large"
  case 500: "Internal Server Error"
  case 501: "Not Implemented"
  case 502: "Bad Gateway"
  case 503: "Service Unavailable"
  case 504: "Gateway Timeout"
  case 200..<300: "Success"
  case 300..<400: "Redirection"
  case 400..<500: "Client Error"
  default: "Server Error"
  }
}
