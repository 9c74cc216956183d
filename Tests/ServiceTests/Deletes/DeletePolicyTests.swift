import HTTP
import JSON
import Sandbox
import Testing

@Suite("Rule 14: a delete follows the flow's policy", .timeLimit(.minutes(2))) struct DeletePolicyTests {
  @Test("propagate deletes the other record, and nothing comes back", arguments: ["invoiced", "pms"])
  func propagate(_ side: String) async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      try scene.delete(side, side == "pms" ? pair.pms : pair.invoiced)
      let link = try await scene.link(state: "ended")
      #expect(link["reason"]?.string?.contains("was deleted") == true)
      try await scene.rest()
      #expect(scene.records == (0, 0))
      #expect(try await scene.bench.items("parked").isEmpty)
      let metrics = try await scene.bench.send(
        "GET", scene.bench.base + "/metrics", nil, ["Authorization": "Bearer \(AdminBench.token)"]
      ).text
      let other = side == "pms" ? "invoiced" : "pms"
      #expect(metrics.contains(#"pushes_total{side="\#(other)",action="delete",outcome="ok"} 1"#))
      #expect(metrics.contains("customer_sync_held_deletes 0"))
    }
  }

  @Test("archive writes the flow's constants there, and keeps what is left apart", arguments: ["invoiced", "pms"])
  func archive(_ side: String) async throws {
    try await DeleteScene.with(DeleteScene.policy("archive")) { scene in
      let pair = try await scene.links(1)[0]
      try scene.delete(side, side == "pms" ? pair.pms : pair.invoiced)
      _ = try await scene.link(state: "ended")
      try await scene.rest()
      if side == "pms" {
        #expect(scene.record("invoiced", pair.invoiced)?["active"] == false)
        try scene.bench.sandbox.invoiced.update(pair.invoiced, ["name": "Other"])
      } else {
        #expect(scene.record("pms", pair.pms)?["archived"] == true)
        try scene.bench.sandbox.pms.update(pair.pms, ["name": "Other"])
      }
      try await scene.rest()
      #expect(scene.records == (side == "pms" ? (1, 0) : (0, 1)))
      #expect(try await scene.bench.items("links?state=active").isEmpty)
    }
  }

  @Test("unlink ends the link and keeps what is left apart; an edit of it does nothing")
  func unlink() async throws {
    try await DeleteScene.with("") { scene in
      let pair = try await scene.links(1)[0]
      try scene.delete("invoiced", pair.invoiced)
      _ = try await scene.link(state: "ended")
      try scene.bench.sandbox.pms.update(pair.pms, ["name": "Left"])
      try await scene.rest()
      #expect(scene.records == (0, 1))
    }
  }

  @Test("ignore lets the link sleep: an edit of what is left is neither matched nor created")
  func ignore() async throws {
    try await DeleteScene.with(DeleteScene.policy("ignore")) { scene in
      let pair = try await scene.links(1)[0]
      try scene.delete("invoiced", pair.invoiced)
      _ = try await scene.link(state: "asleep")
      try scene.bench.sandbox.pms.update(pair.pms, ["name": "Left"])
      try await scene.rest()
      #expect(scene.records == (0, 1))
      #expect(try await scene.bench.items("links").map { $0["state"] } == ["asleep"])
      #expect(try await scene.bench.items("parked").isEmpty)
      try scene.delete("pms", pair.pms)
      _ = try await scene.link(state: "ended")
    }
  }

  @Test("a delete that Invoiced refuses is done as archive, and the side isn't paused over it")
  func refused() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pairs = try await scene.links(3)
      for pair in pairs {
        _ = try await scene.bench.send(
          "POST", scene.bench.sandbox.invoiced.url + "/_sandbox/customers/\(pair.invoiced)", ["invoices": 2])
        try scene.delete("pms", pair.pms)
      }
      _ = try await scene.bench.wait { try await scene.bench.items("links?state=ended").count == 3 ? true : nil }
      for pair in pairs { #expect(scene.record("invoiced", pair.invoiced)?["active"] == false) }
      #expect(try await scene.bench.admin("GET", "status").json["sides"]?["invoiced"]?["state"] == "up")
      #expect(try await scene.bench.items("parked").isEmpty)
    }
  }

  @Test("where the flow doesn't say how to archive, a refused delete is parked")
  func parked() async throws {
    try await DeleteScene.with("    delete: { invoiced_deleted: unlink, pms_deleted: propagate }\n") { scene in
      let pair = try await scene.links(1)[0]
      let page = scene.bench.sandbox.invoiced.url + "/_sandbox/customers/\(pair.invoiced)"
      _ = try await scene.bench.send("POST", page, ["invoices": 1])
      try scene.delete("pms", pair.pms)
      let parked = try await scene.bench.wait { try await scene.bench.items("parked").first }
      #expect(parked["cause"] == "delete_refused" && parked["reason"]?.string?.contains(pair.invoiced) == true)
      _ = try await scene.bench.send("POST", page, ["invoices": 0])
      _ = try await scene.bench.admin("POST", "parked/\(parked["id"]?.identifier ?? "")/retry")
      _ = try await scene.link(state: "ended")
      #expect(scene.records == (0, 0))
    }
  }

  @Test(
    "a delete whose answer is lost is settled by a look",
    arguments: [(0, true), (500, true), (500, false), (503, false)])
  func unanswered(_ status: Int, _ isAfter: Bool) async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      _ = try await scene.bench.send(
        "POST", scene.bench.sandbox.pms.url + "/_sandbox/fail",
        ["next": 1, "status": .number(JSONNumber(status)), "method": "DELETE", "after": .bool(isAfter)])
      try scene.delete("invoiced", pair.invoiced)
      _ = try await scene.link(state: "ended")
      try await scene.rest()
      #expect(scene.records == (0, 0))
    }
  }

  @Test(
    "a delete against an edit waits for a person; taking the deleting side deletes, taking the other creates anew",
    arguments: ["invoiced", "pms"])
  func againstEdit(_ taken: String) async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate")) { scene in
      let pair = try await scene.links(1)[0]
      try scene.bench.sandbox.pms.update(pair.pms, ["name": "Edited"], silent: true)
      try scene.delete("invoiced", pair.invoiced)
      let first = try await scene.bench.wait { try await scene.bench.items("conflicts").first }
      #expect(first["cause"] == "deleted_against_edit" && first["property"] == "name")
      #expect(first["pms"] == "Edited" && first["pms_id"]?.string == pair.pms)
      #expect(scene.records == (0, 1))
      // What a walk has seen of the record may wait with it.
      let waiting = try await scene.bench.items("events?state=conflict").map { $0["type"] }
      #expect(waiting.contains("customer.deleted"))
      // Another edit is another question, in place of the first.
      try scene.bench.sandbox.pms.update(pair.pms, ["name": "Edited again"])
      let conflict = try await scene.bench.wait {
        try await scene.bench.items("conflicts").first { $0["pms"] == "Edited again" }
      }
      #expect(try await scene.bench.items("conflicts").count == 1)
      let path = "conflicts/\(conflict["id"]?.identifier ?? "")/resolve"
      #expect(try await scene.bench.admin("POST", path, ["take": .string(taken)]).status == 200)
      _ = try await scene.link(state: "ended")
      if taken == "invoiced" {
        try await scene.rest()
        #expect(scene.records == (0, 0))
      } else {
        let anew = try await scene.link(state: "active")
        try await scene.rest()
        #expect(scene.records == (1, 1))
        let made = scene.record("invoiced", anew["invoiced_id"]?.string ?? "")
        #expect(made?["name"] == "Edited again" && made?["metadata"]?["pms_id"]?.string == pair.pms)
        #expect(scene.record("pms", pair.pms)?["invoiced_id"]?.identifier == anew["invoiced_id"]?.string)
      }
      #expect(try await scene.bench.items("conflicts").isEmpty)
    }
  }

  @Test("`on_leave: delete` deletes the other record, unless it was edited")
  func onLeave() async throws {
    try await DeleteScene.with("    on_leave: delete\n") { scene in
      let pairs = try await scene.links(2)
      try scene.bench.sandbox.pms.update(pairs[1].pms, ["name": "Edited"], silent: true)
      for pair in pairs { try scene.bench.sandbox.invoiced.update(pair.invoiced, ["type": "person"]) }
      _ = try await scene.link(state: "ended")
      let conflict = try await scene.bench.wait { try await scene.bench.items("conflicts").first }
      #expect(conflict["pms_id"]?.string == pairs[1].pms && conflict["cause"] == "deleted_against_edit")
      try await scene.rest()
      #expect(scene.records == (2, 1))
    }
  }

  @Test("`live` below `all` holds a delete back, visibly")
  func heldBack() async throws {
    try await DeleteScene.with(DeleteScene.policy("propagate") + "    live: creates\n") { scene in
      let pair = try await scene.links(1)[0]
      try scene.delete("invoiced", pair.invoiced)
      _ = try await scene.bench.wait { try await scene.bench.items("events?state=held").first }
      #expect(scene.records == (0, 1))
      #expect(try await scene.bench.admin("GET", "status").json["events"]?["held"] == 1)
      #expect(try await scene.bench.items("links").map { $0["state"] } == ["active"])
    }
  }
}
