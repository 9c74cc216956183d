import JSON
import Mapping

extension DataflowDocument {
  /// The mapping as a document: its flows as sections, their rows in order. `generated` is what stands behind
  /// `Generated:`.
  public init(_ mapping: Mapping, generated: String? = nil) {
    let sections = mapping.flows.map { Section($0) }
    let first = sections.first.flatMap { SectionHeading($0.heading, columns: $0.table.columns) }
    let systems = first.map { $0.isReversed ? ($0.target, $0.source) : ($0.source, $0.target) }
    let source = systems.map { SectionHeading.system(of: $0.0) } ?? "Invoiced"
    let target = systems.map { SectionHeading.system(of: $0.1) } ?? "Custom PMS"
    self.init(
      title: "\(source) to \(target) Dataflow", generated: generated,
      introduction: [
        "This document describes the data flow from \(source) to \(target), section by section, and is the checklist "
          + "that the synchronisation is tested against."
      ], sections: sections)
  }

  /// The mapping as text of a dataflow document.
  public static func render(_ mapping: Mapping, as format: Format, generated: String? = nil) -> String {
    DataflowDocument(mapping, generated: generated).rendered(as: format)
  }
}

extension DataflowDocument.Section {
  /// A flow as a section: headed by its title, from the PMS to Invoiced where the title says so.
  public init(_ flow: Flow) {
    let heading = Self.heading(of: flow)
    let names = SectionHeading(heading)
    let (source, target) = (names?.source ?? heading, names?.target ?? heading)
    let isReversed = names?.isReversed ?? false
    let order: [Side] = isReversed ? [.pms, .invoiced] : [.invoiced, .pms]
    self.init(
      heading: heading,
      paragraphs: [
        "Each \(source) is synchronized with a \(target).",
        "After the two are linked, they are kept in sync, whichever of the two systems an edit is made in.",
        "These properties are synchronized between a \(source) and a \(target):",
      ],
      table: .init(
        columns: ["\(source) Property", "\(target) Property", "\(SectionHeading.system(of: target)) Data Type"],
        rows: TableRow.rows(of: flow).map { row in
          let paths = order.map { DataflowDocument.Cell(row.path(on: $0).map(PathText.text) ?? "", style: .code) }
          return DataflowDocument.Row(paths + [DataflowDocument.Cell(Self.text(of: row.type))])
        }))
    if names == nil { self.paragraphs = [] }
  }

  /// `"string"`, and `N/A` without quotes, as the original documents write them.
  static func text(of type: PropertyType) -> String { type == .any ? type.rawValue : "\"\(type.rawValue)\"" }

  /// The title, where it has the form `SOURCE to TARGET`; else one of that form with the title, or the name, in it.
  private static func heading(of flow: Flow) -> String {
    let title = (flow.title ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
    if SectionHeading(title) != nil { return title }
    let name = flow.name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    let entity = flow.pms.object.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return "Invoiced Customers (\(title.isEmpty ? name : title)) to Custom PMS \(entity.prefix(1).uppercased())"
      + entity.dropFirst()
  }
}

/// Paths as documents write them: as in `mapping.yaml`, but what is no path there is one key with that name.
enum PathText {
  static func text(_ path: JSONPath) -> String {
    if path.components.count == 1, case .key(let key) = path.components[0], JSONPath(key) == nil { return key }
    return path.description
  }

  /// The path, and whether the text is one by `mapping.yaml`'s rules.
  static func path(_ text: String) -> (path: JSONPath, isRegular: Bool) {
    if let path = JSONPath(text) { return (path, true) }
    return (JSONPath([.key(text)]), false)
  }
}
