import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

@Suite("rule 12: a create's echo never comes back as a second create")
struct KeylessTests {
  @Test("also where the flow has nothing that the echo could be known by", arguments: Side.allCases)
  func echo(side: Side) async throws {
    let mapping = EngineBench.mapping("match: []\nreference: {}")
    try await EngineBench.run(mapping) { bench in
      bench.transport.add { asked, request async throws(HTTPClientError) in
        guard asked == side.other, request.method == "POST" else { return nil }
        let response = try bench.transport.carryOut(request, asked)
        _ = try? await bench.deliver()
        // The echo is looked at before the answer comes.
        for _ in 0..<200 { await Task.yield() }
        return response
      }
      try bench.edit(
        side, "POST", "/customers",
        side == .invoiced ? ["name": "Acme AS", "type": "company"] : ["name": "Acme AS", "kind": "company"])
      try await bench.pass(.seconds(200))
      #expect(bench.invoiced.customers.count == 1 && bench.pms.customers.count == 1)
      #expect(try await bench.links().count == 1)
      #expect(bench.invoiced.stats.requests("POST") + bench.pms.stats.requests("POST") == 1)
    }
  }
}
