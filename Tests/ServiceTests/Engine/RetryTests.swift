import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Synchronization
import Testing

@testable import Service

@Suite("rule 19: backoff and tokens")
struct RetryTests {
  @Test("backoff doubles to its most, with full jitter: anywhere between nothing and that", arguments: 0..<12)
  func jitter(_ attempts: Int) {
    var settings = EngineSettings()
    (settings.retryFirst, settings.retryMost) = (.seconds(10), .seconds(160))
    let most = min(10.0 * Double(1 << attempts), 160)
    let waits = (0..<2000).map { _ in settings.backoff(attempts, .system) / .seconds(1) }
    #expect(waits.allSatisfy { $0 > 0 && $0 <= most })
    #expect((waits.min() ?? most) < most * 0.1 && (waits.max() ?? 0) > most * 0.9)
    #expect(most * 0.4..<most * 0.6 ~= waits.reduce(0, +) / 2000)
  }

  @Test("401: the token is fetched anew and the call made again; a second 401 pauses the side, and a probe lifts it")
  func tokens() async throws {
    let auth = "  auth: { type: oauth2, token_url: \"http://pms.test/token\", client_id: me, client_secret: s }"
    try await EngineBench.run(settings: "breaker: { probe: 60s }", pmsSettings: auth) { bench in
      let tokens = Tokens()
      bench.transport.add { [transport = bench.transport] side, request async throws(HTTPClientError) in
        guard side == .pms else { return nil }
        if request.target.hasSuffix("/token") {
          return .answer(200, ["access_token": .string(tokens.issue()), "token_type": "Bearer", "expires_in": 3600])
        }
        guard request.headers["Authorization"] == "Bearer " + tokens.valid else {
          return .answer(401, ["detail": "expired"])
        }
        var local = request
        local.headers["Authorization"] = "Bearer sandbox-token"
        return try transport.carryOut(local, side)
      }
      let (id, partner) = try await bench.linked()
      #expect(tokens.issued == 1)

      tokens.accept("token-2")
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(1))
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Oslo", "within the same call")
      #expect(tokens.issued == 2)
      #expect(bench.context.gate(.pms).pause == nil)

      tokens.accept("none")
      try bench.change(.invoiced, id, ["city": "Bergen"])
      try await bench.pass(.seconds(1))
      #expect(tokens.issued == 3, "one new token, and no more")
      let pause = try #require(bench.context.gate(.pms).pause)
      #expect(!pause.byPerson && pause.reason.contains("401"))
      #expect(try await bench.holds().isEmpty)

      try await bench.pass(.seconds(600))
      #expect(bench.context.gate(.pms).pause != nil)
      tokens.accept("token-\(tokens.issued + 1)")
      try await bench.pass(.seconds(90))
      #expect(bench.context.gate(.pms).pause == nil)
      #expect(try bench.record(.pms, partner)["address"]?["city"] == "Bergen")
    }
  }
}

/// An endpoint's tokens, of which one is good.
private final class Tokens: Sendable {
  private let state = Mutex((issued: 0, valid: "token-1"))
  var issued: Int { state.withLock { $0.issued } }
  var valid: String { state.withLock { $0.valid } }
  func accept(_ token: String) { state.withLock { $0.valid = token } }
  func issue() -> String {
    state.withLock { state in
      state.issued += 1
      return "token-\(state.issued)"
    }
  }
}
