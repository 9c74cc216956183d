import Connectors
import JSON
import Mapping

extension Configuration {
  /// What doesn't fit together between this configuration and a mapping.
  public func problems(with mapping: Mapping) -> [Diagnostic] {
    var problems: [Diagnostic] = []
    for flow in mapping.flows where !flow.pms.object.isIdentical(to: pms.entityName) {
      problems.append(
        Diagnostic(
          .error, at: flow.position, flow: flow.name,
          "flow '\(flow.name)' is about the entity '\(flow.pms.object)', and pms.entities has '\(pms.entityName)'",
          advice: "write 'pms: { entity: \(pms.entityName) }', or rename the entity in \(file)"))
    }
    let own: [(path: JSONPath?, severity: Diagnostic.Severity, what: String)] = [
      (pms.entity.id, .error, "the PMS's own id of the record, which can't be written"),
      (pms.entity.updatedAt, .warning, "when the PMS last changed the record (`updated_at`), which it sets itself"),
    ]
    for flow in mapping.flows {
      for (index, row) in flow.properties.enumerated() where row.direction.carries(from: .invoiced) {
        guard let own = own.first(where: { $0.path == row.pms }) else { continue }
        problems.append(
          Diagnostic(
            own.severity, at: row.position ?? flow.position, flow: flow.name, row: index,
            "'\(row.invoiced)' to '\(row.pms)': '\(row.pms)' is \(own.what)",
            advice: "give the row `direction: to_invoiced`, or leave it out"))
      }
    }
    if case .postgres = store {
      problems.append(
        Diagnostic(
          .error, "\(file): this build keeps its store in SQLite only", advice: "write 'store: sqlite:customer-sync.db'"
        ))
    }
    // Rule 18.
    if !pms.entity.etag, pms.callback.record == nil {
      problems.append(
        Diagnostic(
          .warning,
          "the PMS has no ETags and its callbacks carry no record: an edit made there between our read and our write can "
            + "be lost without a trace", advice: "let callbacks carry the record (pms.callback.record), or use ETags"))
    }
    return problems
  }
}
