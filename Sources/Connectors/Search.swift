import JSON
import Mapping
import Sync

/// Looking records up by a property's value, on either side.
enum Search {
  /// A side that answers more pages than this doesn't search but lists.
  static let mostPages = 50

  /// The text that a value is looked up by; nil for what matches nothing.
  static func text(_ value: JSONValue?) -> String? {
    switch value {
    case .string(let text): text.isEmpty ? nil : text
    case .number(let number): number.decimal?.description ?? number.text
    case .bool(let flag): flag ? "true" : "false"
    case .null, .array, .object, nil: nil
    }
  }

  /// Collects pages until one has nothing but what was asked for: a side that ignores the filter, or finds the like,
  /// may have the record on a later page.
  static func all(
    _ path: JSONPath, _ text: String, on side: Side, from first: String,
    page: (_ target: String) async throws(ConnectorError) -> (rows: [Observation], next: String?)
  ) async throws(ConnectorError) -> [Observation] {
    var found: [Observation] = []
    var keys: Set<RecordKey> = []
    var walk = PageWalk()
    var target = first
    for _ in 0..<mostPages {
      let (rows, next) = try await page(target)
      if walk.repeats(rows) { return found }
      // A record that is listed twice is one.
      found += rows.filter { keys.insert($0.key).inserted }
      guard let next, rows.contains(where: { self.text($0.record[path]) != text }) else { return found }
      target = next
    }
    throw .unreadable(
      side, "a search by '\(path)' answers more than \(found.count) records, as if it didn't look at the value")
  }
}

extension Observation {
  /// Whether a write that replaces everything at `whole`, and changes what is at `paths`, can be laid into this read, made
  /// right before it; `base` is what the change was planned on. Laid into a read that lags behind it would take back
  /// what was written since.
  func carries(_ base: Observation, replacing whole: JSONPath, changing paths: [JSONPath]) -> Bool {
    guard agrees(with: base, at: paths) else { return false }
    guard let version, let known = base.version, version <= known else { return true }
    // Within one tick of the side's clock versions don't tell which is the newer.
    let names = [record[whole], base.record[whole]].flatMap { $0?.object?.members.map(\.key) ?? [] }
    return version == known && agrees(with: base, at: names.map { JSONPath(whole.components + [.key($0)]) })
  }

  /// Whether what stands at these paths is the same in both: an edit of theirs in between would be lost.
  func agrees(with other: Observation, at paths: [JSONPath]) -> Bool {
    paths.allSatisfy { path in
      let (mine, its) = (record[path] ?? .null, other.record[path] ?? .null)
      // Metadata is read back as text, whatever it was written as.
      return mine == its || (mine.identifier != nil && mine.identifier == its.identifier)
    }
  }
}
