/// Writes reStructuredText in the form of the original documents.
enum RSTWriter {
  static func text(of document: DataflowDocument) -> String {
    let title = RSTText.escaped(document.title)
    let adornment = String(repeating: "=", count: RSTText.width(of: title))
    var lines = [adornment, title, adornment, ""]
    if let generated = document.generated { lines += ["Generated: \(RSTText.escaped(generated))", ""] }
    if !document.introduction.isEmpty {
      lines += heading("Introduction") + [""]
      for paragraph in document.introduction { lines += [RSTText.escaped(paragraph), ""] }
    }
    for (index, section) in document.sections.enumerated() {
      if index > 0 { lines.append("") }
      lines += heading(section.heading)
      for paragraph in section.paragraphs { lines += [RSTText.escaped(paragraph), ""] }
      lines += table(section.table) + [""]
      for remark in section.remarks { lines += [RSTText.escaped(remark), ""] }
    }
    while lines.last == "" { lines.removeLast() }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func heading(_ text: String) -> [String] {
    let text = RSTText.escaped(text)
    return [text, String(repeating: "-", count: RSTText.width(of: text))]
  }

  static func table(_ table: DataflowDocument.Table) -> [String] {
    var lines = [".. list-table::", "   :header-rows: 1", ""]
    for cells in [table.columns.map { DataflowDocument.Cell($0) }] + table.rows.map(\.cells) {
      for (index, cell) in cells.enumerated() {
        let text = RSTText.cell(cell.text)
        lines.append((index == 0 ? "   * -" : "     -") + (text.isEmpty ? "" : " " + text))
      }
    }
    return lines
  }
}

/// reStructuredText's inline markup: how a plain text is written, and what a written one says.
enum RSTText {
  /// Text of a cell: as it is where nothing in it is markup, else as an inline literal.
  static func cell(_ text: String) -> String {
    let text = onOneLine(text)
    if text.isEmpty || isPlain(text) { return text }
    let canBeLiteral = !text.contains("``") && !text.hasPrefix("`") && !text.hasSuffix("`") && !text.hasSuffix("\\")
    return canBeLiteral ? "``\(text)``" : escaped(text)
  }

  /// Text with every character of markup behind a backslash.
  static func escaped(_ text: String) -> String {
    let text = onOneLine(text)
    if isPlain(text) { return text }
    var result = ""
    let scalars = Array(text.unicodeScalars)
    for (index, scalar) in scalars.enumerated() {
      let isMarkup = "\\*`|".unicodeScalars.contains(scalar) || (scalar == "_" && !isInsideWord(index, scalars))
      let startsBlock = index == 0 && isPunctuation(scalar) && !"\"([".unicodeScalars.contains(scalar)
      if isMarkup || startsBlock { result += "\\" }
      result.unicodeScalars.append(scalar)
    }
    if result.hasSuffix("::") { result.replaceSubrange(result.index(result.endIndex, offsetBy: -2)..., with: "\\:\\:") }
    return isEnumerator(text) ? escapedEnumerator(result) : result
  }

  /// What a written text says: literals and emphasis without their marks, escapes resolved. A backslash that belongs to
  /// a path (`\.`, `\[`, `\]`) stays, but in a heading, which is none.
  static func plain(_ written: String, isHeading: Bool = false) -> String {
    for mark in ["``", "**", "*", "`"] {
      guard written.count > 2 * mark.count, written.hasPrefix(mark), written.hasSuffix(mark) else { continue }
      let inner = written.dropFirst(mark.count).dropLast(mark.count)
      guard !inner.contains(mark), inner.first?.isWhitespace == false, inner.last != "\\" else { continue }
      return mark == "``" ? String(inner) : unescaped(String(inner), isHeading)
    }
    if written.hasPrefix(":"), written.hasSuffix("`"), let tick = written.firstIndex(of: "`") {
      let role = written[..<tick]
      let inner = written[written.index(after: tick)...].dropLast()
      if role.hasSuffix(":"), role.count > 2, !inner.isEmpty, !inner.contains("`") { return String(inner) }
    }
    return unescaped(written, isHeading)
  }

  private static func unescaped(_ text: String, _ isHeading: Bool) -> String {
    var result = ""
    var scalars = text.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      guard scalar == "\\", let next = scalars.first else {
        result.unicodeScalars.append(scalar)
        continue
      }
      if next == " " {
        scalars.removeFirst()
      } else if isPunctuation(next), isHeading || !".[]".unicodeScalars.contains(next) {
        result.unicodeScalars.append(next)
        scalars.removeFirst()
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Columns on a terminal, which an adornment must cover: wide East Asian characters and emoji take two.
  static func width(of text: String) -> Int {
    text.unicodeScalars.reduce(0) { width, scalar in
      switch scalar.value {
      case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
        0xFFE0...0xFFE6, 0x1F000...0x1FAFF, 0x20000...0x3FFFD:
        width + 2
      default: width + 1
      }
    }
  }

  private static func onOneLine(_ text: String) -> String {
    text.contains { $0.isNewline || $0 == "\t" }
      ? text.split { $0.isNewline || $0 == "\t" }.joined(separator: " ") : text
  }

  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
    default: false
    }
  }

  private static func isInsideWord(_ index: Int, _ scalars: [Unicode.Scalar]) -> Bool {
    index > 0 && index + 1 < scalars.count && isWord(scalars[index - 1]) && isWord(scalars[index + 1])
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || "0"..."9" ~= scalar
  }

  /// Whether nothing in the text is, or might be taken for, markup.
  private static func isPlain(_ text: String) -> Bool {
    let scalars = Array(text.unicodeScalars)
    guard let first = scalars.first, let last = scalars.last, isWord(first) || first == "\"", last != " " else {
      return false
    }
    return !text.contains("  ") && !isEnumerator(text)
      && scalars.enumerated().allSatisfy { index, scalar in
        if scalar == "_" { return isInsideWord(index, scalars) }
        if scalar == ":" { return index + 1 == scalars.count || scalars[index + 1] == " " }
        return isWord(scalar) || " .[]()/-\"',".unicodeScalars.contains(scalar)
      } && !text.hasSuffix("::")
  }

  /// `1. x`, `a) x`: the beginning of a numbered list.
  private static func isEnumerator(_ text: String) -> Bool {
    guard let end = text.firstIndex(where: { $0 == "." || $0 == ")" }), end != text.startIndex else { return false }
    let after = text.index(after: end)
    let label = text[..<end]
    return (after == text.endIndex || text[after] == " ")
      && (label.count == 1 || label.allSatisfy(\.isNumber) || label.allSatisfy { "ivxlcdmIVXLCDM".contains($0) })
  }

  private static func escapedEnumerator(_ text: String) -> String {
    guard let end = text.firstIndex(where: { ".)".contains($0) }) else { return text }
    // A dot behind a backslash would read as a path's; a backslash before the first letter says nothing else.
    return text[end] == ")" ? text.replacingCharacters(at: end, with: "\\)") : "\\ " + text
  }
}

extension String {
  fileprivate func replacingCharacters(at index: Index, with text: String) -> String {
    self[..<index] + text + self[self.index(after: index)...]
  }
}
