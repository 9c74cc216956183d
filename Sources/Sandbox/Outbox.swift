/// The webhooks of one side: what is stored, how often each was tried, when it is tried again.
struct Outbox: Sendable {
  struct Message: Sendable {
    let id: Int64
    /// The event's id in the form that the headers need.
    let event: String
    let endpoint: Int64
    let body: [UInt8]
    let createdAt: Int64
    var attempts: [Attempt] = []
    /// When it is tried again, or the first time; nil when it is settled.
    var nextAttempt: Int64?
    /// Sendings handed out and not yet settled.
    var outstanding = 0
  }
  struct Attempt: Sendable {
    let outcome: DeliveryOutcome
    let at: Int64
  }

  private(set) var messages: [Int64: Message] = [:]
  private var settledOrder: [Int64] = []
  private var lastID: Int64
  /// Settled messages that are still remembered, so that memory doesn't grow for ever.
  private let remembered = 10_000

  private(set) var sent = 0
  private(set) var failed = 0
  private(set) var lost = 0
  var pending: Int { messages.values.reduce(0) { $0 + $1.outstanding } }

  /// How many of the next webhooks are lost on purpose.
  var loseNext = 0

  init(firstID: Int64) { lastID = firstID - 1 }

  /// Stores a message and hands out its sendings by the fault drawn for it.
  mutating func enqueue(
    event: String, endpoint: Int64, body: [UInt8], at now: Int64, fault: WebhookFault
  ) -> [Delivery] {
    var delays = fault.delays
    if loseNext > 0 {
      loseNext -= 1
      delays = []
    }
    guard !delays.isEmpty else {
      lost += 1
      return []
    }
    lastID += 1
    let deliveries = delays.map { Delivery(message: lastID, due: now + $0) }
    messages[lastID] = Message(
      id: lastID, event: event, endpoint: endpoint, body: body, createdAt: now,
      nextAttempt: deliveries.map(\.due).min(), outstanding: deliveries.count)
    return deliveries
  }

  /// Hands out a message once more, now.
  mutating func resend(_ id: Int64, now: Int64) -> [Delivery] {
    guard messages[id] != nil else { return [] }
    messages[id]?.outstanding += 1
    messages[id]?.nextAttempt = now
    return [Delivery(message: id, due: now)]
  }

  enum Verdict { case done, retry(Delivery), exhausted, dropped }

  /// Notes how a sending ended. `delays` are the gaps between attempts; after the last one it is exhausted.
  mutating func settle(
    _ delivery: Delivery, _ outcome: DeliveryOutcome, now: Int64, delays: RetryDelays
  ) -> Verdict {
    guard var message = messages[delivery.message] else { return .dropped }
    message.outstanding -= 1
    var verdict = Verdict.done
    switch outcome {
    case .cancelled:
      message.nextAttempt = nil
      verdict = .dropped
    case .answered(status: 200..<300):
      sent += 1
      message.attempts.append(Attempt(outcome: outcome, at: now))
      message.nextAttempt = nil
    case .answered, .failed:
      failed += 1
      message.attempts.append(Attempt(outcome: outcome, at: now))
      message.nextAttempt = nil
      if let delay = delays.afterAttempt(message.attempts.count) {
        message.outstanding += 1
        message.nextAttempt = now + delay
        verdict = .retry(Delivery(message: message.id, due: now + delay))
      } else {
        verdict = .exhausted
      }
    }
    messages[message.id] = message
    if message.outstanding == 0 { forgetOldest(beyond: message.id) }
    return verdict
  }

  private mutating func forgetOldest(beyond id: Int64) {
    settledOrder.append(id)
    guard settledOrder.count > 2 * remembered else { return }
    for old in settledOrder.prefix(remembered) where messages[old]?.outstanding == 0 { messages[old] = nil }
    settledOrder.removeFirst(remembered)
  }

  mutating func clearCounters() { (sent, failed, lost) = (0, 0, 0) }
}

/// The gaps between attempts, in milliseconds.
public struct RetryDelays: Sendable, Hashable {
  /// The gap after the first, second, ... attempt; the last one repeats.
  public var gaps: [Int64]
  /// How often a webhook is tried in all.
  public var attempts: Int

  public init(gaps: [Int64], attempts: Int) {
    self.gaps = gaps
    self.attempts = attempts
  }

  /// Invoiced: hourly, 48 attempts.
  public static let invoiced = RetryDelays(gaps: [3_600_000], attempts: 48)
  /// The schedule that Standard Webhooks recommends: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
  public static let standard = RetryDelays(
    gaps: [5000, 300_000, 1_800_000, 7_200_000, 18_000_000, 36_000_000, 50_400_000, 72_000_000, 86_400_000],
    attempts: 10)

  func afterAttempt(_ count: Int) -> Int64? {
    guard count < attempts, let last = gaps.last else { return nil }
    return count <= gaps.count ? gaps[count - 1] : last
  }
}
