import HTTP
import HTTPServer
import Signatures

/// Who may speak to the admin listener.
struct AdminAccess: Sendable {
  let token: Secret?

  /// Why a request is not let in; nil when it is.
  func refusal(of request: HTTPRequest) -> HTTPResponse? {
    guard let token else {
      // Without a token only this machine is let in; a foreign name may be another site's, rebound to this address.
      return Self.isLoopbackName(request.headers["Host"])
        ? nil : .problem(403, detail: "Without an admin token, Host must be a loopback name.")
    }
    let sent = request.headers["Authorization"].flatMap { header -> Secret? in
      let parts = header.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
      return Secret(String(parts[1]))
    }
    if sent == token { return nil }
    return .problem(
      401, detail: "The admin token is missing or wrong.", headers: ["WWW-Authenticate": "Bearer"])
  }

  static func isLoopbackName(_ host: String?) -> Bool {
    guard let host, let address = ListenAddress(host) ?? ListenAddress(host + ":80") else { return false }
    return address.isLoopback
  }
}
