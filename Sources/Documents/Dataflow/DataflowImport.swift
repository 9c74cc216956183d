import JSON
import Mapping

extension DataflowDocument {
  /// The document as a mapping: a flow for each section, a row for each row. What only `check` and `serve` would refuse
  /// is a warning here.
  public func imported() -> (mapping: Mapping, diagnostics: [Diagnostic]) {
    let problems = ProblemList()
    var names = FlowNames()
    let flows = sections.map {
      SectionImport(section: $0, name: names.next(for: $0.heading), problems: problems).flow()
    }
    return (Mapping(flows: flows), problems.diagnostics)
  }
}

/// Names made of headings, kept apart by a number.
private struct FlowNames {
  private var used: Set<String> = []

  mutating func next(for heading: String) -> String {
    var slug = ""
    for character in heading.lowercased() {
      if character.isLetter || character.isNumber {
        slug.append(character)
      } else if !slug.isEmpty, slug.last != "-" {
        slug.append("-")
      }
    }
    if slug.last == "-" { slug.removeLast() }
    if slug.isEmpty { slug = "flow" }
    var name = slug
    var number = 2
    while !used.insert(name).inserted {
      name = "\(slug)-\(number)"
      number += 1
    }
    return name
  }
}

private struct SectionImport {
  let section: DataflowDocument.Section
  let name: String
  let problems: ProblemList

  func flow() -> Flow {
    problems.flow = name
    defer { (problems.flow, problems.row) = (nil, nil) }
    let heading = SectionHeading(section.heading, columns: section.table.columns)
    var flow = Flow(name: name, invoiced: FlowSide(object: "customer"), pms: FlowSide(object: "customer"))
    flow.title = section.heading
    flow.live = .observe
    flow.position = section.position
    let direction: Direction = heading?.isReversed == true ? .toInvoiced : .both
    let invoicedColumn = invoicedColumn(heading)
    var above = ""
    for (index, row) in section.table.rows.enumerated() {
      problems.row = index
      var paths = row.cells.prefix(2).map(\.text)
      if paths.allSatisfy(\.isEmpty) {
        problems.warning(at: row.position, "this row names no property, and is left out", advice: "remove it")
        continue
      }
      // A path given once for several rows.
      if paths[0].isEmpty { paths[0] = above } else { above = paths[0] }
      let type = type(row.cells[2].text, at: row.position)
      let invoiced = path(paths[invoicedColumn], at: row.position)
      let pms = path(paths[1 - invoicedColumn], at: row.position)
      if let invoiced, let pms {
        flow.properties.append(
          PropertyPair(invoiced: invoiced, pms: pms, type: type, direction: direction, position: row.position))
      } else {
        let missing: Side = pms == nil ? .pms : .invoiced
        problems.warning(
          at: row.position,
          "the row '\(paths[0])\(paths[1])' has no property on \(missing.title), and is not synchronised",
          advice: "write the path in place of 'null' after '\(missing.rawValue):' in the mapping")
        flow.unmapped.append(
          UnmappedRow(before: flow.properties.count, invoiced: invoiced, pms: pms, type: type, position: row.position))
      }
    }
    problems.row = nil
    if section.table.rows.isEmpty {
      problems.warning(
        at: section.position, "the table of '\(shortened(section.heading))' is empty: its flow has no rows",
        advice: "write rows under 'properties:' in the mapping")
    }
    reportRepeatedTargets(flow)
    return flow
  }

  /// 0 or 1: the column that names Invoiced; where none or both do, the heading's part that does; else the first.
  private func invoicedColumn(_ heading: SectionHeading?) -> Int {
    let named = section.table.columns.prefix(2).map(SectionHeading.namesInvoiced)
    if named.count == 2, named[0] != named[1] { return named[0] ? 0 : 1 }
    if named.contains(true) { return 0 }
    return heading?.isReversed == true ? 1 : 0
  }

  private func path(_ text: String, at position: SourcePosition?) -> JSONPath? {
    guard !text.isEmpty else { return nil }
    let (path, isRegular) = PathText.path(text)
    if !isRegular {
      problems.warning(
        at: position, "'\(shortened(text))' is no path, and is taken as one key of that name",
        advice: "write keys with dots between, [0] for an element, and \\. for a dot in a key")
    }
    return path
  }

  private func type(_ text: String, at position: SourcePosition?) -> PropertyType {
    let quotes = "\"'“”„‘’«»`"
    let word = text.trimmed.drop { quotes.contains($0) }.reversed().drop { quotes.contains($0) }.reversed()
    let name = String(word).trimmed.lowercased()
    if let type = PropertyType.allCases.first(where: { $0.rawValue.lowercased() == name }) { return type }
    problems.warning(
      at: position,
      name.isEmpty
        ? "this row has no data type: it is kept as N/A"
        : "the data type \(shortened(text)) is not known: it is kept as N/A",
      advice: "write \(alternatives(PropertyType.allCases.map(\.rawValue))) after 'type:' in the mapping")
    return .any
  }

  /// `check` refuses rows that write the same path in the same direction; a document may list them.
  private func reportRepeatedTargets(_ flow: Flow) {
    for side in Side.allCases {
      var written = WrittenPaths()
      for (index, pair) in flow.properties.enumerated() where pair.direction.carries(from: side.other) {
        let path = pair.path(on: side)
        guard written.add(path, number: index) != nil else { continue }
        let direction: Direction = side == .invoiced ? .toPMS : .toInvoiced
        problems.row = index
        problems.warning(
          at: pair.position,
          "more than one row writes '\(PathText.text(path))' on \(side.title), which check and serve refuse",
          advice: pair.direction == .both
            ? "give all but one of them 'direction: \(direction.rawValue)'" : "keep one of them")
        problems.row = nil
      }
    }
  }
}
