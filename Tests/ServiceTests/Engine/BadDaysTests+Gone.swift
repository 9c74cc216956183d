import HTTP
import HTTPClient
import JSON
import Mapping
import Sandbox
import Store
import Sync
import Testing

@testable import Service

/// Those on which records go away.
extension BadDaysTests {
  static func deletes(_ policy: String) -> String {
    EngineBench.mapping("delete: { invoiced_deleted: \(policy), pms_deleted: \(policy) }")
  }

  @Test(
    "deleted on one side and edited on the other",
    arguments: [(Side.invoiced, true), (.invoiced, false), (.pms, true), (.pms, false)])
  func deletedAndEdited(deleted: Side, isEditHeardFirst: Bool) async throws {
    try await EngineBench.run(Self.deletes("propagate")) { bench in
      let (id, partner) = try await bench.linked()
      let ids: [Side: String] = [.invoiced: id, .pms: partner]
      let other = deleted.other
      try bench.change(other, try #require(ids[other]), ["notes": "edited"])
      let edit = bench.withhold()
      try bench.edit(deleted, "DELETE", "/customers/\(ids[deleted] ?? "")")
      let delete = bench.withhold()
      for request in isEditHeardFirst ? edit : delete {
        await bench.receive(request, from: isEditHeardFirst ? other : deleted)
      }
      if !isEditHeardFirst { try await bench.pass() }
      for request in isEditHeardFirst ? delete : edit {
        await bench.receive(request, from: isEditHeardFirst ? deleted : other)
      }
      try await bench.pass(.seconds(300))
      let conflict = try #require(await bench.holds(.conflict).first)
      #expect(conflict.cause == .deletedAgainstEdit, "whatever `conflict` says, a person decides")
      #expect(conflict.record == RecordKey(deleted, RecordID(ids[deleted] ?? "")) && conflict.property == "notes")
      #expect(try bench.record(other, ids[other] ?? "")["notes"] == "edited")
      #expect((bench.invoiced.customers + bench.pms.customers).count == 1, "nothing is deleted, nothing made again")
      _ = try await bench.walk()
      #expect(bench.invoiced.stats.requests("DELETE") + bench.pms.stats.requests("DELETE") == 0)
      #expect(bench.invoiced.stats.requests("POST") == 0 && bench.pms.stats.requests("POST") == 1)
      #expect(try await bench.holds(.conflict).count == 1)
      // Taking the other side makes it anew.
      try await bench.admin("POST", "conflicts/\(conflict.id)/resolve", ["take": .string(other.rawValue)])
      try await bench.pass(.seconds(120))
      #expect(bench.invoiced.customers.count == 1 && bench.pms.customers.count == 1)
      #expect((bench.invoiced.customers + bench.pms.customers).allSatisfy { $0["notes"] == "edited" })
      #expect(try await bench.links().filter { $0.state == .active }.count == 1)
      #expect(try await bench.holds(.conflict).isEmpty)
    }
  }

  @Test("deleted and created again with the same number", arguments: ["propagate", "unlink"])
  func sameNumberAgain(policy: String) async throws {
    try await EngineBench.run(Self.deletes(policy)) { bench in
      let (id, partner) = try await bench.linked()
      try bench.edit(.invoiced, "DELETE", "/customers/\(id)")
      try await bench.pass(.seconds(10))
      let made = try bench.edit(
        .invoiced, "POST", "/customers", ["name": "Again", "number": "A-1", "type": "company"])
      try await bench.pass(.seconds(120))
      let anew = try #require(made["id"]?.identifier)
      let active = try await bench.links().filter { $0.state == .active }
      if policy == "propagate" {
        #expect(active.map(\.invoiced.text) == [anew], "a new customer, and a new link")
        let other = try #require(active.first?.pms.text)
        #expect(other != partner)
        #expect(try bench.record(.pms, other)["name"] == "Again")
        #expect(bench.pms.customers.count == 1)
        #expect(try await bench.holds().isEmpty)
        #expect(bench.tally == "invoiced PATCH 2, pms POST 2, pms DELETE 1")
      } else {
        // What is kept apart counts: never linked with, and nothing is made beside it.
        #expect(active.isEmpty)
        let hold = try #require(await bench.holds().first)
        #expect(hold.cause == .ambiguous && hold.reason.contains("pms:\(partner)"))
        #expect(bench.pms.customers.count == 1)
        #expect(try bench.record(.pms, partner)["name"] == "Acme AS")
        _ = try await bench.walk()
        #expect(bench.tally == "invoiced PATCH 1, pms POST 1")
      }
    }
  }

  @Test("a late update for a deleted id", arguments: [Side.invoiced, .pms])
  func lateUpdate(side: Side) async throws {
    try await EngineBench.run(Self.deletes("propagate")) { bench in
      let (id, partner) = try await bench.linked()
      let own = side == .invoiced ? id : partner
      try bench.change(side, own, ["notes": "last words"])
      let late = bench.withhold()
      try bench.edit(side, "DELETE", "/customers/\(own)")
      try await bench.pass(.seconds(120))
      #expect(bench.invoiced.customers.isEmpty && bench.pms.customers.isEmpty)
      let before = bench.tally
      #expect(bench.writes(side) == (side == .invoiced ? 1 : 1), "\(before)")
      for request in late { await bench.receive(request, from: side) }
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      #expect(bench.invoiced.customers.isEmpty && bench.pms.customers.isEmpty, "nothing is revived")
      #expect(bench.tally == before)
      #expect(try await bench.links().map(\.state) == [.ended])
      #expect(try await bench.waiting().isEmpty)
    }
  }

  @Test(
    "a merge of two linked customers, and an edit of the absorbed one",
    arguments: ["heard late", "heard before", "of its counterpart"])
  func mergeAndEdit(edit: String) async throws {
    try await EngineBench.run(Self.deletes("propagate")) { bench in
      let lost = try await bench.linked()
      let kept = try await bench.linked(["name": "Kept AS", "number": "A-2", "type": "company"])
      let own = edit == "of its counterpart"
      if own {
        try bench.change(.pms, lost.pms, ["notes": "edited"])
      } else {
        try bench.change(.invoiced, lost.invoiced, ["notes": "edited"])
      }
      let late = bench.withhold()
      if edit == "heard before" {
        for request in late { await bench.receive(request, from: .invoiced) }
        try await bench.pass(.seconds(10))
        #expect(try bench.record(.pms, lost.pms)["notes"] == "edited")
      }
      try bench.edit(
        .invoiced, "POST", "/customers/\(kept.invoiced)/merge",
        ["customer": .number(JSONNumber(Int64(lost.invoiced) ?? 0))])
      try await bench.pass(.seconds(10))
      if edit != "heard before" {
        for request in late { await bench.receive(request, from: own ? .pms : .invoiced) }
      }
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      #expect(bench.invoiced.customers.map { $0["id"]?.identifier } == [kept.invoiced])
      #expect(try bench.record(.pms, kept.pms)["name"] == "Kept AS")
      #expect(try bench.record(.pms, kept.pms)["notes"]?.isNull ?? true)
      #expect(try bench.record(.invoiced, kept.invoiced)["notes"]?.isNull ?? true)
      let active = try await bench.links().filter { $0.state == .active }
      #expect(active.contains { $0.invoiced.text == kept.invoiced && $0.pms.text == kept.pms })
      #expect(bench.pms.stats.requests("POST") == 2 && bench.invoiced.stats.requests("POST") == 0)
      if own {
        // The lost one is treated as deleted, and a delete against an edit waits for a person.
        #expect(try await bench.holds(.conflict).map(\.cause) == [.deletedAgainstEdit])
        #expect(try bench.record(.pms, lost.pms)["notes"] == "edited")
        #expect(bench.pms.stats.requests("DELETE") == 0)
      } else {
        #expect(active.count == 1 && bench.pms.customers.count == 1)
        #expect(bench.pms.stats.requests("DELETE") == 1)
        #expect(try await bench.waiting().isEmpty)
      }
    }
  }

  @Test("a listing that comes back empty", arguments: [Side.invoiced, .pms])
  func emptyListing(side: Side) async throws {
    try await EngineBench.run(Self.deletes("propagate")) { bench in
      for number in 1...12 {
        _ = try await bench.linked(["name": "Acme", "number": .string("A-\(number)"), "type": "company"])
      }
      _ = try await bench.walk()
      let before = bench.tally
      bench.transport.add { asked, request async throws(HTTPClientError) in
        let path = request.target.split(separator: "?").first ?? ""
        guard asked == side, request.method == "GET", path.hasSuffix("/customers") else { return nil }
        return .answer(200, side == .invoiced ? [] : ["data": []])
      }
      _ = try await bench.walk()
      try await bench.pass(.seconds(300))
      _ = try await bench.walk()
      #expect(bench.invoiced.customers.count == 12 && bench.pms.customers.count == 12)
      #expect(try await bench.links().filter { $0.state == .active }.count == 12)
      #expect(bench.tally == before)
      #expect(try await bench.waiting().isEmpty)
    }
  }

  @Test("500 deletes at once", arguments: ["propagate", "unlink"])
  func massDelete(policy: String) async throws {
    try await EngineBench.run(Self.deletes(policy)) { bench in
      var ids: [String] = []
      for number in 1...500 {
        let made = try bench.edit(
          .invoiced, "POST", "/customers", ["name": "Acme", "number": .string("A-\(number)"), "type": "company"])
        ids.append(try #require(made["id"]?.identifier))
      }
      try await bench.pass(.seconds(30))
      #expect(try await bench.store.activeLinks(in: "companies") == 500)
      for id in ids { try bench.edit(.invoiced, "DELETE", "/customers/\(id)") }
      try await bench.pass(.seconds(300))
      // The lesser of 20 and five in a hundred of 500.
      #expect(try await bench.holds(.deletion).count == 480)
      #expect(try await bench.store.activeLinks(in: "companies") == 480)
      #expect(bench.pms.stats.requests("DELETE") == (policy == "propagate" ? 20 : 0))
      #expect(bench.pms.customers.count == (policy == "propagate" ? 480 : 500))
      #expect(bench.invoiced.stats.requests("POST") == 0, "none is made anew")
      // No walk and no hour that passes lets more go.
      _ = try await bench.walk()
      try await bench.pass(.seconds(7200))
      #expect(try await bench.store.activeLinks(in: "companies") == 480)
      try await bench.admin("POST", "deletes/approve", [:])
      try await bench.pass(.seconds(300))
      #expect(try await bench.store.activeLinks(in: "companies") == 0)
      #expect(bench.pms.customers.count == (policy == "propagate" ? 0 : 500))
      #expect(bench.pms.stats.requests("DELETE") == (policy == "propagate" ? 500 : 0))
      #expect(bench.invoiced.customers.isEmpty)
      #expect(bench.pms.stats.requests("POST") == 500 && bench.invoiced.stats.requests("POST") == 0)
      #expect(try await bench.waiting().isEmpty)
    }
  }
}
