import Documents
import JSON
import Mapping

/// Pairs of properties that probably mean the same, by sample records of both sides.
struct Suggestion {
  struct Pair {
    var row: PropertyPair
    /// Of the customers known on both sides that have a value in both, how many have the same.
    var equal = 0
    var compared = 0
    /// How alike the names are, from 0 to 1.
    var likeness = 0.0

    var score: Double {
      compared >= 2 ? 0.7 * Double(equal) / Double(compared) + 0.3 * likeness : 0.6 * likeness
    }
    var isGood: Bool {
      compared >= 2 ? Double(equal) >= 0.8 * Double(compared) : likeness >= 0.75
    }
    var reason: String {
      compared >= 2 ? "equal in \(equal) of \(compared)" : "by name"
    }
  }

  /// The pair by which records of both sides were told to be the same customer.
  let key: MatchKey?
  let pairs: [Pair]

  init(invoiced: [JSONValue], pms: [JSONValue], pmsID: JSONPath) {
    let left = SampleTable(invoiced)
    let right = SampleTable(pms, without: pmsID)
    let (key, joined) = Self.join(left, right)
    var candidates: [Pair] = []
    for a in left.paths {
      for b in right.paths {
        let pair = Self.pair(a, b, left, right, joined)
        if pair.isGood, Self.isAllowed(pair.row) { candidates.append(pair) }
      }
    }
    candidates.sort { ($1.score, $0.name) < ($0.score, $1.name) }
    var chosen: [Pair] = []
    for candidate in candidates
    where !chosen.contains(where: {
      $0.row.invoiced.isPrefix(of: candidate.row.invoiced) || $0.row.pms.isPrefix(of: candidate.row.pms)
    }) {
      chosen.append(candidate)
    }
    self.key = key.flatMap { key in
      chosen.contains { $0.row.invoiced == key.invoiced && $0.row.pms == key.pms } ? key : nil
    }
    pairs = chosen.sorted { left.place($0.row.invoiced) < left.place($1.row.invoiced) }
  }

  /// The pair of paths with the most values that stand once on each side, and the records joined by it.
  private static func join(_ left: SampleTable, _ right: SampleTable) -> (MatchKey?, [(Int, Int)]) {
    var best: (key: MatchKey, rows: [(Int, Int)])?
    let keys = right.paths.map { ($0, right.uniqueValues(at: $0)) }
    for a in left.paths {
      let values = left.uniqueValues(at: a)
      for (b, others) in keys {
        let rows = values.compactMap { value, row in others[value].map { (row, $0) } }
        if rows.count > (best?.rows.count ?? 0) { best = (MatchKey(invoiced: a, pms: b), rows) }
      }
    }
    return (best?.key, best?.rows ?? [])
  }

  private static func pair(
    _ a: JSONPath, _ b: JSONPath, _ left: SampleTable, _ right: SampleTable, _ joined: [(Int, Int)]
  ) -> Pair {
    let type = right.type(of: b)
    var pair = Pair(row: PropertyPair(invoiced: a, pms: b, type: type), likeness: NameLikeness.of(a, b))
    var opposite = 0
    for (row, other) in joined {
      guard let x = left.value(at: a, row), let y = right.value(at: b, other) else { continue }
      pair.compared += 1
      if x == y { pair.equal += 1 }
      if [x, y].sorted() == ["false", "true"] { opposite += 1 }
    }
    if type == .boolean {
      // Two values are equal by chance too often, unless the names speak for it.
      if left.type(of: a) != .boolean { return Pair(row: pair.row, equal: 0, compared: 2) }
      if pair.compared >= 2, opposite == pair.compared, pair.likeness < 0.75 {
        pair.row.converters = [.not]
        pair.equal = left.varies(at: a) ? opposite : 0
      } else if !left.varies(at: a), pair.likeness < 0.5 {
        pair.equal = 0
      }
    } else if !left.varies(at: a), pair.likeness < 0.5 {
      pair.equal = 0
    }
    return pair
  }

  /// What a mapping's check refuses isn't proposed: Invoiced's own ids and times, for some.
  private static func isAllowed(_ row: PropertyPair) -> Bool {
    var flow = Flow(name: "suggested", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "customer"))
    flow.properties = [row]
    return !MappingCheck.problems(in: Mapping(flows: [flow])).contains { $0.row != nil }
  }
}

extension Suggestion.Pair {
  fileprivate var name: String { "\(row.invoiced) \(row.pms)" }
}

extension Suggestion {
  /// The part of a flow in `mapping.yaml`, each row with what speaks for it behind it.
  var text: String {
    var flow = Flow(name: "suggested", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "customer"))
    flow.properties = pairs.map(\.row)
    if let key { flow.match = [key] }
    let lines = MappingDocument.write(Mapping(flows: [flow])).split(separator: "\n").map { $0.dropFirst(4) }
    var out: [String] = []
    if key != nil, let start = lines.firstIndex(where: { $0.hasPrefix("match:") }) {
      out += lines[start...(start + 1)].map(String.init)
    }
    if let start = lines.firstIndex(where: { $0.hasPrefix("properties:") }) {
      out.append(String(lines[start]))
      let rows = lines[(start + 1)...]
      let width = rows.map(\.count).max() ?? 0
      for (line, pair) in zip(rows, pairs) {
        out.append(line + String(repeating: " ", count: width - line.count) + "  # \(pair.reason)")
      }
    }
    return out.joined(separator: "\n") + "\n"
  }

  var json: JSONValue {
    .array(
      pairs.map { pair in
        [
          "invoiced": .string(pair.row.invoiced.description), "pms": .string(pair.row.pms.description),
          "type": .string(pair.row.type.rawValue), "convert": pair.row.converters.isEmpty ? .null : "not",
          "reason": .string(pair.reason),
        ]
      })
  }
}
