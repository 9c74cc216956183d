/// Writes a whole page, readable without scripts or anything from elsewhere.
enum HTMLWriter {
  private static let style = """
    body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff }
    main { margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
    table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem }
    th, td { border: 1px solid #c8c8c8; padding: .35rem .6rem; text-align: left; vertical-align: top }
    td { overflow-wrap: anywhere }
    th { background: #f2f2f2 }
    td.good { background: #e3f4e3 }
    td.fair { background: #fdf5d6 }
    td.bad { background: #fbe3e0 }
    """

  static func text(of document: DataflowDocument) -> String {
    var lines = [
      "<!DOCTYPE html>", "<html lang=\"en\">", "<head>", "<meta charset=\"utf-8\">",
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
      "<title>\(HTMLText.escaped(document.title))</title>", "<style>", style, "</style>", "</head>", "<body>", "<main>",
      "<h1>\(HTMLText.escaped(document.title))</h1>",
    ]
    if let generated = document.generated { lines.append(paragraph("Generated: " + generated)) }
    if !document.introduction.isEmpty {
      lines += ["<section>", "<h2>Introduction</h2>"] + document.introduction.map(paragraph) + ["</section>"]
    }
    for section in document.sections {
      lines += ["<section>", "<h2>\(HTMLText.escaped(section.heading))</h2>"]
      lines += section.paragraphs.map(paragraph)
      lines += table(section.table)
      lines += section.remarks.map(paragraph)
      lines.append("</section>")
    }
    return (lines + ["</main>", "</body>", "</html>"]).joined(separator: "\n") + "\n"
  }

  static func table(_ table: DataflowDocument.Table) -> [String] {
    let head = table.columns.map { "<th scope=\"col\">\(HTMLText.escaped($0))</th>" }.joined()
    let body = table.rows.map { row in "<tr>" + row.cells.map(cell).joined() + "</tr>" }
    return ["<table>", "<thead>", "<tr>\(head)</tr>", "</thead>", "<tbody>"] + body + ["</tbody>", "</table>"]
  }

  private static func cell(_ cell: DataflowDocument.Cell) -> String {
    switch cell.style {
    case .text: "<td>\(HTMLText.escaped(cell.text))</td>"
    case .code: cell.text.isEmpty ? "<td></td>" : "<td><code>\(HTMLText.escaped(cell.text))</code></td>"
    case .good, .fair, .bad: "<td class=\"\(cell.style.rawValue)\">\(HTMLText.escaped(cell.text))</td>"
    }
  }

  private static func paragraph(_ text: String) -> String { "<p>\(HTMLText.escaped(text))</p>" }
}
