import JSON
import Mapping

/// Reads one flow of `mapping.yaml` (contract section 4).
struct FlowReader {
  let problems: ProblemList

  func flow(_ node: YAMLNode, index: Int) -> Flow? {
    let written = node.members?.first { $0.key == "name" }?.value.text
    let label = written.map { "flow '\(shortened($0))'" } ?? "flow \(index + 1)"
    problems.flow = written
    defer { problems.flow = nil }
    guard let keys = KeyedReader(node, name: label, problems: problems, advice: "begin each flow with '- name: '")
    else { return nil }
    let name = keys.required("name", advice: "give it a name, such as 'companies'")
      .flatMap { keys.text(of: $0, key: "name") }
    if let name, name.isEmpty {
      problems.error(
        at: keys.position(of: "name"), "a flow's name is empty", advice: "give it a name, such as 'companies'")
    }
    let title = keys.text("title")
    let invoiced = side(keys, .invoiced, objectKey: "object")
    let pms = side(keys, .pms, objectKey: "entity")
    var flow = Flow(
      name: name ?? "", invoiced: invoiced ?? FlowSide(object: "customer"), pms: pms ?? FlowSide(object: "customer"))
    flow.title = title
    flow.position = node.position
    flow.match = matchKeys(keys)
    readReference(keys, into: &flow)
    flow.create = keys.choice("create", CreatePolicy.self) ?? flow.create
    flow.onLink = keys.choice("on_link", LinkPolicy.self) ?? flow.onLink
    flow.conflict = keys.choice("conflict", ConflictPolicy.self) ?? flow.conflict
    readDelete(keys, into: &flow)
    readArchive(keys, into: &flow)
    flow.live = keys.choice("live", LiveStep.self) ?? flow.live
    flow.onLeave = keys.choice("on_leave", LeavePolicy.self) ?? flow.onLeave
    readProperties(keys, into: &flow)
    keys.finish()
    return name == nil || invoiced == nil || pms == nil ? nil : flow
  }

  private func side(_ flow: KeyedReader, _ side: Side, objectKey: String) -> FlowSide? {
    let key = side.rawValue
    let example = "write '\(key): { \(objectKey): customer }'"
    guard let node = flow.required(key, advice: example),
      let keys = KeyedReader(node, name: "\(flow.name): \(key)", problems: problems, advice: example)
    else { return nil }
    let objectNode = keys.required(objectKey, advice: example)
    let object = objectNode.flatMap { keys.text(of: $0, key: objectKey) }
    if side == .invoiced, let objectNode, let object, object != "customer" {
      keys.refuse(objectNode, key: objectKey, allowed: ["customer"])
    }
    let conditions = ConditionReader(problems: problems).conditions(keys)
    let set = assignments(keys, "set")
    keys.finish()
    return object.map { FlowSide(object: $0, conditions: conditions, set: set) }
  }

  private func matchKeys(_ flow: KeyedReader) -> [MatchKey] {
    guard let node = flow.optional("match") else { return [] }
    let example = "write 'match:' and below it rows such as '- { invoiced: number, pms: customer_number }'"
    guard let rows = node.list else {
      problems.error(at: node.position, "\(flow.name): 'match' must be a list, and is \(node.kind)", advice: example)
      return []
    }
    return rows.enumerated().compactMap { index, row in
      guard
        let keys = KeyedReader(row, name: "\(flow.name): match \(index + 1)", problems: problems, advice: example)
      else { return nil }
      let invoiced = keys.required("invoiced", advice: example).flatMap { keys.path(of: $0, key: "invoiced") }
      let pms = keys.required("pms", advice: example).flatMap { keys.path(of: $0, key: "pms") }
      keys.finish()
      guard let invoiced, let pms else { return nil }
      return MatchKey(invoiced: invoiced, pms: pms)
    }
  }

  private func readReference(_ flow: KeyedReader, into result: inout Flow) {
    guard let node = flow.optional("reference"),
      let keys = KeyedReader(
        node, name: "\(flow.name): reference", problems: problems,
        advice: "write 'reference: { invoiced: metadata.pms_id, pms: invoiced_id }'")
    else { return }
    result.invoicedReference = keys.path("invoiced")
    result.pmsReference = keys.path("pms")
    keys.finish()
  }

  private func readDelete(_ flow: KeyedReader, into result: inout Flow) {
    guard let node = flow.optional("delete"),
      let keys = KeyedReader(
        node, name: "\(flow.name): delete", problems: problems,
        advice: "write 'delete: { invoiced_deleted: unlink, pms_deleted: unlink }'")
    else { return }
    result.invoicedDeleted = keys.choice("invoiced_deleted", DeletePolicy.self) ?? result.invoicedDeleted
    result.pmsDeleted = keys.choice("pms_deleted", DeletePolicy.self) ?? result.pmsDeleted
    keys.finish()
  }

  private func readArchive(_ flow: KeyedReader, into result: inout Flow) {
    guard let node = flow.optional("archive"),
      let keys = KeyedReader(
        node, name: "\(flow.name): archive", problems: problems,
        advice: "write 'archive: { invoiced: { active: false }, pms: { archived: true } }'")
    else { return }
    result.archiveInvoiced = assignments(keys, "invoiced")
    result.archivePMS = assignments(keys, "pms")
    keys.finish()
  }

  /// `PATH: VALUE` lines.
  private func assignments(_ owner: KeyedReader, _ key: String) -> [Assignment] {
    guard let node = owner.optional(key) else { return [] }
    guard let members = node.members else {
      problems.error(
        at: node.position, "\(owner.name): '\(key)' must be a mapping of paths to values, and is \(node.kind)",
        advice: "write '\(key): { kind: company }'")
      return []
    }
    return members.compactMap { member in
      owner.path(member.key, at: member.keyPosition, key: key).map { Assignment($0, member.value.json) }
    }
  }

  private func readProperties(_ flow: KeyedReader, into result: inout Flow) {
    guard let node = flow.optional("properties") else { return }
    guard let rows = node.list else {
      problems.error(
        at: node.position, "\(flow.name): 'properties' must be a list, and is \(node.kind)",
        advice: PropertyReader.example)
      return
    }
    for (index, row) in rows.enumerated() {
      problems.row = index
      switch PropertyReader(problems: problems, flow: flow.name).row(row, index: index) {
      case .mapped(let pair): result.properties.append(pair)
      case .unmapped(var row):
        row.before = result.properties.count
        result.unmapped.append(row)
      case nil: break
      }
    }
    problems.row = nil
  }
}

extension KeyedReader {
  /// A path into a record; nil when absent, null or, with an error, no path.
  func path(_ key: String) -> JSONPath? { optional(key).flatMap { path(of: $0, key: key) } }

  func path(of node: YAMLNode, key: String) -> JSONPath? {
    text(of: node, key: key).flatMap { path($0, at: node.position, key: key) }
  }

  func path(_ text: String, at position: SourcePosition, key: String) -> JSONPath? {
    if let path = JSONPath(text) { return path }
    problems.error(
      at: position, "\(name): '\(shortened(text))' is no path for '\(key)'",
      advice: "write keys with dots between, [0] for an element, and \\. for a dot in a key")
    return nil
  }
}
