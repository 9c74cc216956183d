import JSON
import Mapping
import Testing

@testable import Sync

private let name = row("name", "title")
private let number = row("number", "no", .integer)

@Suite("rule 16: whole or not at all")
struct MisfitTests {
  @Test("what doesn't fit parks the whole record, naming side, property and value")
  func parksWhole() throws {
    let scene = Scene(
      name, number, row("city"), invoiced: ["name": "B", "number": "INV-7", "city": "Oslo"],
      pms: ["title": "A", "no": 7]
    ).agreed(["name": "A", "number": "7"], ["title": "A", "no": 7]).with {
      $0.link.agreed["gone=gone"] = $0.link.agreed[name.key]
    }
    #expect(scene.outcome == ["misfit invoiced number"])
    let misfit = try #require(scene.plan.misfit)
    #expect(misfit.value.contains("INV-7") && !misfit.nextStep.isEmpty)
  }

  @Test("a value of the PMS that Invoiced can't have parks the record too")
  func enumValue() {
    let status = row("metadata.status", "status", .string, [values(("open", 1), ("closed", 2))])
    let scene = Scene(status, invoiced: ["metadata": ["status": "open"]], pms: ["status": 3])
      .agreed(["metadata": ["status": "open"]], ["status": 1])
    #expect(scene.outcome == ["misfit pms status"])
  }

  @Test("a record that isn't linked is judged whole, also where a value isn't sent")
  func creation() {
    var flow = Scene(name, number).flow
    flow.invoicedReference = path("metadata.pms_id")
    #expect(throws: Misfit.self) {
      try Planner.creation(
        of: observation(["name": "A", "number": "x"], on: .invoiced), flow: flow, idPath: path("id"))
    }
  }
}

@Suite("rule 20: one record's trouble is its own")
struct HoldTests {
  static let sent = Scene(name, number, invoiced: ["name": "B", "number": "8"], pms: ["title": "A", "no": 7])
    .agreed(["name": "A", "number": "7"], ["title": "A", "no": 7])

  @Test("what was refused isn't sent again while the same would be sent over the same, and holds up its property alone")
  func refused() {
    let refused = Self.sent.with {
      $0.holds = [hold(.refused, name, basis: Planner.refusalBasis(sent: "B", present: "A"), invoiced: "B", pms: "A")]
    }
    #expect(refused.outcome == ["pms no = 8 by 8", "held name=title"])
    let source = refused.with { $0.invoiced = ["name": "C", "number": "8"] }
    #expect(source.outcome == ["pms title = \"C\" by 8", "pms no = 8 by 8"])
    let target = refused.with { $0.pms = ["title": "Z", "no": 7] }
    #expect(target.outcome == ["pms title = \"B\" by 8, losing \"Z\"", "pms no = 8 by 8"])
  }

  @Test("a discarded pair of values is left as it is until one of them changes")
  func discarded() {
    let left = Self.sent.with {
      $0.holds = [hold(.loop, name, state: .discarded, invoiced: "B", pms: "A")]
    }
    #expect(left.outcome == ["pms no = 8 by 8", "held name=title"])
    #expect(left.with { $0.invoiced = ["name": "C", "number": "8"] }.outcome.first == "pms title = \"C\" by 8")
    #expect(left.with { $0.pms = ["title": "B", "no": 7] }.outcome.contains("agree name=title: \"B\" = \"B\""))
    #expect(left.with { $0.holds[0].state = .open }.outcome == ["pms title = \"B\" by 8", "pms no = 8 by 8"])
  }

  @Test("a discard of one row leaves the others alone")
  func others() {
    let left = Self.sent.with { $0.holds = [hold(.loop, name, state: .discarded, invoiced: "x", pms: "A")] }
    #expect(left.outcome == ["pms title = \"B\" by 8", "pms no = 8 by 8"])
  }
}

@Suite("rule 12: references")
struct ReferenceTests {
  static let scene = Scene(name, invoiced: ["id": 17, "name": "A"], pms: ["id": "p-1", "title": "A"])
    .agreed(["name": "A"], ["title": "A"]).with {
      $0.flow.invoicedReference = path("metadata.pms_id")
      $0.flow.pmsReference = path("invoiced_id")
    }

  @Test("each side is given the other's id: text in Invoiced's metadata, as it is in the PMS")
  func written() {
    #expect(
      Self.scene.outcome == [
        "invoiced reference metadata.pms_id = \"p-1\" by 12", "pms reference invoiced_id = 17 by 12",
      ])
  }

  static let carried: [(JSONValue, JSONValue)] = [("p-1", 17), ("p-1", "17")]

  @Test("a reference is written once, however the side keeps it", arguments: carried)
  func once(invoiced: JSONValue, pms: JSONValue) {
    let scene = Self.scene.with {
      $0.invoiced = ["id": 17, "name": "A", "metadata": ["pms_id": invoiced]]
      $0.pms = ["id": "p-1", "title": "A", "invoiced_id": pms]
    }
    #expect(scene.outcome == [])
  }

  @Test("a number for an id is text in the metadata")
  func numericID() {
    var scene = Self.scene
    scene.link.pms = RecordID("42")
    #expect(scene.outcome.first == "invoiced reference metadata.pms_id = \"42\" by 12")
  }

  @Test("an id is JSON as its record has it, and text where nothing is known of it")
  func json() {
    let key = RecordKey(.invoiced, RecordID("17"))
    #expect(key.json(in: ["id": 17], idPath: path("id")) == 17)
    #expect(key.json(in: ["id": "17"], idPath: path("id")) == "17")
    #expect(key.json(in: nil, idPath: path("id")) == "17")
    #expect(key.json(in: ["id": nil], idPath: path("id")) == "17")
  }

  @Test("a reference that its side refused isn't written again")
  func refused() {
    var refused = hold(.refused, name, basis: Planner.refusalBasis(sent: 17, present: nil))
    refused.row = Push.Property(row: nil, path: path("invoiced_id"), former: nil, sent: 17, source: 17).holdKey
    let scene = Self.scene.with { $0.holds = [refused] }
    #expect(scene.outcome == ["invoiced reference metadata.pms_id = \"p-1\" by 12", "held invoiced_id"])
  }
}
