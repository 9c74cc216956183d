import JSON

/// An audit's rows, summed over the flows that have them.
struct AuditSummary {
  struct Row {
    let invoiced: String
    let pms: String
    let type: String
    /// In the same form, or in each side's own.
    var agreeing = 0
    var differing = 0
    var examples: [String] = []
  }

  private(set) var rows: [Row] = []
  private(set) var pairs = 0
  /// What isn't about a row: records without a counterpart, and what waits.
  private(set) var remarks: [String] = []

  init(_ audit: JSONValue) {
    for flow in audit["flows"]?.array ?? [] {
      pairs += Int(flow["linked"]?.int64 ?? 0)
      for property in flow["properties"]?.array ?? [] { add(property) }
      for side in ["invoiced", "pms"] {
        for id in flow["unlinked"]?[side]?.array ?? [] { remarks.append("\(side) \(id.text) has no counterpart") }
      }
      for name in ["in_flight", "parked", "conflicts"] {
        if let count = flow[name]?.int64, count > 0 { remarks.append("\(name): \(count)") }
      }
    }
  }

  private mutating func add(_ property: JSONValue) {
    func text(_ name: String) -> String { property[name]?.string ?? "" }
    func count(_ name: String) -> Int { Int(property[name]?.int64 ?? 0) }
    let known = rows.firstIndex {
      $0.invoiced == text("invoiced") && $0.pms == text("pms") && $0.type == text("type")
    }
    let index = known ?? rows.count
    if known == nil { rows.append(Row(invoiced: text("invoiced"), pms: text("pms"), type: text("type"))) }
    rows[index].agreeing += count("agreeing") + count("equivalent")
    rows[index].differing += count("differing")
    rows[index].examples += (property["examples"]?.array ?? []).map(\.text)
  }
}
