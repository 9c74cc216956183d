import Documents
import Foundation
import Mapping
import Testing

@Suite("README.md") struct ReadmeTests {
  @Test("its table of properties is that of the shipped mapping")
  func table() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    let mapping = try #require(MappingDocument.read(path: root.appending(path: "deploy/mapping.yaml").path).mapping)
    // The flows share one table: a second one would have to be shown too.
    let blocks = DataflowDocument.render(mapping, as: .md).components(separatedBy: "\n\n")
    let tables = Set(blocks.filter { $0.hasPrefix("|") }.map { $0.trimmingCharacters(in: .newlines) })
    #expect(tables.count == 1)
    let shown = readme.components(separatedBy: "\n\n").filter { $0.contains("Custom PMS Data Type") }
    #expect(shown == Array(tables))
  }
}
