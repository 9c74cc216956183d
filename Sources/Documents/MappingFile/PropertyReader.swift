import JSON
import Mapping

/// Reads one row of `properties`.
struct PropertyReader {
  enum Row {
    case mapped(PropertyPair)
    case unmapped(UnmappedRow)
  }

  static let example = "write rows such as '- { invoiced: name, pms: name, type: string }'"

  let problems: ProblemList
  let flow: String

  func row(_ node: YAMLNode, index: Int) -> Row? {
    let name = "\(flow): row \(index + 1)"
    guard let keys = KeyedReader(node, name: name, problems: problems, advice: Self.example) else { return nil }
    let (invoiced, invoicedIsNull) = path(keys, "invoiced")
    let (pms, pmsIsNull) = path(keys, "pms")
    let type = keys.choice("type", PropertyType.self) ?? .any
    let direction = keys.choice("direction", Direction.self) ?? .both
    let converters = ConverterReader(problems: problems, row: name).converters(keys)
    keys.finish()
    if let invoiced, let pms {
      return .mapped(
        PropertyPair(
          invoiced: invoiced, pms: pms, type: type, direction: direction, converters: converters,
          position: node.position))
    }
    guard (invoiced != nil && pmsIsNull) || (pms != nil && invoicedIsNull) else {
      if invoicedIsNull && pmsIsNull {
        problems.error(at: node.position, "\(name) has no path on either side", advice: "remove the row")
      }
      return nil
    }
    let missing: Side = pms == nil ? .pms : .invoiced
    problems.warning(
      at: node.position,
      "\(name) has no path on \(missing.title): it is listed in documents, and nothing is synchronised by it",
      advice: "write the path after '\(missing.rawValue):', or remove the row")
    return .unmapped(UnmappedRow(before: 0, invoiced: invoiced, pms: pms, type: type, position: node.position))
  }

  /// A row's path, and whether it is left open on purpose: `pms: null`, which `mapping import` writes for an empty
  /// cell.
  private func path(_ keys: KeyedReader, _ key: String) -> (JSONPath?, isNull: Bool) {
    if let node = keys.node(key), node.isNull { return (nil, true) }
    return (keys.required(key, advice: Self.example).flatMap { keys.path(of: $0, key: key) }, false)
  }
}
