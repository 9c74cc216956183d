import Documents
import Mapping

/// Diagnostics as one line each, for comparing: `error 2:5 MESSAGE -> ADVICE`.
func lines(_ diagnostics: [Diagnostic]) -> [String] {
  diagnostics.map { diagnostic in
    let place = diagnostic.position.map { "\($0.line):\($0.column) " } ?? ""
    return "\(diagnostic.severity) \(place)\(diagnostic.message)"
      + (diagnostic.advice.isEmpty ? "" : " -> \(diagnostic.advice)")
  }
}

extension Mapping {
  /// The mapping without the places it was read from.
  var unplaced: Mapping {
    Mapping(
      flows: flows.map { flow in
        var flow = flow
        flow.position = nil
        flow.properties = flow.properties.map { pair in
          var pair = pair
          pair.position = nil
          return pair
        }
        flow.unmapped = flow.unmapped.map { row in
          var row = row
          row.position = nil
          return row
        }
        return flow
      })
  }
}
