/// Checks a JSON text and finds the values at a few paths, in one pass and without building anything.
///
/// It accepts exactly what `JSONValue(parsing:)` accepts, and finds what `JSONValue[path]` would: of a repeated key the
/// last counts. Made for the intake, which needs little more of an event than its id and its type.
public struct JSONSkimmer: Sendable {
  /// A step on the way to a path: the paths that end here, and where each further component leads.
  fileprivate struct Node {
    /// Into `order`: the paths that end here come first, then all that go on below.
    var paths = 0..<0
    var endOfOwn = 0
    var children = 0..<0
    /// A bit for each length of a child's key, the last for all from 63: most keys are ruled out by it.
    var lengths: UInt64 = 0
  }
  fileprivate struct Child {
    /// Into `names`; nil for an array's element.
    var name: Range<Int>?
    var index = -1
    var node = 0
  }
  fileprivate private(set) var nodes: [Node] = []
  fileprivate private(set) var children: [Child] = []
  fileprivate private(set) var names: [UInt8] = []
  fileprivate private(set) var order: [Int] = []
  fileprivate private(set) var marked: [Range<Int>] = []
  fileprivate private(set) var markedLengths: UInt64 = 0
  fileprivate let pathCount: Int

  /// `marking`: keys whose string values are to be told wherever they stand.
  public init(_ paths: [JSONPath], marking keys: [String] = []) {
    pathCount = paths.count
    let all = paths.enumerated().map { (number: $0.offset, rest: $0.element.components[...]) }
    _ = addNode(for: all)
    for key in keys {
      let name = addName(key)
      marked.append(name)
      markedLengths |= Self.bit(name.count)
    }
  }

  private mutating func addNode(for paths: [(number: Int, rest: ArraySlice<JSONPath.Component>)]) -> Int {
    let number = nodes.count
    nodes.append(Node())
    let start = order.count
    order.append(contentsOf: paths.filter { $0.rest.isEmpty }.map(\.number))
    let endOfOwn = order.count
    var groups: [(first: JSONPath.Component, paths: [(number: Int, rest: ArraySlice<JSONPath.Component>)])] = []
    for path in paths {
      guard let first = path.rest.first else { continue }
      let below = (number: path.number, rest: path.rest.dropFirst())
      if let index = groups.firstIndex(where: { $0.first == first }) {
        groups[index].paths.append(below)
      } else {
        groups.append((first, [below]))
      }
    }
    let firstChild = children.count
    children.append(contentsOf: groups.map { _ in Child() })
    var lengths: UInt64 = 0
    for (offset, group) in groups.enumerated() {
      var child = Child()
      switch group.first {
      case .key(let key):
        let name = addName(key)
        child.name = name
        lengths |= Self.bit(name.count)
      case .index(let index): child.index = index
      }
      child.node = addNode(for: group.paths)
      children[firstChild + offset] = child
    }
    nodes[number] = Node(
      paths: start..<order.count, endOfOwn: endOfOwn, children: firstChild..<firstChild + groups.count,
      lengths: lengths)
    return number
  }

  private mutating func addName(_ key: String) -> Range<Int> {
    let start = names.count
    names.append(contentsOf: key.utf8)
    return start..<names.count
  }

  fileprivate static func bit(_ length: Int) -> UInt64 { 1 << UInt64(min(length, 63)) }

  /// Reads `bytes` through. Throws where they are not one JSON text.
  public func skim(_ bytes: [UInt8]) throws(JSONError) -> SkimmedJSON {
    let result: Result<SkimmedJSON, JSONError> = withPlan { plan in
      withUnsafeTemporaryAllocation(of: JSONSkim.Frame.self, capacity: JSONValue.maximumDepth) { frames in
        bytes.withUnsafeBufferPointer { buffer in
          var skim = JSONSkim(plan: plan, cursor: JSONCursor(bytes: buffer), frames: frames)
          do throws(JSONError) {
            try skim.run()
            return .success(SkimmedJSON(values: skim.values, marked: skim.marked))
          } catch {
            return .failure(error)
          }
        }
      }
    }
    return try result.get()
  }

  private func withPlan<Result>(_ body: (JSONSkim.Plan) -> Result) -> Result {
    nodes.withUnsafeBufferPointer { nodes in
      children.withUnsafeBufferPointer { children in
        names.withUnsafeBufferPointer { names in
          body(
            JSONSkim.Plan(
              nodes: nodes, children: children, names: names, order: order, marked: marked,
              markedLengths: markedLengths, pathCount: pathCount))
        }
      }
    }
  }
}

/// Where in a text the values stand that a `JSONSkimmer` looked for.
public struct SkimmedJSON: Sendable, Hashable {
  /// For each path, in their order, the bytes of the value there; nil where there is none.
  public let values: [Range<Int>?]
  /// The string values of the marked keys, quotes included, in the order of the text.
  public let marked: [Range<Int>]

  /// The text of an identifier (as `JSONValue.identifier`): a string's content, or a number as it is written.
  public func identifier(_ path: Int, in bytes: [UInt8]) -> String? {
    guard let range = values[path] else { return nil }
    switch bytes[range.lowerBound] {
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return String(decoding: bytes[range], as: UTF8.self)
    default: return string(path, in: bytes)
    }
  }

  /// A string's content; nil for any other value.
  public func string(_ path: Int, in bytes: [UInt8]) -> String? {
    guard let range = values[path], bytes[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
    let content = range.lowerBound + 1..<range.upperBound - 1
    return bytes.withUnsafeBufferPointer { buffer in
      let slice = UnsafeBufferPointer(rebasing: buffer[content])
      guard slice.contains(UInt8(ascii: "\\")) else { return String(decoding: slice, as: UTF8.self) }
      return String(decoding: JSONCursor(bytes: buffer).unescaped(content), as: UTF8.self)
    }
  }

  /// The text with each marked string made empty.
  public func blanked(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var start = 0
    for range in marked {
      result.append(contentsOf: bytes[start...range.lowerBound])
      start = range.upperBound - 1
    }
    result.append(contentsOf: bytes[start...])
    return result
  }
}

/// One run of a skimmer. Containers are kept on a stack of our own: no depth of input can overflow the thread's.
private struct JSONSkim {
  struct Frame {
    var node: Int
    var start: Int
    /// The current element of an array; -1 in an object.
    var element: Int
  }
  /// The node of a value that is on the way to no path.
  static let nowhere = -1

  /// A skimmer's tables, as the inner loop wants them: without reference counting.
  struct Plan {
    let nodes: UnsafeBufferPointer<JSONSkimmer.Node>
    let children: UnsafeBufferPointer<JSONSkimmer.Child>
    let names: UnsafeBufferPointer<UInt8>
    let order: [Int]
    let marked: [Range<Int>]
    let markedLengths: UInt64
    let pathCount: Int
  }

  let plan: Plan
  var cursor: JSONCursor
  let frames: UnsafeMutableBufferPointer<Frame>
  var values: [Range<Int>?]
  var marked: [Range<Int>] = []
  private var depth = 0
  /// Whether the last key was one whose string value is to be told.
  private var isMarked = false

  init(plan: Plan, cursor: JSONCursor, frames: UnsafeMutableBufferPointer<Frame>) {
    self.plan = plan
    self.cursor = cursor
    self.frames = frames
    values = Array(repeating: nil, count: plan.pathCount)
  }

  mutating func run() throws(JSONError) {
    var node = 0
    while true {
      if let next = try value(at: node) {
        node = next
        continue
      }
      guard let next = try following() else { break }
      node = next
    }
    if cursor.position < cursor.bytes.count { throw cursor.fail(.trailingBytes) }
  }

  /// Steps over a scalar or an empty container (nil), or into a container: then the node of its first value.
  @inline(__always)
  private mutating func value(at node: Int) throws(JSONError) -> Int? {
    cursor.skipSpace()
    if node != Self.nowhere { forget(node) }
    let start = cursor.position
    switch try cursor.peek() {
    case UInt8(ascii: "\""):
      _ = try cursor.string()
      if isMarked { marked.append(start..<cursor.position) }
    case UInt8(ascii: "{"):
      try push(Frame(node: node, start: start, element: -1))
      if try cursor.peek() != UInt8(ascii: "}") { return try key(in: node) }
      depth -= 1
      cursor.position += 1
    case UInt8(ascii: "["):
      try push(Frame(node: node, start: start, element: 0))
      isMarked = false
      if try cursor.peek() != UInt8(ascii: "]") { return element(0, in: node) }
      depth -= 1
      cursor.position += 1
    case UInt8(ascii: "t"): try cursor.literal("true")
    case UInt8(ascii: "f"): try cursor.literal("false")
    case UInt8(ascii: "n"): try cursor.literal("null")
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try cursor.number()
    default: throw cursor.fail(.unexpectedByte)
    }
    if node != Self.nowhere { found(node, from: start) }
    return nil
  }

  @inline(__always)
  private mutating func push(_ frame: Frame) throws(JSONError) {
    guard depth < frames.count else { throw cursor.fail(.tooDeep) }
    frames[depth] = frame
    depth += 1
    cursor.position += 1
    cursor.skipSpace()
  }

  /// After a value: closes what ends here, and steps to the next value; nil at the end of the outermost.
  @inline(__always)
  private mutating func following() throws(JSONError) -> Int? {
    while true {
      cursor.skipSpace()
      guard depth > 0 else { return nil }
      let frame = frames[depth - 1]
      let byte = try cursor.peek()
      if byte == UInt8(ascii: ",") {
        cursor.position += 1
        guard frame.element >= 0 else {
          cursor.skipSpace()
          return try key(in: frame.node)
        }
        isMarked = false
        frames[depth - 1].element += 1
        return element(frame.element + 1, in: frame.node)
      }
      guard byte == (frame.element < 0 ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
        throw cursor.fail(.unexpectedByte)
      }
      cursor.position += 1
      depth -= 1
      if frame.node != Self.nowhere { found(frame.node, from: frame.start) }
    }
  }

  /// Steps over a key and its colon; the node of the member's value.
  @inline(__always)
  private mutating func key(in node: Int) throws(JSONError) -> Int {
    guard try cursor.peek() == UInt8(ascii: "\"") else { throw cursor.fail(.unexpectedByte) }
    let start = cursor.position + 1
    let hasEscapes = try cursor.string()
    let content = start..<cursor.position - 1
    try cursor.colon()
    if hasEscapes {
      return cursor.unescaped(content).withUnsafeBufferPointer { look($0, in: node) }
    }
    let bit = JSONSkimmer.bit(content.count)
    if bit & plan.markedLengths == 0, node == Self.nowhere || bit & plan.nodes[node].lengths == 0 {
      isMarked = false
      return Self.nowhere
    }
    return look(UnsafeBufferPointer(rebasing: cursor.bytes[content]), in: node)
  }

  private mutating func look(_ key: UnsafeBufferPointer<UInt8>, in node: Int) -> Int {
    isMarked =
      JSONSkimmer.bit(key.count) & plan.markedLengths != 0 && plan.marked.contains { isEqual(key, $0) }
    guard node != Self.nowhere else { return Self.nowhere }
    for index in plan.nodes[node].children {
      if let name = plan.children[index].name, isEqual(key, name) { return plan.children[index].node }
    }
    return Self.nowhere
  }

  private func isEqual(_ key: UnsafeBufferPointer<UInt8>, _ name: Range<Int>) -> Bool {
    guard key.count == name.count else { return false }
    var offset = 0
    while offset < key.count {
      if key[offset] != plan.names[name.lowerBound + offset] { return false }
      offset += 1
    }
    return true
  }

  @inline(__always)
  private func element(_ number: Int, in node: Int) -> Int {
    guard node != Self.nowhere else { return Self.nowhere }
    for index in plan.nodes[node].children {
      if plan.children[index].name == nil, plan.children[index].index == number { return plan.children[index].node }
    }
    return Self.nowhere
  }

  /// A value at `node` begins: whatever an earlier member of the same key had there doesn't count.
  private mutating func forget(_ node: Int) { for index in plan.nodes[node].paths { values[plan.order[index]] = nil } }

  private mutating func found(_ node: Int, from start: Int) {
    let own = plan.nodes[node].paths.lowerBound..<plan.nodes[node].endOfOwn
    for index in own { values[plan.order[index]] = start..<cursor.position }
  }
}
