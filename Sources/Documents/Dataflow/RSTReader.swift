import Mapping

/// Reads the parts of reStructuredText that dataflow documents are made of: headings, paragraphs and list-tables. What
/// else stands between them (comments, directives, lists, literal blocks, other tables) is passed over.
struct RSTReader {
  enum Block {
    case heading(text: String, style: HeadingStyle)
    case paragraph(String)
    case table(RSTTable)
  }

  struct PlacedBlock {
    var block: Block
    /// From 1.
    var line: Int
  }

  /// Headings of one style are of one level.
  struct HeadingStyle: Hashable {
    var adornment: Character
    var isOverlined: Bool
  }

  private let lines: [String]
  private let place: (Int, Int) -> SourcePosition
  private let problems: ProblemList

  init(text: String, file: String, problems: ProblemList) {
    // "\r\n" is one Character.
    let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
    self.lines = lines.map(Self.expanded)
    place = { SourcePosition(file: file, line: $0, column: $1) }
    self.problems = problems
  }

  func blocks() -> [PlacedBlock] {
    var blocks: [PlacedBlock] = []
    var index = 0
    while index < lines.count {
      let start = index
      if let block = block(at: &index) { blocks.append(PlacedBlock(block: block, line: start + 1)) }
    }
    return blocks
  }

  /// The block that begins at a line, which it moves behind it; nil for what is passed over.
  private func block(at index: inout Int) -> Block? {
    let line = lines[index]
    guard !line.isEmpty else {
      index += 1
      return nil
    }
    if let heading = heading(at: &index) { return heading }
    let indent = Self.indent(of: line)
    let content = line.dropFirst(indent)
    if content.hasPrefix(".. ") || content == ".." { return explicitMarkup(at: &index, indent: indent) }
    if Self.isTableBorder(content) {
      while index < lines.count, !lines[index].isEmpty { index += 1 }
      return nil
    }
    if indent > 0 || Self.isItem(content) {
      index += 1
      return nil
    }
    return paragraph(at: &index)
  }

  // MARK: Headings

  private func heading(at index: inout Int) -> Block? {
    let line = lines[index]
    // Overlined: the same adornment above and below.
    if let adornment = Self.adornment(line), index + 2 < lines.count, Self.adornment(lines[index + 2]) == adornment {
      let text = lines[index + 1].trimmed
      if !text.isEmpty, Self.covers(line, text) {
        index += 3
        return .heading(
          text: RSTText.plain(text, isHeading: true), style: .init(adornment: adornment, isOverlined: true))
      }
    }
    guard index + 1 < lines.count, Self.indent(of: line) == 0, Self.adornment(line) == nil,
      let adornment = Self.adornment(lines[index + 1]), Self.covers(lines[index + 1], line)
    else { return nil }
    index += 2
    return .heading(
      text: RSTText.plain(line.trimmed, isHeading: true), style: .init(adornment: adornment, isOverlined: false))
  }

  /// The one punctuation character that a line consists of.
  private static func adornment(_ line: String) -> Character? {
    guard let first = line.unicodeScalars.first, RSTText.isPunctuation(first),
      line.unicodeScalars.allSatisfy({ $0 == first })
    else { return nil }
    return Character(first)
  }

  /// docutils takes an adornment shorter than its title for one too, from 4 characters on.
  private static func covers(_ adornment: String, _ title: String) -> Bool {
    adornment.utf8.count >= 4 || adornment.utf8.count >= RSTText.width(of: title.trimmed)
  }

  // MARK: Paragraphs

  private func paragraph(at index: inout Int) -> Block {
    var parts: [String] = []
    let start = index
    while index < lines.count, !lines[index].isEmpty, index == start || !isHeadingStart(index) {
      parts.append(lines[index].trimmed)
      index += 1
    }
    var text = parts.joined(separator: " ")
    if text.hasSuffix("::") {
      text.removeLast(text == "::" || text.hasSuffix(" ::") ? 2 : 1)
      skipIndented(at: &index, deeperThan: 0)
    }
    return .paragraph(RSTText.plain(text.trimmed))
  }

  private func isHeadingStart(_ index: Int) -> Bool {
    var next = index
    return heading(at: &next) != nil
  }

  /// Passes over blank lines, and lines that are indented deeper.
  private func skipIndented(at index: inout Int, deeperThan indent: Int) {
    while index < lines.count, lines[index].isEmpty || Self.indent(of: lines[index]) > indent { index += 1 }
  }

  // MARK: Directives

  private func explicitMarkup(at index: inout Int, indent: Int) -> Block? {
    let start = index
    let content = lines[index].dropFirst(indent + 2).drop { $0 == " " }
    index += 1
    let isTable = content.lowercased().hasPrefix("list-table::")
    skipIndented(at: &index, deeperThan: indent)
    guard isTable else { return nil }
    let body = (start + 1..<index).map { (number: $0 + 1, text: lines[$0]) }
    return .table(RSTTable(body, line: start + 1, place: place, problems: problems))
  }

  // MARK: Lines

  /// Bullets, numbers, fields, line blocks, doctests, options.
  private static func isItem(_ content: Substring) -> Bool {
    for mark in ["- ", "* ", "+ ", "• ", "| ", ">>> ", "#. "] where content.hasPrefix(mark) { return true }
    if ["-", "*", "+", "|"].contains(content) { return true }
    if content.hasPrefix(":"), let end = content.dropFirst().firstIndex(of: ":") {
      let next = content.index(after: end)
      if next == content.endIndex || content[next] == " " { return true }
    }
    let label = content.prefix { $0.isNumber || $0.isLetter }
    let rest = content.dropFirst(label.count)
    let isLabel = !label.isEmpty && (label.count == 1 || label.allSatisfy(\.isNumber))
    return isLabel && (rest.hasPrefix(". ") || rest.hasPrefix(") "))
  }

  private static func isTableBorder(_ content: Substring) -> Bool {
    (content.hasPrefix("+-") || content.hasPrefix("+=") || content.hasPrefix("==") || content.hasPrefix("|"))
      && content.allSatisfy { "+-=| ".contains($0) }
  }

  static func indent(of line: String) -> Int { line.prefix { $0 == " " }.count }

  /// Tabs go to every eighth column, blanks at the end go.
  private static func expanded(_ line: Substring) -> String {
    var result = ""
    var column = 0
    for character in line {
      if character == "\t" {
        let width = 8 - column % 8
        result += String(repeating: " ", count: width)
        column += width
      } else {
        result.append(character)
        column += 1
      }
    }
    while let last = result.last, last.isWhitespace { result.removeLast() }
    return result
  }
}

extension StringProtocol {
  /// Without blanks at either end.
  var trimmed: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
