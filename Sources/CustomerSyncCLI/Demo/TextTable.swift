/// Lines in columns: each as wide as its widest cell, numbers to the right.
struct TextTable {
  enum Alignment { case left, right }
  private let widths: [Int]
  private let alignments: [Alignment]

  /// - Parameter columns: Each column's width, and the side its text keeps to.
  init(_ columns: [(width: Int, alignment: Alignment)]) {
    widths = columns.map(\.width)
    alignments = columns.map(\.alignment)
  }

  func line(_ cells: [String]) -> String {
    var line = ""
    for (index, cell) in cells.enumerated() {
      let padding = String(repeating: " ", count: max(0, widths[index] - cell.count))
      line += (index == 0 ? "  " : "  ") + (alignments[index] == .left ? cell + padding : padding + cell)
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}

extension Duration {
  /// In milliseconds, with a decimal where it is short: `3.4 ms`.
  var inMilliseconds: String {
    let tenths = components.seconds * 10_000 + components.attoseconds / 100_000_000_000_000
    return tenths < 1000 ? "\(tenths / 10).\(tenths % 10) ms" : "\(tenths / 10) ms"
  }
}
