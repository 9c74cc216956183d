import JSON
import Mapping
import SeededRandom

/// Makes mappings of every shape that `mapping.yaml` can hold, with texts that YAML and documents find hard. Yams cuts a
/// text off at U+0000, and drops a leading U+FEFF: neither is among them.
struct RandomMapping {
  private static let texts = [
    "name", "no", "NO", "yes", "null", "~", "true", "12", "1.10", "007", "0x1F", "a b", " lead", "trail ", "a: b",
    "a #b",
    "- a", "? a", "[x]", "{y}", "*star", "&and", "!tag", "|", ">", "%", "@", "`tick`", "'single'", "\"double\"",
    "back\\slash",
    "two\nlines", "tab\there", "comma, here", "Åse", "漢字", "👍", "e\u{301}", "\u{7F}", "\u{2028}", "\u{85}",
    "2024-01-02", "12:30", "<b>&amp;", "a|b", "x_", "_y", "**bold**", "``lit``", ":role:`x`", "..", "---", "key=value",
    "é",
    "#x", "a'b", "$ref", "\r\ncrlf",
  ]

  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  private mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }
  private mutating func one<Item>(_ items: some Collection<Item>) -> Item { items.randomElement(using: &random)! }
  private mutating func many<Item>(_ range: ClosedRange<Int>, _ make: (inout Self) -> Item) -> [Item] {
    let count = Int.random(in: range, using: &random)
    return (0..<count).map { _ in make(&self) }
  }

  mutating func text() -> String { one(Self.texts) }

  mutating func scalar() -> JSONValue {
    switch Int.random(in: 0..<5, using: &random) {
    case 0: .null
    case 1: .bool(chance(0.5))
    case 2: one([0, 1, -7, 9_007_199_254_740_993] as [JSONValue])
    case 3: (try? JSONValue(parsing: one(["1.10", "-0.5", "1e5", "1E-7", "123456789012345678901234567890.123"]))) ?? 1
    default: .string(text())
    }
  }

  mutating func value(depth: Int = 2) -> JSONValue {
    guard depth > 0, chance(0.3) else { return scalar() }
    if chance(0.5) { return .array(many(0...3) { $0.value(depth: depth - 1) }) }
    let keys = distinct(many(0...3) { $0.text() })
    return .object(JSONObject(keys.map { (key: $0, value: value(depth: depth - 1)) }))
  }

  mutating func path() -> JSONPath {
    var components: [JSONPath.Component] = [.key(text())]
    while chance(0.3) { components.append(chance(0.3) ? .index(Int.random(in: 0...9, using: &random)) : .key(text())) }
    return JSONPath(components)
  }

  /// Keys that differ as bytes and in Unicode's eyes.
  private func distinct(_ texts: [String]) -> [String] {
    texts.reduce(into: []) { result, text in if !result.contains(text) { result.append(text) } }
  }

  private mutating func paths(_ range: ClosedRange<Int>) -> [JSONPath] {
    many(range) { $0.path() }.reduce(into: []) { result, path in
      if !result.contains(where: { $0.description == path.description }) { result.append(path) }
    }
  }

  private mutating func assignments(_ range: ClosedRange<Int>) -> [Assignment] {
    paths(range).map { Assignment($0, value()) }
  }

  private mutating func side(_ object: String) -> FlowSide {
    let conditions = paths(0...3).map { path in
      switch Int.random(in: 0..<3, using: &random) {
      case 0: Condition(path: path, test: .exists(chance(0.5)))
      case 1: Condition(path: path, test: .not(scalar()))
      default: Condition(path: path, test: .oneOf(many(1...3) { $0.scalar() }))
      }
    }
    return FlowSide(object: object, conditions: conditions, set: assignments(0...2))
  }

  private mutating func converter() -> Converter {
    switch Int.random(in: 0..<13, using: &random) {
    case 0: return .not
    case 1: return .trim
    case 2: return .upper
    case 3: return .lower
    case 4: return .keepEmpty
    case 5: return .country(one(Converter.CountryForm.allCases))
    case 6: return .unix(one(Converter.UnixForm.allCases))
    case 7: return .scale(Int.random(in: 0...38, using: &random))
    case 8: return .pattern(prefix: chance(0.5) ? text() : "", suffix: chance(0.5) ? text() : "")
    case 9:
      let value = scalar()
      return .default(value.isNull ? "x" : value)
    case 10: return .split(separator: text(), part: Int.random(in: 0...3, using: &random))
    case 11: return .join(separator: chance(0.2) ? "" : text(), with: many(1...3) { $0.path() })
    default:
      let keys = distinct(many(1...4) { $0.text() })
      return .values(keys.map { .init(invoiced: .string($0), pms: scalar()) })
    }
  }

  private mutating func pair() -> PropertyPair {
    PropertyPair(
      invoiced: path(), pms: path(), type: one(PropertyType.allCases), direction: one(Direction.allCases),
      converters: chance(0.5) ? [] : many(0...3) { $0.converter() })
  }

  mutating func flow(_ number: Int) -> Flow {
    var flow = Flow(name: "\(text()) \(number)", invoiced: side("customer"), pms: side(text()))
    flow.title = chance(0.7) ? text() : nil
    flow.match = many(0...2) { MatchKey(invoiced: $0.path(), pms: $0.path()) }
    flow.invoicedReference = chance(0.5) ? path() : nil
    flow.pmsReference = chance(0.5) ? path() : nil
    flow.create = one(CreatePolicy.allCases)
    flow.onLink = one(LinkPolicy.allCases)
    flow.conflict = one(ConflictPolicy.allCases)
    flow.invoicedDeleted = one(DeletePolicy.allCases)
    flow.pmsDeleted = one(DeletePolicy.allCases)
    flow.archiveInvoiced = assignments(0...2)
    flow.archivePMS = assignments(0...2)
    flow.live = one(LiveStep.allCases)
    flow.onLeave = one(LeavePolicy.allCases)
    flow.properties = many(0...5) { $0.pair() }
    let count = flow.properties.count
    flow.unmapped = many(0...2) { random in
      let before = Int.random(in: 0...count, using: &random.random)
      return random.chance(0.5)
        ? UnmappedRow(before: before, invoiced: random.path(), type: random.one(PropertyType.allCases))
        : UnmappedRow(before: before, pms: random.path(), type: random.one(PropertyType.allCases))
    }
    .sorted { $0.before < $1.before }
    return flow
  }

  mutating func mapping() -> Mapping { Mapping(flows: (0..<Int.random(in: 0...3, using: &random)).map { flow($0) }) }

  /// A mapping that documents can hold: at least one flow, and texts as a line of a document keeps them.
  mutating func documentable() -> Mapping {
    var mapping = Mapping(flows: (0...Int.random(in: 0...2, using: &random)).map { flow($0) })
    for index in mapping.flows.indices {
      let words = { (random: inout Self) in random.text().split(whereSeparator: \.isWhitespace).joined(separator: " ") }
      if chance(0.7) { mapping.flows[index].title = "\(words(&self)) to \(words(&self))" }
      mapping.flows[index].pms.object = "client"
      let keeps = { (path: JSONPath?) in
        guard let text = path?.description else { return true }
        return !text.contains { $0.isNewline || $0 == "\t" } && text.first != " " && text.last != " "
      }
      mapping.flows[index].properties.removeAll { !keeps($0.invoiced) || !keeps($0.pms) }
      mapping.flows[index].unmapped.removeAll { !keeps($0.invoiced) || !keeps($0.pms) }
      for row in mapping.flows[index].unmapped.indices {
        // A row without a source repeats the path above it.
        if mapping.flows[index].unmapped[row].invoiced == nil {
          mapping.flows[index].unmapped[row].invoiced = mapping.flows[index].unmapped[row].pms
          mapping.flows[index].unmapped[row].pms = nil
        }
        let count = mapping.flows[index].properties.count
        mapping.flows[index].unmapped[row].before = min(mapping.flows[index].unmapped[row].before, count)
      }
    }
    return mapping
  }
}
