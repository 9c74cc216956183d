import Connectors
import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Synchronization
import Testing

@Suite("Authentication", .timeLimit(.minutes(1)))
struct PMSAuthenticationTests {
  private static let record = HTTPResponse.json(#"{"id":"C-1","name":"Acme"}"#)

  @Test(
    "sends what the configuration says",
    arguments: [
      (PMSAuthentication.none, "Authorization", String?.none),
      (.bearer(token: Secret("t-1")), "Authorization", "Bearer t-1"),
      (.basic(user: "u", password: Secret("p\u{f8}:w")), "Authorization", "Basic dTpww7g6dw=="),
      (.header(name: "X-Api-Key", value: Secret("v-1")), "X-Api-Key", "v-1"),
    ])
  func fixed(authentication: PMSAuthentication, header: String, value: String?) async throws {
    let transport = ScriptedTransport(Self.record)
    _ = try await PMSConnector.make(transport, authentication).fetch(RecordID("C-1"))
    #expect(transport.asked[0].headers[header] == value)
  }

  @Test(
    "shows none of its credentials in a refusal",
    arguments: [
      PMSAuthentication.bearer(token: Secret("s3cr3t-value")), .basic(user: "u", password: Secret("s3cr3t-value")),
      .header(name: "X-Api-Key", value: Secret("s3cr3t-value")),
    ])
  func hides(authentication: PMSAuthentication) async {
    let transport = ScriptedTransport { _, request in
      let sent = request.headers["Authorization"] ?? request.headers["X-Api-Key"] ?? ""
      return .success(.json(#"{"detail":"not you: \#(sent), s3cr3t-value"}"#, status: 403))
    }
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport, authentication).fetch(RecordID("C-1"))
    }
    #expect(error?.status == 403)
    #expect(error?.description.contains("***") ?? false)
    #expect(!(error?.description.contains("s3cr3t") ?? true))
    #expect(!(error?.description.contains("dTpz") ?? true))
  }

  private static let oauth = PMSAuthentication.oauth2(
    tokenURL: "https://login.test/token", clientID: "our id", clientSecret: Secret("s3cr3t/+"), scope: "customers write"
  )

  /// A token endpoint that numbers its tokens, and an API that takes those of `valid`.
  private static func server(
    lifetime: Int = 3600, valid: @escaping @Sendable (String) -> Bool = { _ in true }
  ) -> ScriptedTransport {
    let issued = Mutex(0)
    return ScriptedTransport { _, request in
      if request.target == "https://login.test/token" {
        let number = issued.withLock {
          $0 += 1; return $0
        }
        return .success(.json(#"{"access_token":"tok-\#(number)","token_type":"Bearer","expires_in":\#(lifetime)}"#))
      }
      let token = request.headers["Authorization"]?.dropFirst(7) ?? ""
      return .success(valid(String(token)) ? record : .json(#"{"detail":"\#(token) expired"}"#, status: 401))
    }
  }

  @Test("fetches a token by client credentials, keeps it, and sends the secret nowhere else")
  func fetchesToken() async throws {
    let transport = Self.server()
    let connector = PMSConnector.make(transport, Self.oauth)
    _ = try await connector.fetch(RecordID("C-1"))
    _ = try await connector.fetch(RecordID("C-1"))
    #expect(
      transport.lines == [
        "POST https://login.test/token", "GET https://pms.test/api/v1/customers/C-1",
        "GET https://pms.test/api/v1/customers/C-1",
      ])
    // base64("our%20id:s3cr3t%2F%2B"), by RFC 6749 section 2.3.1.
    #expect(transport.asked[0].headers["Authorization"] == "Basic b3VyJTIwaWQ6czNjcjN0JTJGJTJC")
    #expect(
      String(decoding: transport.asked[0].body, as: UTF8.self)
        == "grant_type=client_credentials&scope=customers%20write")
    #expect(transport.asked.dropFirst().allSatisfy { $0.headers["Authorization"] == "Bearer tok-1" })
  }

  @Test("puts the credentials into the form for a server that wants them there, and remembers it")
  func formCredentials() async throws {
    let transport = ScriptedTransport { _, request in
      guard request.target == "https://login.test/token" else { return .success(Self.record) }
      let form = String(decoding: request.body, as: UTF8.self)
      guard form.contains("client_id=our%20id&client_secret=s3cr3t%2F%2B"), request.headers["Authorization"] == nil
      else {
        return .success(.json(#"{"error":"invalid_client"}"#, status: 401))
      }
      return .success(.json(#"{"access_token":"tok","expires_in":0}"#))
    }
    let connector = PMSConnector.make(transport, Self.oauth)
    _ = try await connector.fetch(RecordID("C-1"))
    _ = try await connector.fetch(RecordID("C-1"))
    #expect(transport.lines.map { $0.prefix(4) } == ["POST", "POST", "GET ", "POST", "GET "])
  }

  @Test("fetches one token for all who wait")
  func sharesFetch() async throws {
    let transport = Self.server()
    let connector = PMSConnector.make(transport, Self.oauth)
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<20 {
        group.addTask {
          await failure { () throws(ConnectorError) in try await connector.fetch(RecordID("C-1")) } == nil
        }
      }
      for await succeeded in group { #expect(succeeded) }
    }
    #expect(transport.lines.filter { $0.hasPrefix("POST") }.count == 1)
  }

  @Test("fetches another token once after a 401, and repeats the request with it")
  func refreshes() async throws {
    let transport = Self.server(valid: { $0 != "tok-1" })
    let connector = PMSConnector.make(transport, Self.oauth)
    _ = try await connector.create(["name": "Acme"], idempotencyKey: "key-123456")
    #expect(transport.lines.map { $0.suffix(9) } == ["est/token", "customers", "est/token", "customers"])
    #expect(transport.bodies[3] == ["name": "Acme"])
    #expect(transport.asked[3].headers["Authorization"] == "Bearer tok-2")
    #expect(transport.asked[1].headers["Idempotency-Key"] == transport.asked[3].headers["Idempotency-Key"])
  }

  @Test("gives up after one other token, without showing it")
  func refusedAgain() async {
    let transport = Self.server(valid: { _ in false })
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport, Self.oauth).fetch(RecordID("C-1"))
    }
    #expect(transport.asked.count == 4)
    #expect(error == .refused(.pms, status: 401, message: "*** expired", property: nil, retryAfter: nil))
  }

  @Test("fetches a token anew shortly before the old one ends")
  func expires() async throws {
    let transport = Self.server(lifetime: 100)
    let time = Mutex(noon)
    let connector = PMSConnector(
      PMSEndpoint(url: "https://pms.test/api/v1", authentication: Self.oauth), transport: transport,
      now: { time.withLock { $0 } })
    for (second, tokens) in [(0, 1), (69, 1), (71, 2), (140, 2), (142, 3)] {
      time.withLock { $0 = noon.adding(.seconds(second)) }
      _ = try await connector.fetch(RecordID("C-1"))
      #expect(transport.lines.filter { $0.hasPrefix("POST") }.count == tokens, "after \(second) s")
    }
  }

  @Test(
    "says that nothing was sent where no token is to be had",
    arguments: [
      (
        HTTPResponse.json(#"{"error":"invalid_client","error_description":"no s3cr3t/+"}"#, status: 401),
        "401|the PMS answered 401: no access token: the token endpoint answered 401: no ***"
      ),
      (
        .json(#"{"error":"invalid_scope"}"#, status: 400),
        "401|the PMS answered 401: no access token: the token endpoint answered 400: invalid_scope"
      ),
      (.json("{}", status: 503), "|the PMS could not be reached: no access token: the token endpoint answered 503"),
      (
        HTTPResponse(status: 302, headers: ["Location": "https://evil.test"]),
        "401|the PMS answered 401: no access token: the token endpoint answered 302: a redirect to https://evil.test, which is not followed"
      ),
      (.html, "|the PMS's answer can't be read: its token endpoint's answer holds no bearer token"),
      (
        .json(#"{"access_token":"x","token_type":"mac"}"#),
        "|the PMS's answer can't be read: its token endpoint's answer holds no bearer token"
      ),
    ])
  func noToken(response: HTTPResponse, expected: String) async {
    let transport = ScriptedTransport { _, _ in .success(response) }
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport, Self.oauth).create(["name": "A"], idempotencyKey: "key-123456")
    }
    #expect((error?.status.map(String.init) ?? "") + "|" + (error?.description ?? "") == expected)
    #expect(transport.asked.allSatisfy { $0.target == "https://login.test/token" })
  }

  @Test("an unanswered token request is a write that was not sent")
  func unansweredToken() async {
    let transport = ScriptedTransport([.failure(.unanswered(host: "login.test:443", cause: "timed out"))])
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport, Self.oauth).create(["name": "A"], idempotencyKey: "key-123456")
    }
    guard case .notSent(.pms, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
