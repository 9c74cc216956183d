import JSON
import Mapping
import SeededRandom
import Testing

@Suite("Written paths") struct WrittenPathsTests {
  @Test("the first path that overlaps is found, as it is by comparing each with each", arguments: UInt64(1)...200)
  func overlaps(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    let paths = (0..<random.int(1...12)).map { _ in
      JSONPath((0..<random.int(1...3)).map { _ in random.pick([.key("a"), .key("b"), .index(0), .index(1)]) })
    }
    var written = WrittenPaths()
    for (number, path) in paths.enumerated() {
      let first = paths[..<number].firstIndex { $0.isPrefix(of: path) || path.isPrefix(of: $0) }
      #expect(written.add(path, number: number) == first, "\(paths), at \(number)")
    }
  }
}
