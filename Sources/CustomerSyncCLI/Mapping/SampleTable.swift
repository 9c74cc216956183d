import JSON
import Mapping

/// Sample records of one side as a table: a column for each path that holds a simple value.
struct SampleTable {
  /// In the order in which records have them.
  let paths: [JSONPath]
  private let values: [JSONPath: [Int: JSONValue]]
  private let places: [JSONPath: Int]

  init(_ records: [JSONValue], without excluded: JSONPath? = nil) {
    var order: [JSONPath] = []
    var values: [JSONPath: [Int: JSONValue]] = [:]
    func walk(_ value: JSONValue, _ components: [JSONPath.Component], _ row: Int) {
      switch value {
      case .object(let object):
        for member in object.members { walk(member.value, components + [.key(member.key)], row) }
      case .array: return
      case .null, .bool, .number, .string:
        let path = JSONPath(components)
        guard !components.isEmpty, path != excluded else { return }
        if values[path] == nil {
          order.append(path)
          values[path] = [:]
        }
        if !value.isNull, value.string != "" { values[path]?[row] = value }
      }
    }
    for (row, record) in records.enumerated() { walk(record, [], row) }
    paths = order
    self.values = values
    places = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
  }

  func place(_ path: JSONPath) -> Int { places[path] ?? paths.count }

  /// The value as text to compare by; nil where there is none.
  func value(at path: JSONPath, _ row: Int) -> String? { values[path]?[row].map(Self.comparable) }

  /// Values of three characters or more that stand in one row only, and that row.
  func uniqueValues(at path: JSONPath) -> [String: Int] {
    var rows: [String: Int] = [:]
    var repeated: Set<String> = []
    for (row, value) in values[path] ?? [:] {
      if case .bool = value { continue }
      let text = Self.comparable(value)
      if rows.updateValue(row, forKey: text) != nil { repeated.insert(text) }
    }
    return rows.filter { $0.key.count >= 3 && !repeated.contains($0.key) }
  }

  /// Whether there is more than one value.
  func varies(at path: JSONPath) -> Bool { Set((values[path] ?? [:]).values.map(Self.comparable)).count > 1 }

  /// The narrowest type that all its values have; text where there are none.
  func type(of path: JSONPath) -> PropertyType {
    let all = (values[path] ?? [:]).values
    func every(_ holds: (JSONValue) -> Bool) -> Bool { !all.isEmpty && all.allSatisfy(holds) }
    if every({ $0.bool != nil }) { return .boolean }
    if every({ $0.int64 != nil }) { return .integer }
    if every({ value in if case .number = value { true } else { false } }) { return .decimal }
    if every({ Self.isDate($0.string ?? "") }) { return .date }
    if every({ Self.isDate(String(($0.string ?? "").prefix(10))) && $0.string?.dropFirst(10).first == "T" }) {
      return .datetime
    }
    return .string
  }

  private static func isDate(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    return parts.map(\.count) == [4, 2, 2] && parts.allSatisfy { $0.allSatisfy { ("0"..."9").contains($0) } }
  }

  private static func comparable(_ value: JSONValue) -> String {
    switch value {
    case .string(let text): text.lowercased()
    case .number(let number): ExactDecimal(number.text)?.description ?? number.text
    case .bool, .null, .array, .object: value.text
    }
  }
}

/// How alike two properties' names are: the share of words that both have.
enum NameLikeness {
  static func of(_ a: JSONPath, _ b: JSONPath) -> Double {
    let (left, right) = (words(a), words(b))
    if left.joined() == right.joined() { return 1 }
    let (last, otherLast) = (Set(lastWords(a)), Set(lastWords(b)))
    if last == otherLast { return 0.9 }
    let union = Set(left).union(right)
    return union.isEmpty ? 0 : Double(Set(left).intersection(right).count) / Double(union.count)
  }

  private static func words(_ path: JSONPath) -> [String] { path.components.flatMap(words) }

  private static func lastWords(_ path: JSONPath) -> [String] { path.components.last.map(words) ?? [] }

  /// `postalCode`, `postal_code` and `Postal code` are the same two.
  private static func words(_ component: JSONPath.Component) -> [String] {
    guard case .key(let key) = component else { return [] }
    var words: [String] = []
    var word = ""
    for character in key {
      let isBreak = !(character.isLetter || character.isNumber)
      if isBreak || (character.isUppercase && word.last?.isLowercase == true) {
        if !word.isEmpty { words.append(word.lowercased()) }
        word = ""
      }
      if !isBreak { word.append(character) }
    }
    if !word.isEmpty { words.append(word.lowercased()) }
    return words.filter { $0 != "metadata" }
  }
}
