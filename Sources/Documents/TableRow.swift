import JSON
import Mapping

/// One row of a flow's table as documents list it: a property pair, or a row that has no counterpart.
public struct TableRow: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    /// With its index in `Flow.properties`.
    case pair(index: Int, PropertyPair)
    case unmapped(UnmappedRow)
  }

  public var source: Source

  public var invoiced: JSONPath? { path(on: .invoiced) }
  public var pms: JSONPath? { path(on: .pms) }

  public func path(on side: Side) -> JSONPath? {
    switch source {
    case .pair(_, let pair): pair.path(on: side)
    case .unmapped(let row): row.path(on: side)
    }
  }

  public var type: PropertyType {
    switch source {
    case .pair(_, let pair): pair.type
    case .unmapped(let row): row.type
    }
  }

  /// All rows of the flow, in the document's order.
  public static func rows(of flow: Flow) -> [TableRow] {
    var rows: [TableRow] = []
    for (index, pair) in flow.properties.enumerated() {
      rows += flow.unmapped.filter { $0.before == index }.map { TableRow(source: .unmapped($0)) }
      rows.append(TableRow(source: .pair(index: index, pair)))
    }
    rows += flow.unmapped.filter { $0.before >= flow.properties.count }.map { TableRow(source: .unmapped($0)) }
    return rows
  }
}
