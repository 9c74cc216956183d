import JSON
import Mapping
import Testing

@testable import Sync

private let name = row("name", "title")
private let copyToPMS = row("name", "title", .string, [], .toPMS)
private let copyToInvoiced = row("name", "title", .string, [], .toInvoiced)

@Suite("rule 13: the first link")
struct FirstLinkTests {
  static func first(_ row: PropertyPair, _ invoiced: JSONValue, _ pms: JSONValue, _ policy: LinkPolicy = .invoiced)
    -> Scene
  {
    Scene(row, invoiced: ["name": invoiced], pms: ["title": pms]).with {
      $0.flow.onLink = policy
      // The conflict policy has no say.
      $0.flow.conflict = .manual
    }
  }

  static let table = [
    Case("the same on both sides", first(name, "A", "A"), "agree name=title: \"A\" = \"A\""),
    Case("nothing on either side", first(name, nil, ""), "agree name=title: null = \"\""),
    Case("on_link: invoiced", first(name, "A", "B"), "pms title = \"A\" by 13, losing \"B\""),
    Case("on_link: invoiced, a gap", first(name, nil, "B"), "invoiced name = \"B\" by 13"),
    Case("on_link: pms", first(name, "A", "B", .pms), "invoiced name = \"B\" by 13, losing \"A\""),
    Case("on_link: pms, a gap", first(name, "A", "", .pms), "pms title = \"A\" by 13"),
    Case(
      "on_link: newest, the PMS later", first(name, "A", "B", .newest).edited(invoiced: 1, pms: 9),
      "invoiced name = \"B\" by 13, losing \"A\""),
    Case(
      "on_link: newest, Invoiced later", first(name, "A", "B", .newest).edited(invoiced: 9, pms: 1),
      "pms title = \"A\" by 13, losing \"B\""),
    Case(
      "on_link: newest, a gap is filled by the older value", first(name, nil, "B", .newest).edited(invoiced: 9, pms: 1),
      "invoiced name = \"B\" by 13"),
    Case("on_link: newest, no time known", first(name, "A", "B", .newest), "pms title = \"A\" by 13, losing \"B\""),
    Case("one-way to the PMS", first(copyToPMS, "A", "B", .pms), "pms title = \"A\" by 13, losing \"B\""),
    Case("one-way to Invoiced", first(copyToInvoiced, "A", "B"), "invoiced name = \"B\" by 13, losing \"A\""),
    Case("one-way, into a gap", first(copyToInvoiced, "", "B"), "invoiced name = \"B\" by 13"),
    Case("one-way, the same", first(copyToPMS, "A", "A"), "agree name=title: \"A\" = \"A\""),
  ]

  @Test("on_link decides, gaps are filled, a one-way row's source wins", arguments: table)
  func plans(_ test: Case) { #expect(test.scene.outcome == test.outcome) }
}

@Suite("rule 23: a one-way row's target is a copy")
struct CopyTests {
  static func copy(_ invoiced: JSONValue, _ pms: JSONValue, _ row: PropertyPair = copyToPMS) -> Scene {
    Scene(row, invoiced: ["name": invoiced], pms: ["title": pms]).agreed(["name": "A"], ["title": "A"])
  }

  /// `title` is a copy of `name`, and the source of `metadata.title`.
  static func readElsewhere(_ invoiced: JSONValue, _ pms: JSONValue) -> Scene {
    Scene(copyToPMS, row("metadata.title", "title", .string, [], .toInvoiced), invoiced: invoiced, pms: pms)
      .agreed(["name": "A", "metadata": ["title": "A"]], ["title": "A"])
  }

  static let table = [
    Case("the source changed", copy("B", "A"), "pms title = \"B\" by 8"),
    Case("the source was cleared", copy(nil, "A"), "pms title = null by 8"),
    Case("the copy was edited", copy("A", "C"), "pms title = \"A\" by 23, losing \"C\""),
    Case("the copy was cleared", copy("A", nil), "pms title = \"A\" by 23, losing null"),
    Case("both changed", copy("B", "C"), "pms title = \"B\" by 23, losing \"C\""),
    Case("both changed to the same", copy("B", "B"), "agree name=title: \"B\" = \"B\""),
    Case(
      "the copy of a row to Invoiced was edited", copy("C", "A", copyToInvoiced),
      "invoiced name = \"A\" by 23, losing \"C\""),
    Case(
      "the copy was edited to what fits no row",
      Scene(row("number", "no", .integer, [], .toPMS), invoiced: ["number": "7"], pms: ["no": "seven"])
        .agreed(["number": "7"], ["no": 7]),
      "pms no = 7 by 23, losing \"seven\""),
    Case(
      "manual holds an edited copy", copy("A", "C").with { $0.flow.conflict = .manual }, "conflict name=title"),
    Case(
      "manual lets a change of the source through", copy("B", "A").with { $0.flow.conflict = .manual },
      "pms title = \"B\" by 8"),
    Case(
      "another row reads the path: the edit is that row's",
      readElsewhere(["name": "A", "metadata": ["title": "A"]], ["title": "C"]),
      "invoiced metadata.title = \"C\" by 8", "agree name=title: \"A\" = \"C\""),
    Case(
      "another row reads the path, and conflict is manual",
      readElsewhere(["name": "A", "metadata": ["title": "A"]], ["title": "C"]).with { $0.flow.conflict = .manual },
      "invoiced metadata.title = \"C\" by 8", "agree name=title: \"A\" = \"C\""),
  ]

  @Test("an edit of it is put back, unless it is another row's", arguments: table)
  func plans(_ test: Case) { #expect(test.scene.outcome == test.outcome) }

  @Test("once another row carried an edit of the copy, the next change of the source is no conflict")
  func afterwards() {
    var scene = Self.readElsewhere(["name": "A", "metadata": ["title": "C"]], ["title": "C"]).with {
      $0.flow.conflict = .manual
    }
    scene.link.agree(scene.plan.agreed)
    #expect(scene.outcome == [])
    scene.invoiced = ["name": "B", "metadata": ["title": "C"]]
    #expect(scene.outcome == ["pms title = \"B\" by 8"])
  }

  @Test("a manual hold on a copy isn't filed twice for the same values")
  func filed() {
    let scene = Self.copy("A", "C").with { $0.flow.conflict = .manual }
    let filed = scene.with { $0.holds = [hold(.conflict, copyToPMS, basis: scene.plan.conflicts[0].basis)] }
    #expect(filed.outcome == ["held name=title"])
    #expect(filed.with { $0.pms = ["title": "D"] }.outcome == ["conflict name=title"])
  }
}
