import JSON
import Mapping

/// Reads a `where`: `PATH: VALUE`, `PATH: [VALUES]`, `PATH: {not: VALUE}`, `PATH: {exists: true}`.
struct ConditionReader {
  let problems: ProblemList

  func conditions(_ owner: KeyedReader) -> [Condition] {
    guard let node = owner.optional("where") else { return [] }
    guard let members = node.members else {
      problems.error(
        at: node.position, "\(owner.name): 'where' must be a mapping of paths to values, and is \(node.kind)",
        advice: "write 'where: { type: company }'")
      return []
    }
    return members.compactMap { member in
      let path = owner.path(member.key, at: member.keyPosition, key: "where")
      let test = test(member.value, name: "\(owner.name): where \(member.key)")
      guard let path, let test else { return nil }
      return Condition(path: path, test: test)
    }
  }

  private func test(_ node: YAMLNode, name: String) -> Condition.Test? {
    switch node.content {
    case .scalar: return .oneOf([node.json])
    case .list(let items):
      guard !items.isEmpty else {
        problems.error(at: node.position, "\(name) is an empty list, which fits no record", advice: "list the values")
        return nil
      }
      let values = items.compactMap { scalar($0, name: name) }
      return values.count == items.count ? .oneOf(values) : nil
    case .keyed:
      guard let keys = KeyedReader(node, name: name, problems: problems) else { return nil }
      let (not, exists) = (keys.node("not"), keys.boolean("exists"))
      keys.finish()
      if let not, keys.keys.count == 1 { return scalar(not, name: name).map { .not($0) } }
      if let exists, keys.keys.count == 1 { return .exists(exists) }
      if keys.keys.count != 1 {
        problems.error(
          at: node.position, "\(name) has \(keys.keys.count) tests where one is expected",
          advice: "write a value, a list of values, { not: VALUE } or { exists: true }")
      }
      return nil
    }
  }

  private func scalar(_ node: YAMLNode, name: String) -> JSONValue? {
    if case .scalar = node.content { return node.json }
    problems.error(
      at: node.position, "\(name): a single value is expected, and \(node.kind) found",
      advice: "write text, a number, true, false or null")
    return nil
  }
}
