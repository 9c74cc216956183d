import HTTP
import JSON
import Sandbox
import SeededRandom
import Testing

/// A moment to start from: 2026-03-01T12:00:00Z.
let noon: Int64 = 1_772_366_400_000

extension SimulatedSystem {
  /// Sends a request with a JSON body and this side's credentials.
  func ask(
    _ method: String, _ target: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:], at now: Int64 = noon
  ) -> SandboxAnswer {
    var all: HTTPHeaders = ["Host": "api.example"]
    all["Authorization"] = self is InvoicedSandbox ? "Basic c2FuZGJveC1rZXk6" : "Bearer sandbox-token"
    if body != nil { all["Content-Type"] = "application/json" }
    for (name, value) in headers.fields { all[name] = value }
    return handle(
      HTTPRequest(method: method, target: target, headers: all, body: body?.serialized ?? []), now: now)
  }

  /// The same, for its response.
  func answer(
    _ method: String, _ target: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:], at now: Int64 = noon
  ) throws -> HTTPResponse {
    try #require(ask(method, target, body, headers: headers, at: now).response)
  }

  /// The same, for the JSON of its response.
  func json(
    _ method: String, _ target: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:], at now: Int64 = noon
  ) throws -> JSONValue {
    try JSONValue(parsing: answer(method, target, body, headers: headers, at: now).body)
  }

  /// The webhooks' bodies that a request sets off.
  func webhooks(
    _ method: String, _ target: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:], at now: Int64 = noon
  ) throws -> [JSONValue] {
    try ask(method, target, body, headers: headers, at: now).deliveries.map { delivery in
      try JSONValue(parsing: #require(outgoing(delivery, now: now)).body)
    }
  }
}

extension HTTPResponse {
  var json: JSONValue? { try? JSONValue(parsing: body) }
  var text: String { String(decoding: body, as: UTF8.self) }
}

func invoiced(
  seed: UInt64 = 1, faults: Set<FaultProfile> = [], _ change: (inout InvoicedOptions) -> Void = { _ in }
) -> InvoicedSandbox {
  var options = InvoicedOptions()
  options.webhookURL = "http://receiver.example/webhooks/invoiced"
  options.faults = faults
  change(&options)
  return InvoicedSandbox(options, generator: SeededGenerator(seed: seed))
}

func pms(
  seed: UInt64 = 1, faults: Set<FaultProfile> = [], _ change: (inout PMSOptions) -> Void = { _ in }
) -> PMSSandbox {
  var options = PMSOptions()
  options.callbackURL = "http://receiver.example/callbacks/pms"
  options.faults = faults
  change(&options)
  return PMSSandbox(options, generator: SeededGenerator(seed: seed))
}

/// The id of a customer made for a test.
func create(_ side: some SimulatedSystem, _ body: JSONValue, at now: Int64 = noon) throws -> String {
  try #require(side.json("POST", "/customers?silent=1", body, at: now)["id"]?.identifier)
}
