import Connectors
import Mapping

extension Configuration {
  /// What doesn't fit together between this configuration and a mapping.
  public func problems(with mapping: Mapping) -> [Diagnostic] {
    var problems: [Diagnostic] = []
    for flow in mapping.flows where !flow.pms.object.utf8.elementsEqual(pms.entityName.utf8) {
      problems.append(
        Diagnostic(
          .error, at: flow.position, flow: flow.name,
          "flow '\(flow.name)' is about the entity '\(flow.pms.object)', and pms.entities has '\(pms.entityName)'",
          advice: "write 'pms: { entity: \(pms.entityName) }', or rename the entity in \(file)"))
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
