import Foundation
import HTTP
import JSON
import Sandbox
import Service
import Signatures
import Testing

@Suite("Rules 5 and 6: what is believed of a 404 and of an older answer", .timeLimit(.minutes(2)))
struct AbsenceTests {
  @Test("a record that is missing without an event is looked at again after `confirm`, then gone")
  func silentDelete() async throws {
    // Long enough for a poll to see the event wait on a busy machine.
    try await DeleteScene.with(DeleteScene.policy("propagate"), confirm: "4s") { scene in
      let pairs = try await scene.links(2)
      try scene.delete("invoiced", pairs[0].invoiced, silent: true)
      try await scene.look("invoiced", pairs[0].invoiced)
      let waiting = try await scene.bench.wait { try await scene.bench.items("events?state=retrying").first }
      #expect(waiting["reason"]?.string?.contains("without an event") == true)
      #expect(scene.records == (1, 2))
      _ = try await scene.bench.wait { scene.records == (1, 1) ? true : nil }
    }
  }

  @Test("the last record of a side is gone where its listing answers")
  func last() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      try scene.delete("pms", pair.pms, silent: true)
      try await scene.look("pms", pair.pms)
      _ = try await scene.bench.wait { scene.records == (0, 0) ? true : nil }
    }
  }

  @Test("a side that answers 404 for everything has trouble of its own")
  func allGone() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pairs = try await scene.links(2)
      try await scene.bench.fail("invoiced", next: 1_000_000, status: 404)
      try await scene.look("invoiced", pairs[0].invoiced)
      let retrying = try await scene.bench.wait {
        try await scene.bench.items("events?state=retrying").first { $0["attempts"]?.int64 ?? 0 > 2 }
      }
      #expect(retrying["invoiced_id"]?.string == pairs[0].invoiced)
      #expect(scene.records == (2, 2))
      try await scene.bench.fail("invoiced", next: 0, status: 404)
      try await scene.rest()
      #expect(scene.records == (2, 2))
      #expect(try await scene.bench.items("links?state=active").count == 2)
    }
  }

  @Test("a record never seen alive is not there yet")
  func notYet() async throws {
    try await DeleteScene.with("") { scene in
      let body: JSONValue = [
        "id": 7, "timestamp": 1_767_607_200, "type": "customer.updated", "data": ["object": ["id": 4711]],
      ]
      #expect(try await scene.webhook(body) == 200)
      let event = try await scene.bench.wait {
        try await scene.bench.items("events?state=retrying").first { $0["attempts"]?.int64 ?? 0 > 1 }
      }
      #expect(event["reason"]?.string?.contains("not there yet") == true)
    }
  }

  @Test("a delete event that a later version overtook is dropped")
  func overtaken() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      var old = try #require(scene.record("invoiced", pair.invoiced)?.object)
      old["updated_at"] = .number(JSONNumber((old["updated_at"]?.int64 ?? 0) - 10))
      let body: JSONValue = [
        "id": 7, "timestamp": 1_767_607_200, "type": "customer.deleted", "data": ["object": .object(old)],
      ]
      #expect(try await scene.webhook(body) == 200)
      try await scene.rest()
      #expect(scene.records == (1, 1))
      #expect(try await scene.bench.items("links?state=active").count == 1)
    }
  }

  @Test(
    "a customer that is deleted and made again with the same number is a new one, and an old update revives nothing")
  func sameNumber() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      let old = try #require(scene.record("invoiced", pair.invoiced))
      try scene.delete("invoiced", pair.invoiced)
      _ = try await scene.link(state: "ended")
      try await scene.rest()
      try scene.bench.sandbox.invoiced.create(["name": "Again", "number": "C-1", "type": "company"])
      let link = try await scene.link(state: "active")
      #expect(link["invoiced_id"]?.string != pair.invoiced && link["pms_id"]?.string != pair.pms)
      let late: JSONValue = ["id": 8, "timestamp": 1_767_607_200, "type": "customer.updated", "data": ["object": old]]
      #expect(try await scene.webhook(late) == 200)
      try await scene.rest()
      #expect(scene.records == (1, 1))
    }
  }

  /// Tells that records are deleted, which their side confirms until it is let go.
  private func pretend(_ scene: DeleteScene, _ ids: [String]) async throws {
    try await scene.bench.fail("invoiced", next: 1_000_000, status: 404)
    for id in ids {
      let record = try #require(scene.record("invoiced", id))
      let body: JSONValue = [
        "id": .string("gone-\(id)"), "timestamp": 1_767_607_200, "type": "customer.deleted", "data": ["object": record],
      ]
      #expect(try await scene.webhook(body) == 200)
    }
    try await scene.rest()
    try await scene.bench.fail("invoiced", next: 0, status: 404)
  }

  @Test("a held delete whose record is there again is dropped by itself")
  func reappears() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pairs = try await scene.links(6)
      try await pretend(scene, pairs.map(\.invoiced))
      let held = try await scene.bench.items("deletes").compactMap { $0["invoiced_id"]?.string }
      #expect(held.count == 3 && scene.records == (6, 3))
      for id in held { try await scene.look("invoiced", id) }
      _ = try await scene.bench.wait { try await scene.bench.items("deletes").isEmpty ? true : nil }
      try await scene.rest()
      #expect(try await scene.bench.items("links?state=active").count == 3)
      #expect(try await scene.bench.items("events?state=held").isEmpty)
      try scene.bench.sandbox.invoiced.update(held[0], ["notes": "on"])
      try await scene.rest()
      #expect(scene.bench.sandbox.pms.system.customers.contains { $0["notes"] == "on" })
    }
  }

  @Test("a later version under a deleted id is a new record: matched by keys, never by the old link")
  func oldID() async throws {
    try await DeleteScene.with("") { scene in
      let pair = try await scene.links(1)[0]
      try await pretend(scene, [pair.invoiced])
      #expect(try await scene.link(state: "ended")["pms_id"]?.string == pair.pms)
      _ = try await scene.bench.send(
        "POST", scene.bench.sandbox.invoiced.url + "/_sandbox/clock", ["advance": 60])
      try scene.bench.sandbox.invoiced.update(pair.invoiced, ["name": "New", "number": "NEW-1"])
      let link = try await scene.link(state: "active")
      try await scene.rest()
      #expect(link["invoiced_id"]?.string == pair.invoiced && link["pms_id"]?.string != pair.pms)
      #expect(scene.record("pms", pair.pms)?["name"] == "N1")
      #expect(scene.record("pms", link["pms_id"]?.string ?? "")?["name"] == "New")
    }
  }

  @Test("records that went back in time are parked; many of them pause their side until a person resumes it")
  func backInTime() async throws {
    try await DeleteScene.with("") { scene in
      let pairs = try await scene.links(5)
      for (index, pair) in pairs.enumerated() {
        var newer = try #require(scene.record("invoiced", pair.invoiced)?.object)
        newer["updated_at"] = .number(JSONNumber((newer["updated_at"]?.int64 ?? 0) + 1000))
        newer["name"] = "Lost"
        let body: JSONValue = [
          "id": .number(JSONNumber(100 + index)), "timestamp": 1_767_607_200, "type": "customer.updated",
          "data": ["object": .object(newer)],
        ]
        #expect(try await scene.webhook(body) == 200)
      }
      try await scene.rest()
      for pair in pairs { try await scene.look("invoiced", pair.invoiced) }
      let status = try await scene.bench.wait {
        let status = try await scene.bench.admin("GET", "status").json
        return status["sides"]?["invoiced"]?["state"] == "paused" ? Optional(status) : nil
      }
      #expect(status["sides"]?["invoiced"]?["by_person"] == false)
      #expect(status["sides"]?["invoiced"]?["reason"]?.string?.contains("backup") == true)
      #expect(try await scene.bench.items("parked?type=back_in_time").count >= 4)
      // Several probes later it still is.
      try await Task.sleep(for: .milliseconds(500))
      #expect(try await scene.bench.admin("GET", "status").json["sides"]?["invoiced"]?["state"] == "paused")
      _ = try await scene.bench.admin("POST", "sides/invoiced/resume")
      #expect(try await scene.bench.admin("GET", "status").json["sides"]?["invoiced"]?["state"] == "up")
    }
  }
}

extension DeleteScene {
  /// An event that names a record and shows nothing of it.
  func look(_ side: String, _ id: String) async throws {
    guard side == "pms" else {
      let body: JSONValue = [
        "id": .string("look-\(id)"), "timestamp": 1_767_607_200, "type": "customer.updated",
        "data": ["object": ["id": .number(JSONNumber(Int64(id) ?? 0))]],
      ]
      #expect(try await webhook(body) == 200)
      return
    }
    let body: JSONValue = ["id": .string("look-\(id)"), "type": "customer.updated", "data": ["id": .string(id)]]
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    for (name, value) in try signatureHeaders(
      scheme: .standardWebhooks, secret: Secret("whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ="), id: "look-\(id)",
      timestamp: Int64(Date.now.timeIntervalSince1970), body: body.serialized)
    {
      headers.add(name, value)
    }
    let answer = try await bench.send(
      "POST", "http://127.0.0.1:\(bench.service.publicPort)/callbacks/pms", body, headers)
    #expect(answer.status == 200)
  }

  /// A signed webhook of Invoiced's; the status that it is answered with.
  func webhook(_ body: JSONValue) async throws -> Int {
    let bytes = body.serialized
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    for (name, value) in try signatureHeaders(
      scheme: .invoiced, secret: Secret("sandbox-webhook-secret"), id: "", timestamp: 0, body: bytes)
    {
      headers.add(name, value)
    }
    return try await bench.send(
      "POST", "http://127.0.0.1:\(bench.service.publicPort)/webhooks/invoiced", body, headers
    ).status
  }
}

extension AdminBench {
  /// Lets a side's next requests fail.
  func fail(_ side: String, next: Int, status: Int) async throws {
    let url = side == "pms" ? sandbox.pms.url : sandbox.invoiced.url
    _ = try await send(
      "POST", url + "/_sandbox/fail",
      ["next": .number(JSONNumber(next)), "status": .number(JSONNumber(status)), "method": "GET"])
  }
}
