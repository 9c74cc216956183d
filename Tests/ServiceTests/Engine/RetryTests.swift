import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Sync
import Synchronization
import Testing

@testable import Service

/// When something happened, told in the order it did.
private final class Moments: Sendable {
  private let list = Mutex<[Timestamp]>([])
  func note(_ time: Timestamp) { list.withLock { $0.append(time) } }
  var all: [Timestamp] { list.withLock { $0 } }
}

@Suite("rule 19: backoff and tokens")
struct RetryTests {
  @Test("backoff doubles to its most, with full jitter: anywhere between nothing and that")
  func jitter() async throws {
    try await EngineBench.run(settings: "retry: { first: 10s, most: 160s }") { bench in
      let (id, _) = try await bench.linked()
      let attempts = Moments()
      bench.transport.add { [clock = bench.clock] side, request async throws(HTTPClientError) in
        guard side == .pms, request.method == "PATCH" else { return nil }
        attempts.note(clock.now)
        return .answer(429)
      }
      try bench.change(.invoiced, id, ["city": "Oslo"])
      try await bench.pass(.seconds(6 * 3600))
      let times = attempts.all
      let gaps = zip(times, times.dropFirst()).map { Double($1.since($0).components.seconds) }
      try #require(gaps.count > 150)
      for (index, gap) in gaps.prefix(4).enumerated() { #expect(gap <= Double(10 << index)) }
      let late = gaps.dropFirst(4)
      #expect(late.allSatisfy { $0 <= 160 })
      #expect(late.min() ?? 160 < 16, "full jitter reaches down to nothing")
      #expect(late.max() ?? 0 > 144)
      let mean = late.reduce(0, +) / Double(late.count)
      #expect(60..<100 ~= mean)
    }
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
