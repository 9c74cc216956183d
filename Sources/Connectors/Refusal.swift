import HTTP
import JSON
import Sync

/// What an answer other than 2xx says.
struct Refusal {
  let message: String
  let property: String?
  /// Seconds.
  let retryAfter: Int?

  init(_ response: HTTPResponse, showing plain: PlainText, now: Timestamp) {
    retryAfter = response.headers["Retry-After"].flatMap { Self.seconds($0, response, now) }
    if 300..<400 ~= response.status {
      // Without its query, which may carry a token.
      let location = response.headers["Location"].map { " to \($0.prefix { $0 != "?" })" } ?? ""
      message = plain("a redirect\(location), which is not followed")
      property = nil
      return
    }
    let body = try? JSONValue(parsing: response.body)
    let error = body?["error"].flatMap { $0.object == nil ? nil : $0 }
    let errors = body?["errors"] ?? error?["errors"]
    let details = [body, error, errors?.array?.first].compactMap { $0 }
    // Some sides file what is wrong under the properties: `{"errors": {"email": ["is taken"]}}`.
    let filed = errors?.object?.members.first
    let filedText = filed.flatMap { $0.value.string ?? $0.value.array?.first?.string }
    message = plain(filedText ?? Self.message(details) ?? Self.text(of: response, isJSON: body != nil))
    property = (filed?.key ?? details.lazy.compactMap(Self.property).first).map { plain($0) }
  }

  /// The most telling of the usual members: RFC 9457, Invoiced, OAuth, JSON:API.
  private static func message(_ details: [JSONValue]) -> String? {
    for detail in details {
      for key in ["detail", "message", "error_description", "error_message", "description", "title", "error"] {
        if let text = detail[key]?.string, !text.isEmpty { return text }
      }
      if let text = detail.string { return text }
    }
    return nil
  }

  private static func property(_ detail: JSONValue) -> String? {
    for key in ["param", "property", "field"] {
      if let text = detail[key]?.string, !text.isEmpty { return text }
    }
    guard let pointer = (detail["pointer"] ?? detail["source"]?["pointer"])?.string else { return nil }
    return pointer.split { "#/".contains($0) }.joined(separator: ".")
  }

  /// A body that isn't JSON, where it is a text for people and not a page.
  private static func text(of response: HTTPResponse, isJSON: Bool) -> String {
    let isText = response.headers["Content-Type"]?.lowercased().hasPrefix("text/plain") ?? false
    return isText && !isJSON ? String(decoding: response.body.prefix(4096), as: UTF8.self) : ""
  }

  /// A side that asks for more is asked again after a day: nothing waits for a year because of one odd header.
  private static let longestWait = 86_400

  /// Seconds, or an HTTP date by the side's own clock where it tells it.
  private static func seconds(_ text: String, _ response: HTTPResponse, _ now: Timestamp) -> Int? {
    let text = text.trimmed
    if !text.isEmpty, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) { return min(Int(text) ?? .max, longestWait) }
    guard let date = HTTPDate.seconds(text) else { return nil }
    let here = response.headers["Date"].flatMap(HTTPDate.seconds) ?? now.wholeSeconds
    return Int(min(max(date - here, 0), Int64(longestWait)))
  }
}
