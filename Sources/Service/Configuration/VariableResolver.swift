import Documents

/// Puts environment variables and files in place of `${NAME}` and `${file:/path}`, which stand only as whole values.
struct VariableResolver {
  let environment: [String: String]
  /// What a relative `${file:...}` is relative to.
  let directory: String
  let problems: ProblemList

  func resolved(_ node: YAMLNode) -> YAMLNode {
    switch node.content {
    case .scalar(let text, _): return resolved(node, text)
    case .list(let items):
      return YAMLNode(content: .list(items.map(resolved)), position: node.position)
    case .keyed(let members):
      let members = members.map { member in
        var member = member
        member.value = resolved(member.value)
        return member
      }
      return YAMLNode(content: .keyed(members), position: node.position)
    }
  }

  private func resolved(_ node: YAMLNode, _ text: String) -> YAMLNode {
    guard text.contains("${") else { return node }
    guard text.hasPrefix("${"), text.hasSuffix("}"),
      !text.dropFirst(2).dropLast().contains(where: { "${}".contains($0) })
    else {
      problems.error(
        at: node.position, "'${...}' stands inside a longer text, and is only read as a whole value",
        advice: "put the whole text into the variable or file, and write only '${NAME}' or '${file:/path}' here")
      return node
    }
    let name = String(text.dropFirst(2).dropLast())
    guard let value = name.hasPrefix("file:") ? file(String(name.dropFirst(5)), node) : variable(name, node) else {
      return node
    }
    return YAMLNode(content: .scalar(text: value, plain: false), position: node.position, origin: text)
  }

  private func variable(_ name: String, _ node: YAMLNode) -> String? {
    let isName =
      name.utf8.first.map { !(0x30...0x39 ~= $0) } ?? false
      && name.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
        default: false
        }
      }
    guard isName else {
      problems.error(
        at: node.position, "'${\(name)}' names no environment variable",
        advice: "write '${NAME}' with letters, digits and _, or '${file:/path}'")
      return nil
    }
    guard let value = environment[name] else {
      problems.error(
        at: node.position, "the environment variable \(name) is not set",
        advice: "set it before starting, or write another value here")
      return nil
    }
    return value
  }

  private func file(_ path: String, _ node: YAMLNode) -> String? {
    switch TextFile.read(FilePaths.resolve(path, in: directory)) {
    case .success(let text):
      // A Character: "\r\n" is one.
      return text.last?.isNewline == true ? String(text.dropLast()) : text
    case .failure(let failure):
      problems.error(at: node.position, failure.message, advice: failure.advice)
      return nil
    }
  }
}

/// Paths as the configuration writes them: relative ones are relative to its own file.
enum FilePaths {
  /// The directory of `file`; empty where it has none.
  static func directory(of file: String) -> String {
    file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
  }

  static func resolve(_ path: String, in directory: String) -> String {
    path.hasPrefix("/") ? path : directory + path
  }
}
