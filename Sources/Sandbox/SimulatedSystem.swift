import HTTP
import JSON

/// One simulated side: all its state and behaviour, without sockets, clock or randomness of its own.
/// Time comes in as `now` (milliseconds since 1970 UTC) and must not run backwards.
public protocol SimulatedSystem: AnyObject, Sendable {
  /// Takes a request as its API would; the answer says when it leaves and which webhooks it set off.
  func handle(_ request: HTTPRequest, now: Int64) -> SandboxAnswer

  /// The request to send for a delivery that is due, signed as of `now`; nil when it isn't to be sent any more.
  func outgoing(_ delivery: Delivery, now: Int64) -> HTTPRequest?

  /// Tells how a delivery ended (also one that `outgoing` gave nil for); what comes back is to be sent later.
  func settled(_ delivery: Delivery, _ outcome: DeliveryOutcome, now: Int64) -> [Delivery]

  /// A change by a person at this system's own pages: neither authenticated nor counted, and no fault befalls it.
  func edit(_ request: HTTPRequest, now: Int64) -> SandboxAnswer

  var stats: SandboxStats { get }
  func clearStats()

  /// The records as they are now, whatever a lying read would tell.
  var customers: [JSONValue] { get }

  /// Loses the next `count` webhooks.
  func loseNextWebhooks(_ count: Int)

  /// Where webhooks go from now on; switches the endpoint on.
  func setWebhookURL(_ url: String)

  /// Refuses every request until switched off.
  func setOutage(_ outage: Outage?)

  /// Chooses the faults from now on.
  func setFaults(_ profiles: Set<FaultProfile>)
}

/// What a request leads to.
public struct SandboxAnswer: Sendable {
  public enum Outcome: Sendable {
    case respond(HTTPResponse)
    /// The connection is reset; whether the request was carried out before is the fault's secret.
    case drop
  }
  public var outcome: Outcome
  /// Milliseconds from `now` until the outcome is to happen.
  public var delay: Int64
  /// Webhooks to be sent, each at its own time.
  public var deliveries: [Delivery]

  init(_ outcome: Outcome, delay: Int64 = 0, deliveries: [Delivery] = []) {
    self.outcome = outcome
    self.delay = delay
    self.deliveries = deliveries
  }

  /// Nil when the connection is dropped.
  public var response: HTTPResponse? { if case .respond(let response) = outcome { response } else { nil } }
}

/// One sending of one webhook; a duplicated webhook has two with the same `message`.
public struct Delivery: Sendable, Hashable {
  /// The stored message (Invoiced: the webhook attempt) that is sent.
  public let message: Int64
  /// When to send it, in milliseconds since 1970 UTC.
  public let due: Int64
}

public enum DeliveryOutcome: Sendable, Hashable {
  case answered(status: Int)
  /// No answer: refused, reset, timed out.
  case failed(String)
  /// `outgoing` gave nothing to send.
  case cancelled
}

/// What a side has received and sent since it started or its counters were cleared.
public struct SandboxStats: Sendable, Hashable {
  /// By HTTP method; calls of the sandbox's own `/_sandbox/` pages aren't counted.
  public var requests: [String: Int] = [:]
  /// By the status answered; dropped connections count under 0.
  public var answers: [Int: Int] = [:]
  /// Webhook requests answered 2xx.
  public var sent = 0
  /// Webhook requests answered otherwise or not at all.
  public var failed = 0
  /// Webhooks lost on purpose, never sent.
  public var lost = 0
  /// Webhook requests that are due now or later.
  public var pending = 0
  /// Customers that exist.
  public var records = 0

  public func requests(_ method: String) -> Int { requests[method] ?? 0 }

  var json: JSONValue {
    var methods = JSONObject()
    for method in ["GET", "POST", "PATCH", "PUT", "DELETE"] { methods[method] = .number(JSONNumber(requests(method))) }
    for (method, count) in requests.sorted(by: { $0.key < $1.key }) { methods[method] = .number(JSONNumber(count)) }
    var statuses = JSONObject()
    for (status, count) in answers.sorted(by: { $0.key < $1.key }) {
      statuses[status == 0 ? "dropped" : String(status)] = .number(JSONNumber(count))
    }
    return [
      "requests": .object(methods), "answers": .object(statuses),
      "webhooks": [
        "sent": .number(JSONNumber(sent)), "failed": .number(JSONNumber(failed)),
        "pending": .number(JSONNumber(pending)), "lost": .number(JSONNumber(lost)),
      ],
      "records": .number(JSONNumber(records)),
    ]
  }
}
