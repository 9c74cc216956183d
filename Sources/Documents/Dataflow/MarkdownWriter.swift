/// Writes GitHub-flavoured Markdown.
enum MarkdownWriter {
  static func text(of document: DataflowDocument) -> String {
    var blocks = ["# " + escaped(document.title)]
    if let generated = document.generated { blocks.append("Generated: " + escaped(generated)) }
    if !document.introduction.isEmpty {
      blocks.append("## Introduction")
      blocks += document.introduction.map(escaped)
    }
    for section in document.sections {
      blocks.append("## " + escaped(section.heading))
      blocks += section.paragraphs.map(escaped)
      blocks.append(table(section.table))
      blocks += section.remarks.map(escaped)
    }
    return blocks.joined(separator: "\n\n") + "\n"
  }

  static func table(_ table: DataflowDocument.Table) -> String {
    var lines = [line(table.columns.map(escaped)), line(table.columns.map { _ in "---" })]
    lines += table.rows.map { line($0.cells.map(cell)) }
    return lines.joined(separator: "\n")
  }

  private static func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }

  private static func cell(_ cell: DataflowDocument.Cell) -> String {
    guard cell.style == .code, !cell.text.isEmpty else { return escaped(cell.text) }
    let text = onOneLine(cell.text).replacing("|", with: "\\|")
    guard text.contains("`") || text.hasPrefix(" ") || text.hasSuffix(" ") else { return "`\(text)`" }
    // A fence longer than any run of backticks within (CommonMark 0.31 section 6.1).
    let longest = text.split { $0 != "`" }.map(\.count).max() ?? 0
    let fence = String(repeating: "`", count: longest + 1)
    return "\(fence) \(text) \(fence)"
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in onOneLine(text) {
      if "\\`*_[]<>|#~&$".contains(character) { result.append("\\") }
      result.append(character)
    }
    if let first = result.first, "-+=>".contains(first) { result = "\\" + result }
    return result
  }

  private static func onOneLine(_ text: String) -> String {
    text.contains(where: \.isNewline) ? text.split(whereSeparator: \.isNewline).joined(separator: " ") : text
  }
}
