import Documents
import Mapping

/// Reads a mapping file and checks what it says; the mapping is nil when a problem is an error.
public enum MappingLoader {
  public static func load(_ path: String) -> (mapping: Mapping?, diagnostics: [Diagnostic]) {
    checked(path) { _ in [] }
  }

  /// The configuration's mapping, checked against the configuration too.
  public static func load(for configuration: Configuration) -> (mapping: Mapping?, diagnostics: [Diagnostic]) {
    checked(configuration.mapping) { configuration.problems(with: $0) }
  }

  /// The mapping file that a configuration names, however broken the rest of it is; nil where it names none.
  public static func path(namedIn file: String) -> String? {
    let ignored = ProblemList()
    guard case .success(let text) = TextFile.read(file),
      let root = YAMLDocument.read(text: text, file: file, into: ignored),
      let name = KeyedReader(root, name: "the configuration", problems: ignored)?.text("mapping")
    else { return nil }
    return FilePaths.resolve(name, in: FilePaths.directory(of: file))
  }

  private static func checked(
    _ path: String, _ further: (Mapping) -> [Diagnostic]
  ) -> (mapping: Mapping?, diagnostics: [Diagnostic]) {
    let (mapping, diagnostics) = MappingDocument.read(path: path)
    guard let mapping else { return (nil, diagnostics) }
    let all = diagnostics + MappingCheck.problems(in: mapping) + further(mapping)
    return (all.hasErrors ? nil : mapping, all)
  }
}
