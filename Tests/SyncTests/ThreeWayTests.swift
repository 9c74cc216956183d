import JSON
import Mapping
import Testing

@testable import Sync

private let name = row("name", "title")
private let terms = row("payment_terms", "days", .integer, [.pattern(prefix: "NET ", suffix: "")])
private let base = Scene(name, terms).agreed(
  ["name": "A", "payment_terms": "NET 30"], ["title": "A", "days": 30])

private func scene(_ invoiced: JSONValue, _ pms: JSONValue, _ change: (inout Scene) -> Void = { _ in }) -> Scene {
  base.with {
    $0.invoiced = invoiced
    $0.pms = pms
    change(&$0)
  }
}

@Suite("rule 8: three-way, per property")
struct ThreeWayTests {
  static let table = [
    Case("nothing changed", scene(["name": "A", "payment_terms": "NET 30"], ["title": "A", "days": 30])),
    Case(
      "Invoiced changed one property",
      scene(["name": "B", "payment_terms": "NET 30"], ["title": "A", "days": 30]), "pms title = \"B\" by 8"),
    Case(
      "the PMS changed one property", scene(["name": "A", "payment_terms": "NET 30"], ["title": "A", "days": 14]),
      "invoiced payment_terms = \"NET 14\" by 8"),
    Case(
      "each side changed another property",
      scene(["name": "B", "payment_terms": "NET 30"], ["title": "A", "days": 14]),
      "invoiced payment_terms = \"NET 14\" by 8", "pms title = \"B\" by 8"),
    Case(
      "both sides changed to the same meaning",
      scene(["name": "A", "payment_terms": "NET 7"], ["title": "A", "days": 7]),
      "agree payment_terms=days: \"NET 7\" = 7"),
    Case(
      "a property was cleared", scene(["payment_terms": "NET 30"], ["title": "A", "days": 30]),
      "pms title = null by 8"),
    Case(
      "a property was cleared by an empty text",
      scene(["name": "A", "payment_terms": "NET 30"], ["title": "", "days": 30]), "invoiced name = null by 8"),
    Case(
      "both sides cleared it in their own way",
      scene(["name": nil, "payment_terms": "NET 30"], ["title": "", "days": 30]),
      "agree name=title: null = \"\""),
    Case(
      "what the rows don't map is no change",
      scene(["name": "A", "payment_terms": "NET 30", "notes": "n"], ["title": "A", "days": 30, "x": 1])),
  ]

  @Test("each property is planned by itself", arguments: table)
  func plans(_ test: Case) { #expect(test.scene.outcome == test.outcome) }

  static let both = scene(["name": "B", "payment_terms": "NET 30"], ["title": "C", "days": 30])

  static func policy(_ policy: ConflictPolicy, invoiced: Double? = nil, pms: Double? = nil) -> Scene {
    both.with { $0.flow.conflict = policy }.edited(invoiced: invoiced, pms: pms)
  }

  static let toPMS = "pms title = \"B\" by 8, losing \"C\""
  static let toInvoiced = "invoiced name = \"C\" by 8, losing \"B\""

  static let policies = [
    Case("invoiced", policy(.invoiced, invoiced: 1, pms: 900), toPMS),
    Case("pms", policy(.pms, invoiced: 900, pms: 1), toInvoiced),
    Case("newest: Invoiced's edit is later", policy(.newest, invoiced: 900, pms: 1), toPMS),
    Case("newest: the PMS's edit is later", policy(.newest, invoiced: 1, pms: 900), toInvoiced),
    Case("newest: the PMS is two seconds later, a tie", policy(.newest, invoiced: 1, pms: 3), toPMS),
    Case(
      "newest: the PMS is a little more than two seconds later", policy(.newest, invoiced: 1, pms: 3.001), toInvoiced),
    Case("newest: neither time is known", policy(.newest), toPMS),
    Case("newest: only Invoiced's time is known", policy(.newest, invoiced: 1), toPMS),
    Case("newest: only the PMS's time is known", policy(.newest, pms: 1), toInvoiced),
    Case("manual", policy(.manual, invoiced: 1, pms: 900), "conflict name=title"),
  ]

  @Test("where both sides changed a property apart, the policy decides", arguments: policies)
  func decides(_ test: Case) { #expect(test.scene.outcome == test.outcome) }

  @Test("within two seconds Invoiced wins, and the sentence says so")
  func tie() {
    #expect(Self.policy(.newest, invoiced: 1, pms: 2).plan.toPMS[0].sentence.contains("within two seconds"))
    #expect(!Self.policy(.newest, invoiced: 9, pms: 2).plan.toPMS[0].sentence.contains("within"))
  }

  @Test("an edit's time counts only for the value that it was noted for")
  func staleTime() {
    var scene = Self.policy(.newest, invoiced: 100)
    scene.link.setEdit(Edit(at: at(900), value: "a former value"), of: name.key, on: .pms)
    #expect(scene.outcome == [Self.toPMS])
  }

  @Test("a manual conflict holds up its property alone")
  func manual() {
    let scene = Self.policy(.manual).with { $0.pms = ["title": "C", "days": 14] }
    #expect(scene.outcome == ["invoiced payment_terms = \"NET 14\" by 8", "conflict name=title"])
    let conflict = scene.plan.conflicts[0]
    #expect(conflict.invoiced == "B" && conflict.pms == "C")
  }

  @Test("a conflict that is filed for the same values is left alone, one for others is filed anew")
  func filed() {
    let basis = Self.policy(.manual).plan.conflicts[0].basis
    for state in [Hold.State.open, .discarded] {
      let filed = Self.policy(.manual).with {
        $0.holds = [hold(.conflict, name, basis: "other"), hold(.conflict, name, basis: basis, state: state)]
      }
      #expect(filed.outcome == ["held name=title"])
    }
    let edited = Self.policy(.manual).with {
      $0.holds = [hold(.conflict, name, basis: basis)]
      $0.pms = ["title": "D", "days": 30]
    }
    #expect(edited.outcome == ["conflict name=title"])
  }

  @Test("a manual conflict resolves by itself once one side goes back, or both mean the same")
  func resolves() {
    let filed = Self.policy(.manual).with { $0.holds = [hold(.conflict, name, basis: $0.plan.conflicts[0].basis)] }
    #expect(filed.with { $0.pms = ["title": "A", "days": 30] }.outcome == ["pms title = \"B\" by 8"])
    #expect(filed.with { $0.pms = ["title": "B", "days": 30] }.outcome == ["agree name=title: \"B\" = \"B\""])
  }
}

@Suite("rule 7: values are compared by their meaning")
struct MeaningTests {
  static let limit = row("credit_limit", "limit", .decimal)
  static let table = [
    Case(
      "another normal form of Unicode is no change",
      Scene(name, invoiced: ["name": "e\u{301}"], pms: ["title": "\u{E9}"]).agreed(
        ["name": "\u{E9}"], ["title": "\u{E9}"]),
      "agree name=title: \"e\u{301}\" = \"\u{E9}\""),
    Case(
      "a number written in another way is no change",
      Scene(limit, invoiced: ["credit_limit": json("1.50")], pms: ["limit": json("1.5")])
        .agreed(["credit_limit": json("1.5")], ["limit": json("1.5")]),
      "agree credit_limit=limit: 1.50 = 1.5"),
    Case(
      "a number goes as it is written",
      Scene(limit, invoiced: ["credit_limit": json("12345678901234567890.10")], pms: ["limit": 2])
        .agreed(["credit_limit": 2], ["limit": 2]),
      "pms limit = 12345678901234567890.10 by 8"),
    Case(
      "text is sent as it was received",
      Scene(name, invoiced: ["name": " e\u{301} "], pms: ["title": "A"]).agreed(["name": "A"], ["title": "A"]),
      "pms title = \" e\u{301} \" by 8"),
    Case(
      "\"\" is a value of its own where the row says so",
      Scene(row("notes", "n", .string, [.keepEmpty]), invoiced: ["notes": ""], pms: ["n": "x"])
        .agreed(["notes": "x"], ["n": "x"]),
      "pms n = \"\" by 8"),
  ]

  @Test("meaning decides, and the form is kept", arguments: table)
  func plans(_ test: Case) { #expect(test.scene.outcome == test.outcome) }
}
