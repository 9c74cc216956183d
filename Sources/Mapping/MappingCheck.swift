import JSON

/// What is wrong with a mapping, told before it touches anything: all of it, not the first.
public enum MappingCheck {
  public static func problems(in mapping: Mapping) -> [Diagnostic] {
    var problems: [Diagnostic] = []
    for (index, flow) in mapping.flows.enumerated() {
      let earlier = mapping.flows[..<index]
      problems += FlowCheck(flow: flow).problems()
      if flow.name.isEmpty { problems.append(Diagnostic(.error, at: flow.position, "a flow has no name")) }
      if earlier.contains(where: { $0.name.isIdentical(to: flow.name) }) {
        problems.append(
          Diagnostic(
            .error, at: flow.position, flow: flow.name, "two flows are called '\(flow.name)'",
            advice: "give each flow a name of its own"))
      }
      problems += shadows(of: flow, among: earlier)
    }
    return problems
  }

  /// The first flow that fits owns a record, so a flow whose conditions include an earlier one's gets none.
  private static func shadows(of flow: Flow, among earlier: ArraySlice<Flow>) -> [Diagnostic] {
    Side.allCases.compactMap { side in
      let own = flow.side(side)
      let shadow = earlier.first { other in
        other.side(side).object == own.object && Set(other.side(side).conditions).isSubset(of: own.conditions)
      }
      return shadow.map { shadow in
        Diagnostic(
          .warning, at: flow.position, flow: flow.name,
          "flow '\(flow.name)' never owns a record of \(side.title): flow '\(shadow.name)' before it takes them all",
          advice: "give their `\(side.rawValue)` sides a `where` that tells the records apart")
      }
    }
  }
}

/// Collects what is wrong with one flow.
struct FlowCheck {
  let flow: Flow
  private var found: [Diagnostic] = []

  init(flow: Flow) { self.flow = flow }

  func problems() -> [Diagnostic] {
    var check = self
    check.run()
    return check.found
  }

  private mutating func run() {
    if flow.properties.isEmpty { add(.warning, "flow '\(flow.name)' has no properties", "add rows to `properties`") }
    for (index, pair) in flow.properties.enumerated() {
      found += RowCheck(flow: flow, row: index, pair: pair).problems()
    }
    for side in Side.allCases { checkTargets(on: side) }
    checkKeys()
    checkLookups()
    checkDeletes()
    checkCreation()
    checkInvoicedPaths()
  }

  private mutating func add(_ severity: Diagnostic.Severity, row: Int? = nil, _ message: String, _ advice: String = "")
  {
    let position = row.flatMap { flow.properties[$0].position } ?? flow.position
    found.append(Diagnostic(severity, at: position, flow: flow.name, row: row, message, advice: advice))
  }

  /// Two rows that write one property, or one that writes what the reference holds, would undo each other's work.
  private mutating func checkTargets(on side: Side) {
    var written = WrittenPaths()
    for (row, pair) in flow.properties.enumerated() where pair.direction.carries(from: side.other) {
      let path = pair.path(on: side)
      if let other = written.add(path, number: row) {
        let otherPath = flow.properties[other].path(on: side)
        let what = otherPath == path ? "'\(path)'" : "'\(otherPath)', which overlaps '\(path)',"
        add(
          .error, row: row, "\(what) of \(side.title) is written by row \(other + 1) already",
          "leave one of the rows out, or give one the other direction")
      }
      if let reference = flow.reference(on: side), reference.overlaps(path) {
        add(
          .error, row: row, "'\(path)' of \(side.title) holds the other side's id (`reference`)",
          "give the row another path, or the other direction")
      }
    }
  }

  private mutating func checkKeys() {
    for key in flow.match where !flow.properties.contains(where: { $0.invoiced == key.invoiced && $0.pms == key.pms }) {
      add(
        .warning,
        "match key '\(key.invoiced)' to '\(key.pms)' is no row: it is sent on create only, and not kept in sync",
        "add it to `properties`")
    }
    let searched = flow.match.map(\.invoiced) + [flow.invoicedReference].compactMap { $0 }
    for path in searched where InvoicedCustomer.isMetadata(path) && !InvoicedCustomer.isSearchable(path) {
      add(
        .warning, "Invoiced ignores a search for '\(path)': every customer would be a candidate",
        "use a metadata key of letters, digits, `_` and `-`")
    }
  }

  /// Rule 12: an unanswered create is looked up before it is sent again.
  private mutating func checkLookups() {
    guard flow.match.isEmpty else { return }
    for side in Side.allCases where flow.create.allows(on: side) && flow.reference(on: side) == nil {
      add(
        .warning,
        "flow '\(flow.name)' has no way to look up a create on \(side.title) that was not answered: it would be parked",
        "give the flow a `reference` on that side, or `match` keys")
    }
  }

  private mutating func checkDeletes() {
    for side in Side.allCases
    where flow.deletePolicy(deletedOn: side) == .archive && flow.archive(on: side.other).isEmpty {
      add(
        .error, "`delete` says to archive in \(side.other.title), and `archive` does not say how",
        "write `archive: { \(side.other.rawValue): { PROPERTY: VALUE } }`")
    }
    if flow.pmsDeleted == .propagate, flow.archiveInvoiced.isEmpty {
      add(
        .warning, "Invoiced refuses to delete a customer that has invoices: such a delete would be parked",
        "write `archive: { invoiced: { active: false } }`")
    }
  }

  private mutating func checkCreation() {
    guard flow.invoiced.object == "customer", flow.create.allows(on: .invoiced), !flow.properties.isEmpty else {
      return
    }
    let given = flow.rows(from: .pms).map(\.invoiced) + flow.invoiced.constants.map(\.path) + flow.match.map(\.invoiced)
    if !given.contains(JSONPath([.key("name")])) {
      add(
        .warning, "Invoiced refuses a customer without a 'name', and no row gives it one",
        "add a row for 'name', or write `create: pms`")
    }
  }

  /// What is named outside of the rows.
  private mutating func checkInvoicedPaths() {
    guard flow.invoiced.object == "customer" else { return }
    let read = flow.invoiced.conditions.map(\.path) + flow.match.map(\.invoiced)
    let written =
      flow.invoiced.set.map(\.path) + flow.archiveInvoiced.map(\.path) + [flow.invoicedReference].compactMap { $0 }
    for (path, isWritten) in read.map({ ($0, false) }) + written.map({ ($0, true) }) {
      if let problem = InvoicedCustomer.problem(with: path, isWritten: isWritten) {
        add(problem.severity, problem.message, problem.advice)
      }
    }
    let keys = Set((flow.rows(from: .pms).map(\.invoiced) + written).filter(InvoicedCustomer.isMetadata))
    if keys.count > 10 {
      add(.warning, "Invoiced stores at most 10 metadata keys, and the flow writes \(keys.count)", "map fewer of them")
    }
  }
}

extension JSONPath {
  /// Whether one is the other, or a part of it.
  func overlaps(_ other: JSONPath) -> Bool { isPrefix(of: other) || other.isPrefix(of: self) }
}
