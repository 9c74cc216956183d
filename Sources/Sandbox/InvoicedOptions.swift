/// How a simulated Invoiced account is set up.
public struct InvoicedOptions: Sendable {
  public var apiKey = "sandbox-key"
  public var webhookSecret = "sandbox-webhook-secret"
  /// Where webhooks go; nil for an account without an endpoint.
  public var webhookURL: String?
  /// Stands in for a country that is absent or null.
  public var accountCountry = "US"
  /// The `type` of a customer created without one.
  public var defaultType = "company"
  /// Requests in flight per API key; beyond it: 429.
  public var concurrency = 20
  /// Milliseconds that every request takes.
  public var latency: Int64 = 0
  /// Milliseconds by which its clock is ahead of the time that it is told.
  public var clockSkew: Int64 = 0
  public var retries = RetryDelays.invoiced
  public var faults: Set<FaultProfile> = []

  public init() {}
}
