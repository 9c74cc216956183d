import HTTP
import JSON
import Sandbox
import Service
import Testing

@Suite("A person's decisions", .timeLimit(.minutes(2))) struct DecisionTests {
  private func id(_ item: JSONValue?) -> String { item?["id"]?.identifier ?? "" }

  private func name(_ bench: AdminBench, _ side: String, _ id: String) async throws -> JSONValue? {
    side == "pms"
      ? try await bench.send(
        "GET", bench.sandbox.pms.url + "/customers/" + id, nil, ["Authorization": "Bearer sandbox-token"]
      ).json["name"]
      : try await bench.send(
        "GET", bench.sandbox.invoiced.url + "/customers/" + id, nil, ["Authorization": "Basic c2FuZGJveC1rZXk6"]
      ).json["name"]
  }

  @Test("unlinked records stay apart until a person links them")
  func unlink() async throws {
    try await AdminBench.with { bench in
      let link = try await bench.link()
      let (invoiced, pms) = (link["invoiced_id"]?.string ?? "", link["pms_id"]?.string ?? "")
      #expect(try await bench.admin("GET", "links/pms:\(pms)").json["id"] == link["id"])
      let ended = try await bench.admin("DELETE", "links/\(id(link))")
      #expect(ended.status == 200 && ended.json["state"] == "ended")
      #expect(try await bench.admin("DELETE", "links/\(id(link))").status == 409)
      #expect(try await bench.admin("DELETE", "links/99999").status == 404)

      _ = try bench.sandbox.invoiced.update(invoiced, ["name": "Apart"])
      _ = try await bench.wait {
        try await bench.items("events?record=\(invoiced)").first {
          $0["reason"]?.string?.contains("kept apart") == true
        }
      }
      #expect(try await name(bench, "pms", pms) == "Acme")

      let made = try await bench.admin("POST", "links", ["invoiced_id": .string(invoiced), "pms_id": .string(pms)])
      #expect(made.status == 201 && made.json["state"] == "active")
      _ = try await bench.wait { try await name(bench, "pms", pms) == "Apart" ? true : nil }
      #expect(
        try await bench.admin("POST", "links", ["invoiced_id": .string(invoiced), "pms_id": .string(pms)]).status == 409
      )
      #expect(try await bench.admin("POST", "links", ["invoiced_id": "999", "pms_id": "none"]).status == 404)
      #expect(try await bench.admin("POST", "links", ["invoiced_id": "999"]).status == 400)
      let kinds = try await bench.admin("GET", "links/\(id(made.json))").json["history"]?.array ?? []
      #expect(kinds.contains { $0["kind"] == "unlinked" } && kinds.contains { $0["kind"] == "linked" })
    }
  }

  @Test("a resolved conflict takes the chosen side's value to the other", arguments: ["invoiced", "pms"])
  func resolve(_ winner: String) async throws {
    try await AdminBench.with { bench in
      let link = try await bench.link()
      let (invoiced, pms) = (link["invoiced_id"]?.string ?? "", link["pms_id"]?.string ?? "")
      _ = try await bench.wait { try await bench.items("events?state=waiting").isEmpty ? true : nil }
      _ = try await bench.admin("POST", "sides/pms/pause")
      _ = try bench.sandbox.invoiced.update(invoiced, ["name": "Theirs"])
      _ = try await bench.wait {
        try await bench.items("events?state=retrying&side=invoiced&type=customer.updated").first
      }
      _ = try bench.sandbox.pms.update(pms, ["name": "Ours"])
      _ = try await bench.wait { try await bench.items("events?side=pms&type=customer.updated").first }
      _ = try await bench.admin("POST", "sides/pms/resume")
      let conflict = try await bench.wait { try await bench.items("conflicts").first }
      #expect(conflict["invoiced"] == "Theirs" && conflict["pms"] == "Ours" && conflict["property"] == "name")
      #expect(try await bench.admin("GET", "conflicts/\(id(conflict))").json == conflict)

      let path = "conflicts/\(id(conflict))/resolve"
      #expect(try await bench.admin("POST", path, ["take": "both"]).status == 400)
      #expect(try await bench.admin("POST", path, ["take": .string(winner)]).status == 200)
      let value: JSONValue = winner == "pms" ? "Ours" : "Theirs"
      _ = try await bench.wait { try await name(bench, "invoiced", invoiced) == value ? true : nil }
      _ = try await bench.wait { try await name(bench, "pms", pms) == value ? true : nil }
      #expect(try await bench.items("conflicts").isEmpty)
      #expect(try await bench.admin("POST", path, ["take": .string(winner)]).status == 404)
      #expect(try await bench.items("history?type=resolved").count == 1)
    }
  }

  @Test("a forgotten customer is in no list any more, and nothing about it is stored again")
  func forget() async throws {
    try await AdminBench.with { bench in
      let link = try await bench.link("Forgettable")
      let invoiced = link["invoiced_id"]?.string ?? ""
      #expect(try await bench.admin("POST", "forget", ["invoiced_id": "999"]).status == 404)
      #expect(try await bench.admin("POST", "forget", [:]).status == 400)
      let answer = try await bench.admin("POST", "forget", ["invoiced_id": .string(invoiced)])
      #expect(answer.status == 200 && answer.json["forgotten"]?.array?.count == 2)
      for list in ["links", "events?record=\(invoiced)", "history?record=\(invoiced)"] {
        #expect(try await bench.items(list).isEmpty, "\(list)")
      }
      #expect(try await bench.admin("POST", "forget", ["invoiced_id": .string(invoiced)]).status == 200)
    }
  }
}
