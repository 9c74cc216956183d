import SeededRandom

/// A kind of bad day; several may hold at once.
public enum FaultProfile: String, Sendable, Hashable, CaseIterable {
  case none
  /// Latency, 5xx, 429, resets, answers lost after the write happened, 500s that an idempotency key replays.
  case flaky
  /// Webhooks lost, duplicated, reordered, delayed, or ahead of their write's own answer.
  case lossy
  /// The PMS trims text, rounds decimals and folds the case of e-mail addresses.
  case normalising
  /// Listings leave out or repeat rows or come empty, reads lag behind writes, the clock is off.
  case lying
  /// Windows in which every request is 503 or refused.
  case outage
  /// All of them.
  case worst
}

/// What befalls one request.
enum RequestFault: Equatable {
  case nothing
  /// Nothing is carried out, and no answer comes.
  case resetBefore
  /// Carried out, and no answer comes.
  case resetAfter
  /// A load balancer's error page; the application never saw the request.
  case gateway(Int)
  /// 429, before anything is carried out.
  case tooMany
  /// The application's own 500, which Invoiced stores under an idempotency key.
  case serverError(carriedOut: Bool)
}

/// What befalls one webhook: when each of its sendings leaves, counted from the answer; none means lost.
struct WebhookFault: Equatable {
  var delays: [Int64] = [0]
  /// The write's own answer is held back by this much, and the webhook leaves before it.
  var answerDelay: Int64 = 0
}

/// Draws faults, each profile from a stream of its own, so that one profile's draws don't shift another's.
struct Faults: Sendable {
  var profiles: Set<FaultProfile>
  private var flaky: SeededGenerator
  private var lossy: SeededGenerator
  private var lying: SeededGenerator
  private let outage: SeededGenerator
  private let skewDrawn: Int64
  /// By how much the side's clock is off whatever the profile.
  var fixedSkew: Int64 = 0

  init(_ profiles: Set<FaultProfile>, generator: SeededGenerator) {
    self.profiles = profiles
    flaky = generator.stream(1)
    lossy = generator.stream(2)
    lying = generator.stream(3)
    outage = generator.stream(4)
    var skew = generator.stream(5)
    skewDrawn = skew.number(in: -30_000...30_000)
  }

  func has(_ profile: FaultProfile) -> Bool { profiles.contains(profile) || profiles.contains(.worst) }

  var normalises: Bool { has(.normalising) }

  /// By how much this side's clock is off, in milliseconds.
  var skew: Int64 { has(.lying) ? skewDrawn : fixedSkew }

  mutating func request(isWrite: Bool) -> (fault: RequestFault, latency: Int64) {
    guard has(.flaky) else { return (.nothing, 0) }
    let latency = flaky.chance(0.3) ? flaky.number(in: 5...200) : 0
    let fault: RequestFault =
      switch flaky.fraction() {
      case ..<0.02: .resetBefore
      case ..<0.05: .gateway([502, 503, 504][Int(flaky.next() % 3)])
      case ..<0.08: .tooMany
      case ..<0.10: .serverError(carriedOut: false)
      case ..<0.12: isWrite ? .serverError(carriedOut: true) : .nothing
      case ..<0.15: isWrite ? .resetAfter : .nothing
      default: .nothing
      }
    return (fault, latency)
  }

  mutating func webhook() -> WebhookFault {
    guard has(.lossy) else { return WebhookFault() }
    if lossy.chance(0.1) { return WebhookFault(delays: []) }
    let overtakes = lossy.chance(0.15)
    var delays = [overtakes ? 0 : lossy.chance(0.2) ? lossy.number(in: 500...5000) : lossy.number(in: 0...300)]
    if lossy.chance(0.1) { delays.append(lossy.number(in: 0...2000)) }
    return WebhookFault(delays: delays, answerDelay: overtakes ? lossy.number(in: 50...300) : 0)
  }

  /// A listing's page as it is told: perhaps empty, perhaps with rows missing or twice.
  mutating func page<Row>(_ rows: [Row]) -> [Row] {
    guard has(.lying) else { return rows }
    if lying.chance(0.03) { return [] }
    var told: [Row] = []
    for row in rows {
      let draw = lying.fraction()
      if draw < 0.02 { continue }
      told.append(row)
      if draw > 0.98 { told.append(row) }
    }
    return told
  }

  /// Whether a read still shows what was there before a write `age` milliseconds ago.
  mutating func readsStale(age: Int64) -> Bool { has(.lying) && age < 2000 && lying.chance(0.3) }

  /// The fault of the outage window that `now` falls into; nil outside of one.
  func outage(now: Int64) -> RequestFault? {
    guard has(.outage) else { return nil }
    let period: Int64 = 20_000
    var draw = outage.stream(UInt64(bitPattern: now / period))
    guard draw.chance(0.3) else { return nil }
    let start = draw.number(in: 0...15_000)
    let end = start + draw.number(in: 1000...5000)
    let refused = draw.chance(0.5)
    return start..<end ~= now % period ? (refused ? .resetBefore : .gateway(503)) : nil
  }
}
