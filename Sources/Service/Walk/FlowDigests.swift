import Documents
import JSON
import Mapping
import Signatures

/// What each flow says, as a short text: where it differs from that of the last full pass, all the flow's records are
/// looked at again (rules 22 and 23).
struct FlowDigests: Sendable, Hashable {
  private var digests: [String: String] = [:]

  init(_ mapping: Mapping) {
    for flow in mapping.flows {
      var flow = flow
      flow.title = nil
      flow.unmapped = []
      let text = MappingDocument.write(Mapping(flows: [flow]))
      digests[flow.name] = Hex.encode(Array(Digest.sha256(Array(text.utf8)).prefix(12)))
    }
  }

  init?(text: String) {
    guard let object = (try? JSONValue(parsing: text))?.object else { return nil }
    for member in object.members { digests[member.key] = member.value.string }
  }

  var text: String {
    JSONValue.object(
      JSONObject(digests.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) } as [JSONObject.Member])
    ).text
  }

  /// The flows that are new or say something else than in `earlier`, and those that are gone.
  func changes(since earlier: FlowDigests) -> Set<String> {
    Set(digests.filter { earlier.digests[$0.key] != $0.value }.keys)
      .union(earlier.digests.keys.filter { digests[$0] == nil })
  }
}
