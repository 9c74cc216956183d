import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync

/// Access tokens by client credentials (RFC 6749 section 4.4): kept until shortly before they expire, and fetched
/// once for all who wait.
actor OAuthTokens {
  private struct Token {
    let value: Secret
    let validUntil: Timestamp?
  }

  /// How long before its end a token counts as expired, so that none expires on its way.
  private static let margin = Duration.seconds(30)

  private let side = Side.pms
  private let tokenURL: String
  private let clientID: String
  private let clientSecret: Secret
  private let scope: String?
  private let timeout: Duration
  private let transport: any HTTPTransport
  private let now: @Sendable () -> Timestamp

  private var token: Token?
  private var isFetching = false
  private var waiting: [CheckedContinuation<Result<Secret, ConnectorError>, Never>] = []
  /// Some servers take the client's credentials only in the form, against RFC 6749 section 2.3.1.
  private var sendsCredentialsInForm = false

  init(
    tokenURL: String, clientID: String, clientSecret: Secret, scope: String?, timeout: Duration,
    transport: any HTTPTransport, now: @escaping @Sendable () -> Timestamp
  ) {
    self.tokenURL = tokenURL
    self.clientID = clientID
    self.clientSecret = clientSecret
    self.scope = scope
    self.timeout = timeout
    self.transport = transport
    self.now = now
  }

  nonisolated var secrets: [Secret] {
    [clientSecret, Secret(PercentEncoding.encode(clientSecret.revealedText)), basicPair]
  }

  private nonisolated var basicPair: Secret {
    let pair = PercentEncoding.encode(clientID) + ":" + PercentEncoding.encode(clientSecret.revealedText)
    return Secret(Base64.encode(Array(pair.utf8)))
  }

  /// A token that is still valid. Errors say that the request it was wanted for was not sent.
  /// - Parameter rejected: A token that was just answered 401.
  func token(insteadOf rejected: Secret?) async throws(ConnectorError) -> Secret {
    while true {
      if let token, token.value != rejected, isValid(token) { return token.value }
      if isFetching {
        let result = await withCheckedContinuation { waiting.append($0) }
        // One who was cancelled fetched nothing: the next takes over.
        if case .failure(.cancelled) = result { continue }
        return try result.get()
      } else {
        return try await fetchForAll()
      }
    }
  }

  private func isValid(_ token: Token) -> Bool { token.validUntil.map { now() < $0 } ?? true }

  private func fetchForAll() async throws(ConnectorError) -> Secret {
    isFetching = true
    let result: Result<Token, ConnectorError>
    do throws(ConnectorError) { result = .success(try await fetch()) } catch { result = .failure(error) }
    isFetching = false
    if case .success(let fetched) = result { token = fetched }
    let value = result.map(\.value)
    let released = waiting
    waiting = []
    for continuation in released { continuation.resume(returning: value) }
    return try value.get()
  }

  private func fetch() async throws(ConnectorError) -> Token {
    let asked = now()
    var response = try await ask()
    if response.status == 400 || response.status == 401 {
      sendsCredentialsInForm.toggle()
      let other = try await ask()
      if 200..<300 ~= other.status { response = other } else { sendsCredentialsInForm.toggle() }
    }
    guard 200..<300 ~= response.status else { throw refusal(response) }
    guard let answer = try? JSONValue(parsing: response.body), let text = answer["access_token"]?.string, !text.isEmpty,
      answer["token_type"]?.string.map({ $0.lowercased() == "bearer" }) ?? true
    else { throw .unreadable(side, "its token endpoint's answer holds no bearer token") }
    let lifetime = answer["expires_in"]?.identifier.flatMap { ExactDecimal($0)?.rounded(toScale: 0).int64 }
    return Token(value: Secret(text), validUntil: lifetime.map { asked.adding(Self.validity(ofSeconds: $0)) })
  }

  /// At least half of the lifetime, for tokens that live no longer than the margin.
  private static func validity(ofSeconds seconds: Int64) -> Duration {
    let lifetime = Duration.seconds(min(max(seconds, 0), 366 * 86_400))
    return max(lifetime - margin, lifetime / 2)
  }

  private func ask() async throws(ConnectorError) -> HTTPResponse {
    var form = [(name: "grant_type", value: "client_credentials")]
    if let scope { form.append((name: "scope", value: scope)) }
    var headers: HTTPHeaders = ["Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"]
    if sendsCredentialsInForm {
      form.append((name: "client_id", value: clientID))
      form.append((name: "client_secret", value: clientSecret.revealedText))
    } else {
      headers["Authorization"] = "Basic " + basicPair.revealedText
    }
    let request = HTTPRequest(
      method: "POST", target: tokenURL, headers: headers, body: Array(PercentEncoding.query(form).utf8))
    do throws(HTTPClientError) {
      return try await transport.send(request, timeout: timeout)
    } catch .cancelled {
      throw .cancelled
    } catch .responseTooLarge {
      throw .unreadable(side, "its token endpoint's answer is too large")
    } catch {
      throw .notSent(side, "no access token: \(error)")
    }
  }

  /// A refusal of our credentials is a 401 whatever the endpoint's status: it pauses the side (rule 19).
  private func refusal(_ response: HTTPResponse) -> ConnectorError {
    let refusal = Refusal(response, showing: PlainText(hiding: secrets), now: now())
    let message =
      "no access token: the token endpoint answered \(response.status)"
      + (refusal.message.isEmpty ? "" : ": " + refusal.message)
    guard ConnectorError.passes(response.status) else {
      return .refused(side, status: 401, message: message, property: nil, retryAfter: nil)
    }
    if response.status >= 500 { return .notSent(side, message) }
    return .refused(side, status: response.status, message: message, property: nil, retryAfter: refusal.retryAfter)
  }
}
