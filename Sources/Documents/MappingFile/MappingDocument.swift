import JSON
import Mapping

/// `mapping.yaml`, read and written.
public enum MappingDocument {
  /// Reads a mapping from YAML; `file` names it in the diagnostics. The mapping is nil when any of them is an error.
  public static func read(text: String, file: String) -> (mapping: Mapping?, diagnostics: [Diagnostic]) {
    let problems = ProblemList()
    guard let root = YAMLDocument.read(text: text, file: file, into: problems),
      let keys = KeyedReader(root, name: "the mapping", problems: problems, advice: "begin the file with 'flows:'")
    else { return (nil, problems.diagnostics) }
    var flows: [Flow] = []
    if let list = keys.required("flows", advice: "write 'flows:' and a list of flows below it") {
      if let items = list.list {
        flows = items.enumerated().compactMap { FlowReader(problems: problems).flow($1, index: $0) }
        if items.isEmpty {
          problems.warning(at: list.position, "the mapping has no flows: nothing is synchronised", advice: "add a flow")
        }
      } else {
        problems.error(
          at: list.position, "'flows' must be a list, and is \(list.kind)", advice: "begin each flow with '- name: '")
      }
    }
    keys.finish()
    reportRepeatedNames(of: flows, to: problems)
    return (problems.hasErrors ? nil : Mapping(flows: flows), problems.diagnostics)
  }

  /// Reads the file at `path`.
  public static func read(path: String) -> (mapping: Mapping?, diagnostics: [Diagnostic]) {
    switch TextFile.read(path) {
    case .success(let text): read(text: text, file: path)
    case .failure(let failure):
      (nil, [Diagnostic(.error, at: failure.position, failure.message, advice: failure.advice)])
    }
  }

  private static func reportRepeatedNames(of flows: [Flow], to problems: ProblemList) {
    for (index, flow) in flows.enumerated() where flows[..<index].contains(where: { $0.name == flow.name }) {
      problems.flow = flow.name
      problems.error(
        at: flow.position, "there is a flow '\(flow.name)' already", advice: "give each flow a name of its own")
    }
    problems.flow = nil
  }
}
