import Documents
import Mapping

/// Reads a mapping file and checks what it says; the mapping is nil when a problem is an error.
public enum MappingLoader {
  public static func load(_ path: String) -> (mapping: Mapping?, diagnostics: [Diagnostic]) {
    let (mapping, diagnostics) = MappingDocument.read(path: path)
    guard let mapping else { return (nil, diagnostics) }
    let all = diagnostics + MappingCheck.problems(in: mapping)
    return (all.hasErrors ? nil : mapping, all)
  }
}
