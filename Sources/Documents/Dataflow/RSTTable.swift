import Mapping

/// A `list-table` directive: a list of rows, each a list of cells.
struct RSTTable {
  struct Row {
    /// What the cells say, without markup.
    var cells: [String]
    /// From 1.
    var line: Int
    var column: Int
  }

  /// The line of the directive, from 1.
  var line: Int
  /// The rows that are titles.
  var headerRows: Int?
  var rows: [Row] = []

  private typealias Line = (number: Int, text: String)

  /// Reads the directive's body; lines that are no row and no cell are reported.
  init(
    _ body: [(number: Int, text: String)], line: Int, place: (Int, Int) -> SourcePosition, problems: ProblemList
  ) {
    self.line = line
    let content = readOptions(body[...])
    readRows(content, place: place, problems: problems)
  }

  /// Reads `:header-rows: 1` and its like; what is left is content.
  private mutating func readOptions(_ body: ArraySlice<Line>) -> ArraySlice<Line> {
    var rest = body
    var optionIndent: Int?
    while let line = rest.first {
      let indent = RSTReader.indent(of: line.text)
      if line.text.isEmpty {
        optionIndent = nil
      } else if line.text.trimmed.hasPrefix(":") {
        let option = line.text.trimmed.split(separator: ":", maxSplits: 1).map { $0.trimmed }
        if option.first == "header-rows", option.count == 2 { headerRows = Int(option[1]) }
        optionIndent = indent
      } else if optionIndent.map({ indent <= $0 }) ?? true {
        break
      }
      rest.removeFirst()
    }
    return rest
  }

  private mutating func readRows(
    _ content: ArraySlice<Line>, place: (Int, Int) -> SourcePosition, problems: ProblemList
  ) {
    var rowIndent: Int?
    var cellIndent: Int?
    for (number, text) in content where !text.isEmpty {
      let indent = RSTReader.indent(of: text)
      let rowColumn = rowIndent ?? indent
      if text.dropFirst(indent).hasPrefix(".. "), indent <= rowColumn { continue }
      if indent == rowColumn, let inner = Self.item(text, at: indent) {
        rowIndent = indent
        rows.append(Row(cells: [], line: number, column: indent + 1))
        // A row's first cell stands on the row's own line, or on the next.
        cellIndent = inner.text.isEmpty ? nil : inner.column
        guard !inner.text.isEmpty else { continue }
        if let cell = Self.item(text, at: inner.column) {
          rows[rows.count - 1].cells.append(cell.text)
          continue
        }
      } else if rowIndent != nil, indent > rowColumn {
        if cellIndent == nil { cellIndent = indent }
        if indent == cellIndent, let cell = Self.item(text, at: indent) {
          rows[rows.count - 1].cells.append(cell.text)
          continue
        }
        if let cellIndent, indent > cellIndent, let last = rows.last?.cells.last {
          rows[rows.count - 1].cells[rows[rows.count - 1].cells.count - 1] = Self.joined(last, text.trimmed)
          continue
        }
      }
      problems.error(
        at: place(number, indent + 1), "this line of a list-table is no row and no cell",
        advice: "begin a row with '* - ', and each further cell of it with '- ' below that '-'")
      // One report a table: what follows would only repeat it.
      break
    }
    for index in rows.indices { rows[index].cells = rows[index].cells.map { RSTText.plain($0) } }
  }

  /// A cell's text and its next line: with a blank between, but not in the middle of a path.
  private static func joined(_ text: String, _ next: String) -> String {
    let isPath = text.hasSuffix(".") && next.first?.isLetter == true || next.hasPrefix(".") || next.hasPrefix("[")
    return text.isEmpty || isPath ? text + next : text + " " + next
  }

  /// What follows a bullet at `column`, and the column where it begins; nil where there is no bullet.
  private static func item(_ line: String, at column: Int) -> (text: String, column: Int)? {
    let rest = line.dropFirst(column)
    guard let bullet = rest.first, "*-+•".contains(bullet) else { return nil }
    let content = rest.dropFirst()
    guard content.isEmpty || content.first == " " else { return nil }
    let blanks = content.prefix { $0 == " " }.count
    return (content.trimmed, column + 1 + blanks)
  }
}
