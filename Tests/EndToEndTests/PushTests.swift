import Foundation
import JSON
import Sandbox
import Testing

@Suite("pushes", .serialized)
struct PushTests {
  @Test("one edit on either side makes exactly one push, and then silence")
  func oneEditOnePush() async throws {
    let installation = try await Installation()
    let run = try await installation.serve()
    let (invoiced, pms) = (installation.sandbox.invoiced, installation.sandbox.pms)
    let record = try invoiced.create(["name": "Acme AS", "number": "A-1", "type": "company"])
    #expect(try await installation.settle())
    let id = try #require(record["id"]?.identifier)
    let partner = try #require(pms.system.customers.first?["id"]?.identifier)

    func counts() -> [Int] { [installation.writes(invoiced.system.stats), installation.writes(pms.system.stats)] }
    var before = counts()
    #expect(before == [1, 1], "a create in the PMS, and its id back")
    try invoiced.update(id, ["city": "Oslo"])
    #expect(try await installation.settle())
    #expect(counts() == [before[0], before[1] + 1])
    #expect(pms.system.customers.first?["address"]?["city"] == "Oslo")

    before = counts()
    try pms.update(partner, ["address": ["city": "Bergen"]])
    #expect(try await installation.settle())
    #expect(counts() == [before[0] + 1, before[1]])
    #expect(invoiced.system.customers.first?["city"] == "Bergen")

    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }
}
