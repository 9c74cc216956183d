import JSON
import Mapping
import Testing

@testable import Sync

private let name = row("name", "title")
private let language = row("language", "locale", .string, [values(("en", "en-US"), ("nb", "nb-NO"))])
/// A fingerprint of the same paths with other converters.
private func former(_ row: PropertyPair) -> String { row.pathFingerprint + "-000000000000" }

@Suite("rule 23: rows over time")
struct RowChangeTests {
  /// `language` was agreed as en = en-GB, under converters that the row has no more.
  static func changed(_ invoiced: JSONValue, _ pms: JSONValue, policy: LinkPolicy = .invoiced) -> Scene {
    Scene(language, invoiced: ["language": invoiced], pms: ["locale": pms])
      .agreed(["language": "en"], ["locale": "en-GB"], fingerprint: former(language)).with { $0.flow.onLink = policy }
  }

  /// `name` was agreed as A = a under converters that the row has no more.
  static func plain(_ invoiced: JSONValue, _ pms: JSONValue, policy: LinkPolicy = .invoiced) -> Scene {
    Scene(name, invoiced: ["name": invoiced], pms: ["title": pms])
      .agreed(["name": "A"], ["title": "a"], fingerprint: former(name)).with { $0.flow.onLink = policy }
  }

  static func base(_ invoiced: JSONValue, _ pms: JSONValue, _ change: (inout Scene) -> Void = { _ in }) -> Scene {
    Scene(name, invoiced: ["name": invoiced], pms: ["title": pms])
      .agreed(["name": "A"], ["title": "B"], baseOnly: true).with(change)
  }

  static let table = [
    Case(
      "a new row goes by on_link",
      Scene(name, row("city"), invoiced: ["name": "A", "city": "Oslo"], pms: ["title": "A", "city": "Bergen"])
        .agreed(["name": "A"], ["title": "A"]).with { $0.link.agreed["city=city"] = nil },
      "pms city = \"Oslo\" by 13, losing \"Bergen\""),
    Case(
      "a removed row's halves are dropped",
      Scene(name, row("city"), invoiced: ["name": "A", "city": "Oslo"], pms: ["title": "A", "city": "Bergen"])
        .agreed(["name": "A", "city": "Oslo"], ["title": "A", "city": "Oslo"]).with { $0.flow.properties.removeLast() },
      "drop city=city"),
    Case("equal under the changed row", plain("B", "B"), "agree name=title: \"B\" = \"B\""),
    Case("Invoiced differs from its half", plain("B", "a"), "pms title = \"B\" by 8"),
    Case("the PMS differs from its half", plain("A", "b"), "invoiced name = \"b\" by 8"),
    Case("neither differs: on_link", plain("A", "a"), "pms title = \"A\" by 23, losing \"a\""),
    Case("neither differs: on_link is pms", plain("A", "a", policy: .pms), "invoiced name = \"a\" by 23, losing \"A\""),
    Case(
      "both differ: conflict", plain("B", "b").with { $0.flow.conflict = .pms },
      "invoiced name = \"b\" by 8, losing \"B\""),
    Case(
      "a copy that its side had filled fills the gap when the row becomes two-way",
      Scene(name, invoiced: ["name": "A"], pms: [:]).agreed(["name": "A"], [:]).with { $0.flow.onLink = .pms },
      "pms title = \"A\" by 13"),
    Case(
      "a copy that its side had filled is the source when the row is turned round",
      Scene(row("name", "title", .string, [], .toPMS), invoiced: ["name": "A"], pms: [:]).agreed(["name": "A"], [:]),
      "pms title = \"A\" by 13"),
    Case(
      "a copy that its side had filled stays, beside a source that has nothing",
      Scene(row("name", "title", .string, [], .toPMS), invoiced: [:], pms: ["title": "a"])
        .agreed([:], ["title": "a"])),
    Case(
      "a copy that was cleared stays so where another row reads it",
      Scene(
        row("name", "title", .string, [], .toPMS), row("nick", "title", .string, [], .toInvoiced),
        invoiced: ["name": "A"], pms: [:]
      ).agreed(["name": "A"], [:])),
    Case(
      "nothing in place of a blank value is the side's own form of it",
      Scene(name, invoiced: ["name": "  "], pms: ["title": ""]).agreed(["name": "  "], ["title": ""])),
    Case(
      "nothing in place of a blank value is a copy's own form of it",
      Scene(row("name", "title", .string, [], .toPMS), invoiced: ["name": "  "], pms: ["title": ""])
        .agreed(["name": "  "], ["title": ""])),
    Case(
      "a former value without counterpart counts as nothing", changed("en", "en-GB"),
      "pms locale = \"en-US\" by 23, losing \"en-GB\""),
    Case(
      "a former value without counterpart counts as nothing, whatever on_link says",
      changed("en", "en-GB", policy: .pms), "pms locale = \"en-US\" by 23, losing \"en-GB\""),
    Case(
      "a former value without counterpart gives way to an edit", changed("nb", "en-GB"),
      "pms locale = \"nb-NO\" by 8"),
    Case("an edit without counterpart is a misfit", changed("en", "de-DE"), "misfit pms locale"),
    Case(
      "a one-way row is sent again under its new converters",
      Scene(row("name", "title", .string, [.upper], .toPMS), invoiced: ["name": "ab"], pms: ["title": "ab"])
        .with { $0 = $0.agreed(["name": "ab"], ["title": "ab"], fingerprint: former(name)) },
      "pms title = \"AB\" by 23, losing \"ab\""),
  ]

  @Test("a changed table is planned by what was agreed before", arguments: table)
  func plans(_ test: Case) { #expect(test.scene.outcome == test.outcome) }

  static let raised = [
    Case("neither side changed: on_link", base("A", "B"), "pms title = \"A\" by 13, losing \"B\""),
    Case(
      "neither side changed: on_link is pms", base("A", "B") { $0.flow.onLink = .pms },
      "invoiced name = \"B\" by 13, losing \"A\""),
    Case("Invoiced changed it", base("C", "B"), "pms title = \"C\" by 8"),
    Case("the PMS changed it", base("A", "C"), "invoiced name = \"C\" by 8"),
    Case(
      "both changed it: conflict", base("C", "D") { $0.flow.conflict = .pms },
      "invoiced name = \"D\" by 8, losing \"C\""),
    Case("both changed it to the same", base("C", "C"), "agree name=title: \"C\" = \"C\""),
  ]

  @Test("when live is raised, a base of both values decides", arguments: raised)
  func raises(_ test: Case) { #expect(test.scene.outcome == test.outcome) }

  static let low: [(LiveStep, JSONPath?)] = [(.observe, nil), (.links, nil), (.links, path("metadata.pms_id"))]

  @Test("no step of live below updates writes to either side, references included", arguments: low)
  func heldBack(step: LiveStep, reference: JSONPath?) {
    let scene = Scene(name, row("city"), invoiced: ["name": "B", "city": "Oslo"], pms: ["title": "A", "city": "Oslo"])
      .agreed(["name": "A"], ["title": "A"]).with {
        $0.flow.live = step
        $0.flow.invoicedReference = reference
      }
    #expect(
      scene.outcome == ["agree city=city: \"Oslo\" = \"Oslo\"", "held back \(reference == nil ? 1 : 2)"])
    #expect(scene.plan.isQuiet)
  }

  @Test("a row that was never agreed keeps both values as its base while live lets nothing be written")
  func keepsBase() {
    let scene = Scene(name, invoiced: ["name": "A"], pms: ["title": "B"]).with { $0.flow.live = .links }
    #expect(scene.outcome == ["base name=title: \"A\" = \"B\"", "held back 1"])
    var raised = scene
    raised.link.agree(scene.plan.agreed)
    #expect(raised.outcome == ["held back 1"])
    raised.flow.live = .all
    raised.pms = ["title": "C"]
    #expect(raised.outcome == ["invoiced name = \"C\" by 8"])
  }
}
