import JSON
import Mapping

/// Reads `convert`: one converter, or a list of them.
struct ConverterReader {
  /// The converters that are a word alone.
  private static let words: [(name: String, converter: Converter)] = [
    ("not", .not), ("trim", .trim), ("upper", .upper), ("lower", .lower),
  ]
  /// The converters that take something, each with how it is written.
  private static let forms: [(name: String, form: String)] = [
    ("values", "{ values: { en: en-GB } }"), ("country", "{ country: alpha3 }"), ("pattern", "{ pattern: \"NET {}\" }"),
    ("scale", "{ scale: 2 }"), ("unix", "{ unix: date }"), ("default", "{ default: V }"),
    ("split", "{ split: \", \", part: 0 }"), ("join", "{ join: \" \", with: [PATH] }"), ("empty", "{ empty: keep }"),
  ]
  private static var names: [String] { words.map(\.name) + forms.map(\.name) }
  /// More decimals than any exact decimal holds.
  private static let mostDecimals = 38

  let problems: ProblemList
  let row: String

  func converters(_ keys: KeyedReader) -> [Converter] {
    (keys.items("convert") ?? []).compactMap(converter)
  }

  private func converter(_ node: YAMLNode) -> Converter? {
    switch node.content {
    case .scalar(let text, _): return word(text, at: node.position)
    case .list:
      problems.error(
        at: node.position, "\(row): a list stands inside the list of converters", advice: "write one flat list")
      return nil
    case .keyed(let members):
      guard let main = members.first(where: { member in Self.forms.contains { $0.name == member.key } }) else {
        return unknown(members.first?.key ?? "", at: members.first?.keyPosition ?? node.position)
      }
      guard let keys = KeyedReader(node, name: "\(row): converter '\(main.key)'", problems: problems) else {
        return nil
      }
      defer { keys.finish() }
      guard let value = keys.node(main.key) else { return nil }
      return form(main.key, value, keys)
    }
  }

  private func word(_ text: String, at position: SourcePosition) -> Converter? {
    if let known = Self.words.first(where: { $0.name == text }) { return known.converter }
    if let form = Self.forms.first(where: { $0.name == text }) {
      problems.error(at: position, "\(row): converter '\(text)' needs a value", advice: "write \(form.form)")
      return nil
    }
    return unknown(text, at: position)
  }

  private func unknown(_ text: String, at position: SourcePosition) -> Converter? {
    if Self.words.contains(where: { $0.name == text }) {
      problems.error(at: position, "\(row): converter '\(text)' takes no value", advice: "write 'convert: \(text)'")
    } else {
      let nearest = nearestName(to: text, among: Self.names).map { "did you mean '\($0)'? " } ?? ""
      problems.error(
        at: position, "\(row): there is no converter '\(shortened(text))'",
        advice: nearest + "the converters are \(alternatives(Self.names))")
    }
    return nil
  }

  private func form(_ name: String, _ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    switch name {
    case "values": values(value, keys)
    case "country": keys.choice(name, Converter.CountryForm.self).map { .country($0) } ?? missing(value, keys, name)
    case "pattern": pattern(value, keys)
    case "scale": scale(value, keys)
    case "unix": keys.choice(name, Converter.UnixForm.self).map { .unix($0) } ?? missing(value, keys, name)
    case "default": defaultValue(value, keys)
    case "split": split(value, keys)
    case "join": join(value, keys)
    default: empty(value, keys)
    }
  }

  /// Reports a null where a word is expected; a wrong word is reported already.
  private func missing(_ value: YAMLNode, _ keys: KeyedReader, _ name: String) -> Converter? {
    value.isNull ? refuse(value, keys, "needs a value", name) : nil
  }

  private func refuse(_ value: YAMLNode, _ keys: KeyedReader, _ message: String, _ name: String) -> Converter? {
    let form = Self.forms.first { $0.name == name }?.form ?? name
    problems.error(at: value.position, "\(keys.name) \(message)", advice: "write it like \(form)")
    return nil
  }

  private func values(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    guard let members = value.members, !members.isEmpty else {
      return refuse(value, keys, "needs pairs of values, and has \(value.kind)", "values")
    }
    var pairs: [Converter.ValuePair] = []
    for member in members {
      guard case .scalar = member.value.content else {
        return refuse(
          member.value, keys, "needs a single value for '\(member.key)', and has \(member.value.kind)", "values")
      }
      pairs.append(.init(invoiced: member.keyJSON, pms: member.value.json))
    }
    return .values(pairs)
  }

  private func pattern(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    guard let text = value.text else {
      return refuse(value, keys, "needs text with one {}, and has \(value.kind)", "pattern")
    }
    var parts: [String] = [""]
    var scalars = text.unicodeScalars[...]
    while let scalar = scalars.popFirst() {
      if scalar == "{", scalars.first == "}" {
        scalars.removeFirst()
        parts.append("")
      } else {
        parts[parts.count - 1].unicodeScalars.append(scalar)
      }
    }
    guard parts.count == 2 else {
      return refuse(value, keys, "needs exactly one {}, and '\(shortened(text))' has \(parts.count - 1)", "pattern")
    }
    return .pattern(prefix: parts[0], suffix: parts[1])
  }

  private func scale(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    guard let decimals = value.json.int64, let decimals = Int(exactly: decimals), 0...Self.mostDecimals ~= decimals
    else {
      return refuse(
        value, keys, "needs a number of decimals from 0 to \(Self.mostDecimals), and has \(value.kind)", "scale")
    }
    return .scale(decimals)
  }

  private func defaultValue(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    value.isNull ? refuse(value, keys, "needs a value other than null", "default") : .default(value.json)
  }

  private func split(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    let part = keys.integer("part")
    guard case .scalar(let separator, _) = value.content, !separator.isEmpty else {
      return refuse(value, keys, "needs a separator, and has \(value.kind)", "split")
    }
    guard let part else {
      return keys.optional("part") == nil ? refuse(value, keys, "needs 'part', counted from 0", "split") : nil
    }
    return .split(separator: separator, part: part)
  }

  private func join(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    let items = keys.items("with")
    guard case .scalar(let separator, _) = value.content else {
      return refuse(value, keys, "needs a separator, and has \(value.kind)", "join")
    }
    guard let items, !items.isEmpty else { return refuse(value, keys, "needs 'with', a list of paths", "join") }
    let paths = items.compactMap { keys.path(of: $0, key: "with") }
    return paths.count == items.count ? .join(separator: separator, with: paths) : nil
  }

  private func empty(_ value: YAMLNode, _ keys: KeyedReader) -> Converter? {
    value.text == "keep" ? .keepEmpty : refuse(value, keys, "takes only 'keep', and has \(value.kind)", "empty")
  }
}
