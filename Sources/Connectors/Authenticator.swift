import HTTP
import Signatures

/// What a request carries to say who asks.
struct Credential: Sendable {
  var header: String
  var value: Secret
}

/// Where a side's credentials come from.
enum Authenticator: Sendable {
  case none
  case fixed(Credential, secrets: [Secret])
  case tokens(OAuthTokens)

  /// RFC 7617.
  static func basic(user: Secret, password: Secret) -> Authenticator {
    let pair = Secret(Base64.encode(user.revealed + Array(":".utf8) + password.revealed))
    let credential = Credential(header: "Authorization", value: Secret("Basic " + pair.revealedText))
    // Without a password, the user's name is the key.
    return .fixed(credential, secrets: [pair, password.isEmpty ? user : password])
  }

  static func bearer(_ token: Secret) -> Authenticator { .fixed(bearerCredential(token), secrets: [token]) }

  static func header(_ name: String, _ value: Secret) -> Authenticator {
    .fixed(Credential(header: name, value: value), secrets: [value])
  }

  private static func bearerCredential(_ token: Secret) -> Credential {
    Credential(header: "Authorization", value: Secret("Bearer " + token.revealedText))
  }

  /// - Parameter rejected: What was just answered 401, so that another one is wanted.
  func current(insteadOf rejected: Pass? = nil) async throws(ConnectorError) -> Pass {
    switch self {
    case .none: return Pass(credential: nil, secrets: [])
    case .fixed(let credential, let secrets): return Pass(credential: credential, secrets: secrets)
    case .tokens(let tokens):
      let token = try await tokens.token(insteadOf: rejected?.token)
      return Pass(credential: Self.bearerCredential(token), secrets: tokens.secrets + [token], token: token)
    }
  }

  /// Whether another try after a 401 can bring another credential.
  var canRefresh: Bool { if case .tokens = self { true } else { false } }

  /// What one request goes out with, and what no message about it may show.
  struct Pass: Sendable {
    var credential: Credential?
    var secrets: [Secret]
    var token: Secret?
  }
}
