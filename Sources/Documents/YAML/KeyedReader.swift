import JSON
import Mapping

/// Reads the keys of one YAML mapping, reports each problem, and at `finish` every key that nobody asked for.
public final class KeyedReader {
  /// What this mapping is, for messages: "flow 'companies'", "pms.auth".
  public let name: String
  public let position: SourcePosition
  public let problems: ProblemList
  private let members: [YAMLNode.Member]
  private var known: [String] = []

  /// Nil, with an error, where the node is no mapping of keys.
  public init?(_ node: YAMLNode, name: String, problems: ProblemList, advice: String = "") {
    guard let members = node.members else {
      // The value itself may be a secret that was written one level too high.
      problems.error(
        at: node.position, "\(name) must be a mapping of keys, and is \(node.shape)",
        advice: advice.isEmpty ? "write its keys on the lines below it, indented further" : advice)
      return nil
    }
    (self.name, self.position, self.problems, self.members) = (name, node.position, problems, members)
  }

  /// The mapping of keys under `key`; an empty one where it is absent or null, so that its defaults apply.
  public func section(_ key: String, advice: String = "") -> KeyedReader? {
    let node = optional(key) ?? YAMLNode(content: .keyed([]), position: position(of: key))
    return KeyedReader(node, name: isRoot ? key : "\(name).\(key)", problems: problems, advice: advice)
  }

  /// Whether this is the file's outermost mapping, which has no name of its own.
  private var isRoot: Bool { name.hasPrefix("the ") }

  public var keys: [String] { members.map(\.key) }

  /// The value under `key`, null as it is; nil when the key is not there.
  public func node(_ key: String) -> YAMLNode? {
    if !known.contains(key) { known.append(key) }
    return members.first { $0.key.isIdentical(to: key) }?.value
  }

  /// The value under `key`; nil, without an error, when it is absent or null.
  public func optional(_ key: String) -> YAMLNode? { node(key).flatMap { $0.isNull ? nil : $0 } }

  /// The value under `key`; nil, with an error, when it is absent or null.
  public func required(_ key: String, advice: String) -> YAMLNode? {
    if let node = optional(key) { return node }
    problems.error(at: node(key)?.position ?? position, "\(name) has no '\(key)', which is required", advice: advice)
    return nil
  }

  /// Where `key` is written, else where the mapping begins.
  public func position(of key: String) -> SourcePosition {
    members.first { $0.key.isIdentical(to: key) }?.keyPosition ?? position
  }

  /// Text; nil when absent, null or, with an error, no text.
  public func text(_ key: String) -> String? { optional(key).flatMap { text(of: $0, key: key) } }

  public func text(of node: YAMLNode, key: String) -> String? {
    if let text = node.text { return text }
    problems.error(
      at: node.position, "\(name): '\(key)' must be text, and is \(node.kind)",
      advice: "write one value, in quotes where it has special characters")
    return nil
  }

  public func boolean(_ key: String) -> Bool? {
    guard let node = optional(key) else { return nil }
    if case .bool(let value) = YAMLCoreSchema.resolve(node.text ?? "") { return value }
    problems.error(
      at: node.position, "\(name): '\(key)' must be true or false, and is \(node.kind)", advice: "write true or false")
    return nil
  }

  /// More than anything is counted up to here.
  private static let greatest = 1_000_000_000

  /// An integer from `least` to a thousand million; nil when absent, null or, with an error, anything else.
  public func integer(_ key: String, least: Int = 0) -> Int? {
    guard let node = optional(key) else { return nil }
    let value = node.text.flatMap { Int($0) }
    if let value, least...Self.greatest ~= value { return value }
    let bound = value ?? 0 > Self.greatest ? "at most \(Self.greatest)" : "at least \(least)"
    problems.error(
      at: node.position, "\(name): '\(key)' must be a whole number of \(bound), and is \(node.kind)",
      advice: "write it in digits, such as 20")
    return nil
  }

  /// One of a few words; a wrong one is an error that lists them.
  public func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, _ type: Choice.Type) -> Choice?
  where Choice.RawValue == String {
    guard let node = optional(key), let text = text(of: node, key: key) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    refuse(node, key: key, allowed: Choice.allCases.map(\.rawValue))
    return nil
  }

  /// Reports a word that is none of the allowed ones.
  public func refuse(_ node: YAMLNode, key: String, allowed: [String]) {
    let nearest = nearestName(to: node.text ?? "", among: allowed).map { "did you mean '\($0)'? " } ?? ""
    problems.error(
      at: node.position, "\(name): \(node.kind) is no value for '\(key)'",
      advice: nearest + "allowed: \(alternatives(allowed))")
  }

  /// A list; a single value counts as a list of one.
  public func items(_ key: String) -> [YAMLNode]? { optional(key).map { $0.list ?? [$0] } }

  /// Reports the keys that nobody asked for. Call it once, at the end.
  public func finish() {
    for member in members where !known.contains(where: { $0.isIdentical(to: member.key) }) {
      let nearest = nearestName(to: member.key, among: known).map { "did you mean '\($0)'? " } ?? ""
      problems.error(
        at: member.keyPosition, "\(name) has no key '\(shortened(member.key))'",
        advice: nearest + "its keys are \(alternatives(known))")
    }
  }
}
