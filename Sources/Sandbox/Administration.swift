import HTTP
import JSON

/// What both sides offer under `/_sandbox/`: counters, faults, lost webhooks, outages. No credentials are asked for.
///
///     GET  /_sandbox/stats
///     POST /_sandbox/clear-stats
///     GET  /_sandbox/faults          POST {"profiles": ["flaky", "lossy"]}
///     POST /_sandbox/webhooks        {"lose": 1, "enabled": true, "url": "http://..."}, each optional
///     POST /_sandbox/outage          {"on": true, "kind": "503"} or "refused"
///     POST /_sandbox/fail            {"next": 2, "status": 500, "method": "POST", "after": true}: status 0 resets the
///                                    connection; with `after`, 0 or 500 come when the request has been carried out
///     POST /_sandbox/latency         {"milliseconds": 100}
protocol Administrated {
  var faults: Faults { get set }
  var switches: Switches { get set }
  var outbox: Outbox { get set }
  var currentStats: SandboxStats { get }
  mutating func clearStats()
  /// Where webhooks go, and whether they do; nil for no endpoint.
  var webhookTarget: (url: String, enabled: Bool)? { get set }
  /// Pages that only this side has.
  mutating func extraPage(_ method: String, _ segments: [String], _ body: JSONValue) -> JSONValue?
}

extension Administrated {
  mutating func administrate(_ request: HTTPRequest, now: Int64) -> SandboxAnswer {
    let segments = Array(pathSegments(request).dropFirst())
    let body = (try? JSONValue(parsing: request.body)) ?? [:]
    let page = page(request.method, segments, body)
    let response = HTTPResponse(
      status: page == nil ? 404 : 200, headers: ["Content-Type": "application/json"],
      body: (page ?? ["error": "no such page, or its body is wrong; see the sandbox's --help"]).serialized)
    return SandboxAnswer(.respond(response))
  }

  private mutating func page(_ method: String, _ segments: [String], _ body: JSONValue) -> JSONValue? {
    switch (method, segments) {
    case ("GET", ["stats"]): return currentStats.json
    case ("POST", ["clear-stats"]):
      clearStats()
      return currentStats.json
    case ("GET", ["faults"]): return faultsPage
    case ("POST", ["faults"]):
      let names = body["profiles"]?.array ?? []
      let profiles = names.compactMap { $0.string.flatMap(FaultProfile.init) }
      guard body["profiles"]?.array != nil, profiles.count == names.count else { return nil }
      faults.profiles = Set(profiles)
      return faultsPage
    case ("GET", ["webhooks"]): return webhooksPage
    case ("POST", ["webhooks"]):
      if let count = body["lose"]?.int64 { outbox.loseNext = Int(clamping: max(0, count)) }
      if let url = body["url"]?.string { webhookTarget = (url, true) }
      if let enabled = body["enabled"]?.bool, let target = webhookTarget { webhookTarget = (target.url, enabled) }
      return webhooksPage
    case ("POST", ["outage"]):
      guard let isOn = body["on"]?.bool else { return nil }
      guard let kind = Outage(rawValue: body["kind"]?.identifier ?? "503") else { return nil }
      switches.outage = isOn ? kind : nil
      return ["on": .bool(isOn), "kind": .string(kind.rawValue)]
    case ("POST", ["fail"]):
      guard let count = body["next"]?.int64, 0...1_000_000 ~= count else { return nil }
      let status = Int(clamping: body["status"]?.int64 ?? 500)
      let isAfter = body["after"]?.bool ?? false
      guard isAfter ? status == 0 || status == 500 : status == 0 || 400...599 ~= status else { return nil }
      switches.failures =
        count == 0
        ? nil
        : Switches.Failures(
          count: Int(count), method: body["method"]?.string, status: status, isAfter: isAfter)
      return body
    case ("POST", ["latency"]):
      guard let latency = body["milliseconds"]?.int64, 0...60_000 ~= latency else { return nil }
      switches.latency = latency
      return body
    default: return extraPage(method, segments, body)
    }
  }

  private var faultsPage: JSONValue {
    ["profiles": .array(faults.profiles.map(\.rawValue).sorted().map { .string($0) })]
  }

  private var webhooksPage: JSONValue {
    [
      "url": webhookTarget.map { .string($0.url) } ?? nil, "enabled": .bool(webhookTarget?.enabled ?? false),
      "lose": .number(JSONNumber(outbox.loseNext)),
    ]
  }
}

extension InvoicedState: Administrated {
  var webhookTarget: (url: String, enabled: Bool)? {
    get { endpoints.first.map { ($0.url, $0.enabled) } }
    set {
      guard let newValue else { return endpoints.removeAll() }
      if endpoints.isEmpty {
        endpoints = [InvoicedEndpoint(id: 4201, url: newValue.url, secret: options.webhookSecret)]
      }
      endpoints[0].url = newValue.url
      endpoints[0].enabled = newValue.enabled
    }
  }

  /// `POST /_sandbox/customers/ID {"invoices": N}`: with invoices, a delete is refused.
  mutating func extraPage(_ method: String, _ segments: [String], _ body: JSONValue) -> JSONValue? {
    guard method == "POST", segments.count == 2, segments[0] == "customers", let id = Int64(segments[1]),
      let count = body["invoices"]?.int64, 0...1_000_000 ~= count, customers[id] != nil
    else { return nil }
    customers[id]?.invoices = Int(count)
    return ["id": .number(JSONNumber(id)), "invoices": .number(JSONNumber(count))]
  }
}
