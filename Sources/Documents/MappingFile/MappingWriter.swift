import JSON
import Mapping

extension MappingDocument {
  /// The mapping as YAML that reads back equal. `comment` goes on top, each of its lines behind a `#`.
  public static func write(_ mapping: Mapping, comment: String? = nil) -> String {
    var lines = comment.map { $0.split(separator: "\n", omittingEmptySubsequences: false).map { "# \($0)" } } ?? []
    lines.append(mapping.flows.isEmpty ? "flows: []" : "flows:")
    for flow in mapping.flows { lines += FlowWriter(flow: flow).lines }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// One flow as the lines of a list's item.
private struct FlowWriter {
  let flow: Flow

  var lines: [String] {
    var lines = ["name: \(YAMLText.text(flow.name))"]
    if let title = flow.title { lines.append("title: \(YAMLText.text(title))") }
    lines.append("invoiced: " + side(flow.invoiced, objectKey: "object"))
    lines.append("pms: " + side(flow.pms, objectKey: "entity"))
    if !flow.match.isEmpty {
      lines.append("match:")
      lines += flow.match.map { "  - { invoiced: \(path($0.invoiced)), pms: \(path($0.pms)) }" }
    }
    let reference = [("invoiced", flow.invoicedReference), ("pms", flow.pmsReference)]
      .compactMap { side, reference in reference.map { (side, path($0)) } }
    if !reference.isEmpty { lines.append("reference: " + YAMLText.keyed(reference)) }
    lines.append("create: \(flow.create.rawValue)")
    lines.append("on_link: \(flow.onLink.rawValue)")
    lines.append("conflict: \(flow.conflict.rawValue)")
    lines.append(
      "delete: { invoiced_deleted: \(flow.invoicedDeleted.rawValue), pms_deleted: \(flow.pmsDeleted.rawValue) }")
    let archive = [("invoiced", flow.archiveInvoiced), ("pms", flow.archivePMS)]
      .filter { !$0.1.isEmpty }.map { ($0, assignments($1)) }
    if !archive.isEmpty { lines.append("archive: " + YAMLText.keyed(archive)) }
    lines.append("live: \(flow.live.rawValue)")
    lines.append("on_leave: \(flow.onLeave.rawValue)")
    let rows = TableRow.rows(of: flow).map(row)
    lines.append(rows.isEmpty ? "properties: []" : "properties:")
    lines += Self.aligned(rows)
    return lines.enumerated().map { ($0 == 0 ? "  - " : "    ") + $1 }
  }

  private func side(_ side: FlowSide, objectKey: String) -> String {
    var members = [(objectKey, YAMLText.text(side.object))]
    if !side.conditions.isEmpty {
      members.append(("where", YAMLText.keyed(side.conditions.map { ($0.path.description, test($0.test)) })))
    }
    if !side.set.isEmpty { members.append(("set", assignments(side.set))) }
    return YAMLText.keyed(members)
  }

  private func test(_ test: Condition.Test) -> String {
    switch test {
    case .oneOf(let values) where values.count == 1: YAMLText.value(values[0])
    case .oneOf(let values): YAMLText.value(.array(values))
    case .not(let value): "{ not: \(YAMLText.value(value)) }"
    case .exists(let exists): "{ exists: \(exists) }"
    }
  }

  private func assignments(_ assignments: [Assignment]) -> String {
    YAMLText.keyed(assignments.map { ($0.path.description, YAMLText.value($0.value)) })
  }

  private func path(_ path: JSONPath) -> String { YAMLText.text(path.description) }

  private func row(_ row: TableRow) -> [String] {
    var cells = [
      "invoiced: \(row.invoiced.map(path) ?? "null")", "pms: \(row.pms.map(path) ?? "null")",
      "type: \(row.type.rawValue)",
    ]
    guard case .pair(_, let pair) = row.source else { return cells }
    let converters = pair.converters.map(converter)
    if converters.count == 1 { cells.append("convert: \(converters[0])") }
    if converters.count > 1 { cells.append("convert: [\(converters.joined(separator: ", "))]") }
    if pair.direction != .both { cells.append("direction: \(pair.direction.rawValue)") }
    return cells
  }

  private func converter(_ converter: Converter) -> String {
    switch converter {
    case .not: "not"
    case .trim: "trim"
    case .upper: "upper"
    case .lower: "lower"
    case .keepEmpty: "{ empty: keep }"
    case .values(let pairs):
      "{ values: { "
        + pairs.map { "\(YAMLText.value($0.invoiced)): \(YAMLText.value($0.pms))" }.joined(separator: ", ") + " } }"
    case .country(let form): "{ country: \(form.rawValue) }"
    case .pattern(let prefix, let suffix): "{ pattern: \(YAMLText.text(prefix + "{}" + suffix)) }"
    case .scale(let decimals): "{ scale: \(decimals) }"
    case .unix(let form): "{ unix: \(form.rawValue) }"
    case .default(let value): "{ default: \(YAMLText.value(value)) }"
    case .split(let separator, let part): "{ split: \(YAMLText.text(separator)), part: \(part) }"
    case .join(let separator, let paths):
      "{ join: \(YAMLText.text(separator)), with: [\(paths.map(path).joined(separator: ", "))] }"
    }
  }

  /// Rows with their first cells below each other, where they aren't too wide.
  private static func aligned(_ rows: [[String]]) -> [String] {
    let widest = 44
    let widths = (0..<2).map { column in
      min(widest, rows.map { $0[column].count }.max() ?? 0)
    }
    return rows.map { cells in
      var text = ""
      for (column, cell) in cells.enumerated() {
        let isLast = column == cells.count - 1
        text += isLast ? cell : cell + ", "
        if column < 2, !isLast { text += String(repeating: " ", count: max(0, widths[column] - cell.count)) }
      }
      return "  - { \(text) }"
    }
  }
}
