import Mapping

/// A dataflow document: what is synchronised with what, as the table that a synchronisation is tested against.
public struct DataflowDocument: Sendable, Hashable {
  public var title: String
  /// What follows `Generated:`, where the document has such a line.
  public var generated: String?
  public var introduction: [String]
  public var sections: [Section]

  public init(title: String, generated: String? = nil, introduction: [String] = [], sections: [Section] = []) {
    self.title = title
    self.generated = generated
    self.introduction = introduction
    self.sections = sections
  }

  /// What one section says: "SOURCE to TARGET", and the table.
  public struct Section: Sendable, Hashable {
    public var heading: String
    /// Paragraphs above the table.
    public var paragraphs: [String]
    public var table: Table
    /// Paragraphs below the table.
    public var remarks: [String]
    public var position: SourcePosition?

    public init(
      heading: String, paragraphs: [String] = [], table: Table, remarks: [String] = [], position: SourcePosition? = nil
    ) {
      self.heading = heading
      self.paragraphs = paragraphs
      self.table = table
      self.remarks = remarks
      self.position = position
    }
  }

  /// A table of any number of columns; a dataflow has three, an audit of it more.
  public struct Table: Sendable, Hashable {
    public var columns: [String]
    public var rows: [Row]

    public init(columns: [String], rows: [Row] = []) {
      self.columns = columns
      self.rows = rows
    }
  }

  public struct Row: Sendable, Hashable {
    public var cells: [Cell]
    public var position: SourcePosition?

    public init(_ cells: [Cell], position: SourcePosition? = nil) {
      self.cells = cells
      self.position = position
    }
  }

  public struct Cell: Sendable, Hashable {
    /// How a cell is set where the format has means for it.
    public enum Style: String, Sendable, Hashable {
      case text
      /// A path or a value: in a fixed-width font.
      case code
      /// A verdict.
      case good, fair, bad
    }
    public var text: String
    public var style: Style

    public init(_ text: String, style: Style = .text) {
      self.text = text
      self.style = style
    }
  }

  public enum Format: String, Sendable, Hashable, CaseIterable { case rst, md, html }

  /// The document as a file of that format, with a newline at its end.
  public func rendered(as format: Format) -> String {
    switch format {
    case .rst: RSTWriter.text(of: self)
    case .md: MarkdownWriter.text(of: self)
    case .html: HTMLWriter.text(of: self)
    }
  }
}

/// A section's heading taken apart: `SOURCE to TARGET`.
struct SectionHeading {
  let source: String
  let target: String

  /// Nil for a heading of another form. Where there is more than one " to ", that of `columns` (whose titles begin with
  /// the two names) counts, else the first.
  init?(_ heading: String, columns: [String] = []) {
    var candidates: [(source: String, target: String)] = []
    let words = heading.split(separator: " ")
    for (index, word) in words.enumerated() where word.lowercased() == "to" && index > 0 && index < words.count - 1 {
      candidates.append((words[..<index].joined(separator: " "), words[(index + 1)...].joined(separator: " ")))
    }
    let named = candidates.first { candidate in
      columns.first.map { $0.lowercased().hasPrefix(candidate.source.lowercased() + " ") } ?? false
        && columns.dropFirst().first.map { $0.lowercased().hasPrefix(candidate.target.lowercased() + " ") } ?? false
    }
    guard let chosen = named ?? candidates.first else { return nil }
    (source, target) = chosen
  }

  static func namesInvoiced(_ text: String) -> Bool {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.contains("invoiced")
  }

  /// From the PMS to Invoiced.
  var isReversed: Bool { Self.namesInvoiced(target) && !Self.namesInvoiced(source) }

  /// The system that a side's name begins with: "Custom PMS" of "Custom PMS Customer".
  static func system(of name: String) -> String {
    if name.lowercased().hasPrefix("invoiced") { return String(name.prefix("invoiced".count)) }
    // What stands in brackets says which records, not which system.
    let words = name.prefix { $0 != "(" }.split(separator: " ")
    return words.count > 1 ? words.dropLast().joined(separator: " ") : words.first.map(String.init) ?? name
  }
}
