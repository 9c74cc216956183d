import Mapping
import Yams

/// Reads one YAML document into nodes that know their places.
///
/// Yams parses; its own resolution of plain scalars (`NO` would be a boolean) is switched off.
public enum YAMLDocument {
  /// Larger files are refused: a configuration has a few kilobytes.
  static let maximumBytes = 4 << 20
  /// More nodes than a file of that size needs; aliases of aliases would go beyond.
  static let maximumNodes = 500_000

  /// The document's root, or nil and an error. An empty document is an empty mapping of keys.
  public static func read(text: String, file: String, into problems: ProblemList) -> YAMLNode? {
    let start = SourcePosition(file: file, line: 1, column: 1)
    guard text.utf8.count <= maximumBytes else {
      problems.error(
        at: start, "the file has more than \(maximumBytes >> 20) MiB", advice: "this is no file to read here")
      return nil
    }
    if let position = aliasedKey(in: text, file: file) {
      problems.error(
        at: position, "a list, a mapping or an alias is used as a key", advice: "write the key out as plain text")
      return nil
    }
    do {
      guard let root = try Yams.compose(yaml: text, .basic, .default, .utf8) else {
        return YAMLNode(content: .keyed([]), position: start)
      }
      var reader = NodeReader(file: file, start: start)
      let node = try reader.node(root)
      if node.isNull { return YAMLNode(content: .keyed([]), position: start) }
      return node
    } catch let error as NodeReader.Refusal {
      problems.error(at: error.position, error.message, advice: error.advice)
    } catch let error as YamlError {
      let (position, message, advice) = explain(error, file: file)
      problems.error(at: position, message, advice: advice)
    } catch {
      problems.error(at: start, "this is no YAML: \(error)")
    }
    return nil
  }

  /// A key that is no scalar, found before parsing in a document with aliases: to tell duplicate keys apart the parser
  /// hashes a key with all that it contains, which aliases of aliases make endless. None of our files has such a key.
  private static func aliasedKey(in text: String, file: String) -> SourcePosition? {
    guard text.utf8.contains(UInt8(ascii: "*")) else { return nil }
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let content = line.drop { " \t-".contains($0) }
      let explicitKey = content.hasPrefix("? ") || content == "?"
      let aliasKey = content.hasPrefix("*") && content.contains(" :")
      let bracketKey = content.hasPrefix("[") && (content.contains("]:") || content.contains("] :"))
      let braceKey = content.hasPrefix("{") && (content.contains("}:") || content.contains("} :"))
      if explicitKey || aliasKey || bracketKey || braceKey {
        return SourcePosition(file: file, line: index + 1, column: line.count - content.count + 1)
      }
    }
    return nil
  }

  private static func explain(_ error: YamlError, file: String) -> (SourcePosition?, String, String) {
    func place(_ mark: Mark) -> SourcePosition { SourcePosition(file: file, line: mark.line, column: mark.column) }
    switch error {
    case .scanner(let context, let problem, let mark, let text), .parser(let context, let problem, let mark, let text),
      .composer(let context, let problem, let mark, let text):
      let whole = context.map { "\(problem) (\($0.text) in line \($0.mark.line))" } ?? problem
      return (place(mark), "this is no valid YAML: \(whole)", advice(for: problem, in: line(mark.line, of: text)))
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.map { "'\($0)'" }.joined(separator: ", ")
      return (place(context.mark), "the key \(names) stands twice in one mapping", "keep one of the two")
    case .reader(let problem, let offset, _, let yaml):
      let before = yaml.unicodeScalars.prefix(offset ?? 0)
      let line = before.count { $0 == "\n" } + 1
      let column = before.reversed().prefix { $0 != "\n" }.count + 1
      return (
        SourcePosition(file: file, line: line, column: column), "this is no valid YAML: \(problem)",
        "remove the control character, or save the file as UTF-8"
      )
    case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
      return (SourcePosition(file: file, line: 1, column: 1), "this is no valid YAML: \(error)", "")
    }
  }

  private static func line(_ number: Int, of text: String) -> Substring {
    text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst(number - 1).first ?? ""
  }

  private static func advice(for problem: String, in line: Substring) -> String {
    switch problem {
    case _ where line.contains("${") && line.contains("{ "):
      "inside { } and [ ] put \"${NAME}\" in quotes"
    case let text where text.contains("nesting level"): "this is deeper than any file to read here: nest it less"
    case let text where text.contains("cannot start any token"):
      "indent with spaces, not tabs, and put text that begins with a special character (@ ` % {) in quotes"
    case let text where text.contains("mapping values are not allowed"):
      "put text that contains ': ' in quotes, and check the indentation"
    case let text where text.contains("another document"): "keep one document in the file (no second ---)"
    case let text where text.contains("undefined alias"):
      "put text that begins with * in quotes, or define the anchor before its use"
    case let text where text.contains("did not find expected"):
      "check the indentation, close brackets, and put text with brackets (a path with [0]) in quotes"
    default: "correct the line, or put its text in quotes"
    }
  }
}

/// Turns Yams's nodes into ours, counting them.
private struct NodeReader {
  struct Refusal: Error {
    var position: SourcePosition
    var message: String
    var advice: String
  }

  let file: String
  let start: SourcePosition
  var count = 0

  mutating func node(_ node: Yams.Node) throws -> YAMLNode {
    let position = place(node)
    count += 1
    guard count <= YAMLDocument.maximumNodes else {
      throw Refusal(
        position: position,
        message: "the file has more than \(YAMLDocument.maximumNodes) values once its aliases are resolved",
        advice: "write values out where aliases refer to aliases")
    }
    switch node {
    case .scalar(let scalar):
      let plain = scalar.style == .plain || scalar.style == .any
      return YAMLNode(content: .scalar(text: scalar.string, plain: plain), position: position)
    case .sequence(let sequence):
      var items: [YAMLNode] = []
      for item in sequence { items.append(try self.node(item)) }
      return YAMLNode(content: .list(items), position: position)
    case .mapping(let mapping):
      var members: [YAMLNode.Member] = []
      for (key, value) in mapping {
        guard case .scalar(let scalar) = key else {
          throw Refusal(
            position: place(key), message: "a list or a mapping is used as a key",
            advice: "write the key as plain text, and put text that begins with a bracket in quotes")
        }
        if scalar.string == "<<" {
          throw Refusal(
            position: place(key), message: "the merge key << is not of YAML 1.2",
            advice: "write the keys out, or use an alias for a whole value")
        }
        let plain = scalar.style == .plain || scalar.style == .any
        members.append(
          .init(key: scalar.string, keyIsPlain: plain, keyPosition: place(key), value: try self.node(value)))
      }
      return YAMLNode(content: .keyed(members), position: position)
    case .alias:
      throw Refusal(
        position: position, message: "an alias stands where none can be resolved", advice: "write the value out")
    }
  }

  private func place(_ node: Yams.Node) -> SourcePosition {
    guard let mark = node.mark else { return start }
    return SourcePosition(file: file, line: mark.line, column: mark.column)
  }
}
