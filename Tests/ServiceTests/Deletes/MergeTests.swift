import HTTP
import JSON
import Sandbox
import Testing

@Suite("Rule 15: merges", .timeLimit(.minutes(2))) struct MergeTests {
  private func merge(_ scene: DeleteScene, _ lost: String, into kept: String) throws {
    try scene.bench.sandbox.invoiced.edit(
      "POST", "/customers/\(kept)/merge", ["customer": .number(JSONNumber(Int64(lost) ?? 0))])
  }

  /// A customer that is linked with nothing: nobody told of it.
  private func unlinked(_ scene: DeleteScene) throws -> String {
    let record = try scene.bench.sandbox.invoiced.create(
      ["name": "Survivor", "number": "S-1", "type": "company"], silent: true)
    return record["id"]?.identifier ?? ""
  }

  private func checkMoved(_ scene: DeleteScene, _ pms: String, to kept: String) async throws {
    let link = try await scene.bench.wait {
      try await scene.bench.items("links?state=active").first { $0["invoiced_id"]?.string == kept }
    }
    #expect(link["pms_id"]?.string == pms)
    try await scene.rest()
    #expect(scene.record("pms", pms)?["name"] == "Survivor")
    #expect(scene.record("pms", pms)?["invoiced_id"]?.identifier == kept, "its reference is rewritten")
    #expect(scene.record("invoiced", kept)?["metadata"]?["pms_id"]?.string == pms, "and the other's")
    #expect(try await scene.bench.items("parked").isEmpty)
    try scene.bench.sandbox.pms.update(pms, ["notes": "after"])
    try await scene.rest()
    #expect(scene.record("invoiced", kept)?["notes"] == "after")
    #expect(scene.records == (1, 1))
  }

  @Test("the link of the record that went away moves to the one that stayed", arguments: [false, true])
  func moves(_ isLost: Bool) async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      let kept = try unlinked(scene)
      if isLost { scene.bench.sandbox.invoiced.system.loseNextWebhooks(1) }
      try merge(scene, pair.invoiced, into: kept)
      // Without its event, the 404 leads to the Events API.
      if isLost { try await scene.look("invoiced", pair.invoiced) }
      try await checkMoved(scene, pair.pms, to: kept)
    }
  }

  @Test("when both were linked, the lost one is treated as deleted")
  func bothLinked() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pairs = try await scene.links(2)
      try merge(scene, pairs[0].invoiced, into: pairs[1].invoiced)
      _ = try await scene.link(state: "ended")
      try await scene.rest()
      #expect(scene.records == (1, 1))
      #expect(scene.record("pms", pairs[1].pms) != nil)
      #expect(try await scene.bench.items("links?state=active").count == 1)
    }
  }

  @Test("a merge that is told late moves the link that ended, and an edit of the absorbed one after it does nothing")
  func late() async throws {
    try await DeleteScene.with("") { scene in
      let pair = try await scene.links(1)[0]
      let old = try #require(scene.record("invoiced", pair.invoiced))
      let kept = try unlinked(scene)
      // Told as deleted first: the link ends.
      try scene.delete("invoiced", pair.invoiced)
      _ = try await scene.link(state: "ended")
      try await scene.rest()
      var survivor = try #require(scene.record("invoiced", kept)?.object)
      survivor["original_customer"] = old
      let body: JSONValue = [
        "id": 99, "timestamp": old["updated_at"] ?? .null, "type": "customer.merged",
        "data": ["object": .object(survivor)],
      ]
      #expect(try await scene.webhook(body) == 200)
      try await checkMoved(scene, pair.pms, to: kept)
      let late: JSONValue = [
        "id": 100, "timestamp": old["updated_at"] ?? .null, "type": "customer.updated", "data": ["object": old],
      ]
      #expect(try await scene.webhook(late) == 200)
      try await scene.rest()
      #expect(scene.records == (1, 1))
      #expect(try await scene.bench.items("links?state=active").count == 1)
    }
  }
}
