import Documents
import Foundation
import Mapping
import Testing

@Suite("Files that are pipes", .timeLimit(.minutes(1))) struct PipeTests {
  /// A pipe with a name, which gives `text` to whoever opens it once.
  private func pipe(_ text: String) throws -> String {
    let path = NSTemporaryDirectory() + "/documents-pipe-" + UUID().uuidString
    #expect(mkfifo(path, 0o600) == 0)
    Thread.detachNewThread {
      let file = FileHandle(forWritingAtPath: path)
      try? file?.write(contentsOf: Data(text.utf8))
      try? file?.close()
    }
    return path
  }

  @Test("a mapping and a document are read from a pipe")
  func reads() throws {
    let mapping = try pipe("flows: []\n")
    defer { unlink(mapping) }
    #expect(MappingDocument.read(path: mapping).mapping == Mapping(flows: []))
    let title = "Invoiced Customers to Custom PMS Customer"
    let text = """
      \(title)
      \(String(repeating: "-", count: title.count))

      .. list-table::

         * - name
           - title
           - "string"
      """
    let document = try pipe(text)
    defer { unlink(document) }
    #expect(DataflowDocument.read(path: document).document?.sections.map(\.heading) == [title])
  }
}
