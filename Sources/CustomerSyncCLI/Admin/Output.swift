import ArgumentParser
import Glibc
import JSON

/// How records are printed: as a table for people, or as JSON for programs.
struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print JSON: an object for one record, an array for a list.")
  var json = false
}

/// One column of a table: its heading and the member that it shows.
struct Column {
  let title: String
  let names: [String]

  init(_ title: String, _ names: String...) {
    self.title = title
    self.names = names
  }

  /// The first of the members that there is.
  func text(of item: JSONValue) -> String {
    for name in names {
      if let value = item[name], !value.isNull { return Table.text(value) }
    }
    return "-"
  }
}

enum Table {
  /// One line a record, columns padded, no borders.
  static func lines(_ columns: [Column], _ items: [JSONValue], withTitles: Bool = true) -> [String] {
    var rows = items.map { item in columns.map { $0.text(of: item) } }
    if withTitles { rows.insert(columns.map(\.title), at: 0) }
    let widths = columns.indices.map { index in rows.map { $0[index].count }.max() ?? 0 }
    return rows.map { row in
      row.enumerated().map { index, cell in
        index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
      }.joined(separator: "  ")
    }
  }

  /// A value on one line, with nothing in it that a terminal would take for a command.
  static func text(_ value: JSONValue?) -> String {
    guard let value, !value.isNull else { return "-" }
    let text = value.string ?? value.text
    if text.isEmpty { return "\"\"" }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
  }
}

extension Console {
  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// Standard output shows colours.
  static var hasColour: Bool {
    let variables = Environment.variables
    return isTerminal(STDOUT_FILENO) && (variables["NO_COLOR"] ?? "").isEmpty && variables["TERM"] != "dumb"
  }

  static func bold(_ text: String) -> String { hasColour ? "\u{1B}[1m\(text)\u{1B}[0m" : text }
}

extension AdminConnection {
  /// Prints a list: all its pages, as a table or as one array.
  func printList(
    _ path: String, query: [(name: String, value: String)] = [], columns: [Column], none: String,
    output: OutputOptions, most: Int? = nil, where keep: (JSONValue) -> Bool = { _ in true }
  ) async throws {
    var count = 0
    var isBegun = false
    try await forEachPage(path, query: query) { page in
      // Not before the first page is there: a refusal leaves no half of an array.
      if output.json, !isBegun { Console.write("[") }
      isBegun = true
      let items = page.filter(keep).prefix((most ?? .max) - count)
      guard !items.isEmpty else { return true }
      if output.json {
        Console.write((count == 0 ? "" : ",") + items.map { "\n" + $0.text }.joined(separator: ","))
      } else {
        let lines = Table.lines(columns, Array(items), withTitles: count == 0)
        for (index, line) in lines.enumerated() { Console.print(index == 0 && count == 0 ? Console.bold(line) : line) }
      }
      count += items.count
      return count < most ?? .max && !Console.isOutputLost
    }
    if output.json {
      Console.write(count == 0 ? "]\n" : "\n]\n")
    } else if count == 0 {
      Console.message(none)
    }
  }
}

extension JSONValue {
  /// An object's members one a line, those named first, empty ones left out.
  func printed(_ names: [String]) {
    let width = (names.map(\.count).max() ?? 0) + 2
    for name in names {
      guard let value = self[name], !value.isNull else { continue }
      let title = name.replacing("_", with: " ")
      Console.print(title + String(repeating: " ", count: width - title.count) + Table.text(value))
    }
  }
}
