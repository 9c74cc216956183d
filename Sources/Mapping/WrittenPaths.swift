import JSON

/// The paths that rows write on one side, in their order, and which of them a further one overlaps.
public struct WrittenPaths {
  /// Each path, and the first number that it was given with.
  private var whole: [JSONPath: Int] = [:]
  /// The same for each path's beginnings, itself among them.
  private var beginnings: [JSONPath: Int] = [:]

  public init() {}

  /// Adds a path; returns the least number of the paths before it that are the same, a part of it, or have it as a part.
  public mutating func add(_ path: JSONPath, number: Int) -> Int? {
    var overlapped = beginnings[path]
    for count in path.components.indices.map({ $0 + 1 }) {
      let beginning = JSONPath(Array(path.components.prefix(count)))
      if let earlier = whole[beginning] { overlapped = min(overlapped ?? earlier, earlier) }
      if beginnings[beginning] == nil { beginnings[beginning] = number }
    }
    if whole[path] == nil { whole[path] = number }
    return overlapped
  }
}
