import Documents
import JSON
import Mapping
import Sync

/// The dataflow document with a verdict on each row.
extension AuditReport {
  public var document: DataflowDocument {
    var document = DataflowDocument(Mapping(flows: flows.map(\.flow)), generated: at.rfc3339)
    document.introduction = [
      agrees
        ? "Both sides agree on every row of every flow."
        : "The two sides do not agree everywhere: the rows and lists below say where.",
      "Every record of both sides was read and compared at \(at.rfc3339), by the property table.",
    ]
    for index in document.sections.indices where index < flows.count {
      flows[index].judge(&document.sections[index])
    }
    return document
  }

  /// For a terminal.
  public var text: String {
    let document = document
    var lines: [String] = [document.title, ""] + document.introduction
    for section in document.sections {
      lines += ["", section.heading, ""]
      let rows = [section.table.columns] + section.table.rows.map { $0.cells.map(\.text) }
      let widths = section.table.columns.indices.map { column in
        rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
      }
      for row in rows {
        let cells = row.enumerated().map { column, cell in
          column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - cell.count)
        }
        lines.append("  " + cells.joined(separator: "  "))
      }
      lines += [""] + section.remarks.map { "  " + $0 }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension AuditReport.FlowReport {
  fileprivate func judge(_ section: inout DataflowDocument.Section) {
    section.table.columns.append("Verdict")
    for (index, row) in TableRow.rows(of: flow).enumerated() where index < section.table.rows.count {
      guard case .pair(let number, _) = row.source, number < properties.count else {
        section.table.rows[index].cells.append(DataflowDocument.Cell("not synchronised"))
        continue
      }
      section.table.rows[index].cells.append(properties[number].verdict)
    }
    section.remarks += remarks
  }

  private var remarks: [String] {
    var lines = [
      "Records: \(records[.invoiced] ?? 0) of Invoiced and \(records[.pms] ?? 0) of the PMS; linked: \(linked), "
        + "of which \(agreeing) agree on every row."
    ]
    if inFlight > 0 { lines.append("In flight: \(inFlight).") }
    for (lists, what) in [(unlinked, "Without a counterpart"), (apart, "Kept apart")] {
      for side in Side.allCases {
        guard let ids = lists[side], !ids.isEmpty else { continue }
        let shown = ids.sorted().prefix(20).map(\.text).joined(separator: ", ")
        lines.append("\(what) on \(side.title): \(ids.count) (\(shown)\(ids.count > 20 ? ", ..." : "")).")
      }
    }
    if parked > 0 { lines.append("Parked: \(parked); see: customer-sync parked list") }
    if conflicts > 0 { lines.append("In conflict: \(conflicts); see: customer-sync conflicts list") }
    return lines
  }
}

extension AuditReport.Property {
  fileprivate var verdict: DataflowDocument.Cell {
    let all = agreeing + equivalent + differing
    if differing > 0 {
      let examples = examples.map { example in
        "\(example.invoicedID) \((example.invoiced ?? .null).text), \(example.pmsID) \((example.pms ?? .null).text)"
      }
      return DataflowDocument.Cell(
        "\(differing) of \(all) differ: \(examples.joined(separator: "; "))", style: .bad)
    }
    if all == 0 { return DataflowDocument.Cell("no pairs") }
    if equivalent > 0 {
      return DataflowDocument.Cell("\(all) agree, \(equivalent) of them in another form", style: .fair)
    }
    return DataflowDocument.Cell("\(all) agree", style: .good)
  }
}
