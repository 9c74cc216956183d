import JSON
import Mapping

/// Both sides' records compared now, property by property over the property table.
///
/// Records belong together when each holds the other's id in its flow's `reference`.
struct SideComparison {
  /// One row of the table, summed over the flows that have it.
  struct Row {
    let pair: PropertyPair
    var agreeing = 0
    var differing = 0
    /// The first few differences, for people.
    var examples: [String] = []
  }

  private(set) var rows: [Row] = []
  /// Records that are joined with one of the other side.
  private(set) var pairs = 0
  /// Records that a flow covers and nothing on the other side belongs to.
  private(set) var alone: [Side: [String]] = [:]

  var agrees: Bool { rows.allSatisfy { $0.differing == 0 } && alone.values.allSatisfy(\.isEmpty) }

  init(_ mapping: Mapping, invoiced: [JSONValue], pms: [JSONValue]) {
    var partners: [String: JSONValue] = [:]
    for record in pms { if let id = record["id"]?.identifier { partners[id] = record } }
    var index: [String: Int] = [:]
    var joined: Set<String> = []
    for record in invoiced {
      guard let flow = mapping.flow(owning: record, on: .invoiced) else { continue }
      let id = record["id"]?.identifier ?? "?"
      guard let reference = flow.invoicedReference, let back = flow.pmsReference,
        let partnerID = record[reference]?.identifier, let partner = partners[partnerID],
        partner[back]?.identifier == id, joined.insert(partnerID).inserted
      else {
        alone[.invoiced, default: []].append(id)
        continue
      }
      pairs += 1
      for pair in flow.properties {
        let row = index[pair.fingerprint] ?? rows.count
        if row == rows.count {
          index[pair.fingerprint] = row
          rows.append(Row(pair: pair))
        }
        rows[row].compare(record, partner, id: id, partnerID: partnerID)
      }
    }
    for record in pms {
      guard mapping.flow(owning: record, on: .pms) != nil, let id = record["id"]?.identifier else { continue }
      if !joined.contains(id) { alone[.pms, default: []].append(id) }
    }
  }
}

extension SideComparison.Row {
  fileprivate mutating func compare(_ record: JSONValue, _ partner: JSONValue, id: String, partnerID: String) {
    let values = (pair.raw(on: .invoiced, in: record), pair.raw(on: .pms, in: partner))
    if let left = try? pair.canonical(on: .invoiced, raw: values.0),
      let right = try? pair.canonical(on: .pms, raw: values.1), left == right
    {
      agreeing += 1
      return
    }
    differing += 1
    guard examples.count < 3 else { return }
    examples.append("\(id): \((values.0 ?? .null).text)   \(partnerID): \((values.1 ?? .null).text)")
  }
}
