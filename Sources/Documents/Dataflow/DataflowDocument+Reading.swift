import Foundation
import Mapping

extension DataflowDocument {
  /// Reads the file at `path`.
  public static func read(path: String) -> (document: DataflowDocument?, diagnostics: [Diagnostic]) {
    switch TextFile.data(of: path) {
    case .success(let data): read(bytes: Array(data), file: path)
    case .failure(let failure):
      (nil, [Diagnostic(.error, at: failure.position, failure.message, advice: failure.advice)])
    }
  }

  /// Reads the bytes of a file that `file` names in the diagnostics.
  public static func read(
    bytes: [UInt8], file: String
  ) -> (document: DataflowDocument?, diagnostics: [Diagnostic]) {
    if let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) { return read(text: text, file: file) }
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let line = lines.firstIndex { $0.contains(0) || String(validating: $0, as: UTF8.self) == nil } ?? 0
    return (
      nil,
      [
        Diagnostic(
          .error, at: SourcePosition(file: file, line: line + 1, column: 1), "this is no UTF-8 text",
          advice: "give a dataflow document in reStructuredText, saved as UTF-8")
      ]
    )
  }

  /// Reads reStructuredText. The document is nil when a diagnostic is an error.
  public static func read(text: String, file: String) -> (document: DataflowDocument?, diagnostics: [Diagnostic]) {
    let problems = ProblemList()
    var text = text
    if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
    let blocks = RSTReader(text: text, file: file, problems: problems).blocks()
    var assembler = DataflowAssembler(file: file, problems: problems)
    let document = assembler.document(blocks)
    return (problems.hasErrors ? nil : document, problems.diagnostics)
  }
}

/// Puts headings, paragraphs and tables together to a dataflow document.
private struct DataflowAssembler {
  /// A heading that the current line stands under.
  private struct Open {
    var level: Int
    /// The section that it began, by its index in `sections`; nil for a heading of another form.
    var section: Int?
  }

  private struct Candidate {
    var heading: String
    var line: Int
    var paragraphs: [String] = []
    var remarks: [String] = []
    var table: DataflowDocument.Table?
  }

  let file: String
  let problems: ProblemList
  private var levels: [RSTReader.HeadingStyle] = []
  private var open: [Open] = []
  private var candidates: [Candidate] = []
  private var title: String?
  private var generated: String?
  private var introduction: [String] = []

  init(file: String, problems: ProblemList) {
    self.file = file
    self.problems = problems
  }

  mutating func document(_ blocks: [RSTReader.PlacedBlock]) -> DataflowDocument? {
    guard !blocks.isEmpty else {
      problems.error(at: place(1), "the document is empty", advice: Self.form)
      return nil
    }
    let titleIndex = titleIndex(blocks)
    for (index, placed) in blocks.enumerated() {
      switch placed.block {
      case .heading(let text, let style): add(heading: text, style, line: placed.line, isTitle: index == titleIndex)
      case .paragraph(let text): add(paragraph: text)
      case .table(let table): add(table)
      }
    }
    let sections = sections()
    if sections.isEmpty, !problems.hasErrors { reportNoSection(blocks) }
    return DataflowDocument(
      title: title ?? "Dataflow", generated: generated, introduction: introduction, sections: sections)
  }

  private static let form =
    "a dataflow document has sections headed 'SOURCE to TARGET', each with a list-table of three columns"

  /// The document's title is its first heading, where no other heading is of that style, and no table is its own.
  private func titleIndex(_ blocks: [RSTReader.PlacedBlock]) -> Int? {
    let headings = blocks.enumerated().compactMap { index, placed in
      if case .heading(_, let style) = placed.block { (index: index, style: style) } else { nil }
    }
    guard let first = headings.first, headings.count(where: { $0.style == first.style }) == 1 else { return nil }
    let end = headings.count > 1 ? headings[1].index : blocks.count
    let hasTable = blocks[first.index..<end].contains { if case .table = $0.block { true } else { false } }
    return hasTable && !first.style.isOverlined ? nil : first.index
  }

  private mutating func add(heading: String, _ style: RSTReader.HeadingStyle, line: Int, isTitle: Bool) {
    let level = levels.firstIndex(of: style) ?? levels.count
    if level == levels.count { levels.append(style) }
    open.removeAll { $0.level >= level }
    if isTitle {
      title = heading
      open.append(Open(level: level, section: nil))
    } else if SectionHeading(heading) != nil {
      open.append(Open(level: level, section: candidates.count))
      candidates.append(Candidate(heading: heading, line: line))
    } else {
      open.append(Open(level: level, section: nil))
    }
  }

  /// The section that the current line belongs to.
  private var section: Int? { open.last { $0.section != nil }?.section }

  private mutating func add(paragraph: String) {
    guard !paragraph.isEmpty else { return }
    if let section {
      if candidates[section].table == nil {
        candidates[section].paragraphs.append(paragraph)
      } else {
        candidates[section].remarks.append(paragraph)
      }
    } else if generated == nil, paragraph.hasPrefix("Generated:") {
      generated = paragraph.dropFirst("Generated:".count).trimmed
    } else if candidates.isEmpty {
      introduction.append(paragraph)
    }
  }

  private mutating func add(_ table: RSTTable) {
    guard let section else {
      if table.rows.contains(where: { $0.cells.count == 3 }) || table.rows.isEmpty {
        problems.error(
          at: place(table.line), "this list-table stands outside a section headed 'SOURCE to TARGET'",
          advice: "put a heading such as 'Invoiced Customers to Custom PMS Customer' above it")
      } else {
        problems.warning(at: place(table.line), "this list-table is no part of a dataflow, and is passed over")
      }
      return
    }
    let read = DataflowTableReader(file: file, problems: problems).table(table, heading: candidates[section].heading)
    if candidates[section].table == nil {
      candidates[section].table = read
    } else {
      candidates[section].table?.rows += read.rows
    }
  }

  private func sections() -> [DataflowDocument.Section] {
    let hasTables = candidates.contains { $0.table != nil }
    return candidates.compactMap { candidate in
      guard let table = candidate.table else {
        if hasTables {
          problems.warning(
            at: place(candidate.line),
            "the section '\(shortened(candidate.heading))' has no list-table, and is passed over",
            advice: "give it a list-table of three columns, if it is part of the dataflow")
        } else {
          problems.error(
            at: place(candidate.line), "the section '\(shortened(candidate.heading))' has no list-table",
            advice: "give it a list-table of three columns")
        }
        return nil
      }
      return DataflowDocument.Section(
        heading: candidate.heading, paragraphs: candidate.paragraphs, table: table, remarks: candidate.remarks,
        position: place(candidate.line))
    }
  }

  private func reportNoSection(_ blocks: [RSTReader.PlacedBlock]) {
    problems.error(
      at: place(blocks.first?.line ?? 1), "this is no dataflow document: no section is headed 'SOURCE to TARGET'",
      advice: Self.form)
  }

  private func place(_ line: Int) -> SourcePosition { SourcePosition(file: file, line: line, column: 1) }
}

/// Checks a list-table for three columns, and tells its titles from its rows.
private struct DataflowTableReader {
  private static let columns = 3

  let file: String
  let problems: ProblemList

  func table(_ table: RSTTable, heading: String) -> DataflowDocument.Table {
    for row in table.rows where row.cells.count != Self.columns {
      let cells = row.cells.count == 1 ? "1 cell" : "\(row.cells.count) cells"
      problems.error(
        at: SourcePosition(file: file, line: row.line, column: row.column),
        "this row of a list-table has \(cells) where 3 are expected",
        advice: "write the two properties and the data type, and '-' alone for an empty cell")
    }
    let rows = table.rows.filter { $0.cells.count == Self.columns }
    let headerRows = table.headerRows ?? (rows.first.map(Self.isTitles) == true ? 1 : 0)
    let titles = headerRows > 0 ? rows.first?.cells : nil
    return DataflowDocument.Table(
      columns: titles ?? Self.standardColumns(heading),
      rows: rows.dropFirst(headerRows).map { row in
        DataflowDocument.Row(
          zip(row.cells, [DataflowDocument.Cell.Style.code, .code, .text]).map { DataflowDocument.Cell($0, style: $1) },
          position: SourcePosition(file: file, line: row.line, column: row.column))
      })
  }

  /// A first row that says what the columns are, in a table without `:header-rows:`.
  private static func isTitles(_ row: RSTTable.Row) -> Bool { row.cells[2].lowercased().hasSuffix("type") }

  private static func standardColumns(_ heading: String) -> [String] {
    guard let names = SectionHeading(heading) else { return ["Property", "Property", "Data Type"] }
    return [
      "\(names.source) Property", "\(names.target) Property", "\(SectionHeading.system(of: names.target)) Data Type",
    ]
  }
}
