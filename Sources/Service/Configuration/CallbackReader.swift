import Documents
import HTTP
import JSON
import Mapping
import Signatures

/// Reads `pms.callback`.
struct CallbackReader {
  let problems: ProblemList

  func callback(_ keys: KeyedReader) -> PMSConfiguration.Callback? {
    let eventID = selector(keys, "event_id", .header("webhook-id"))
    let signature = keys.section("signature").flatMap { self.signature($0, eventID: eventID) }
    let type = selector(keys, "type", .body(JSONPath([.key("type")])))
    let record = record(keys)
    let recordID = selector(keys, "record_id", .body(JSONPath([.key("data"), .key("id")])))
    let types = keys.section("types").map(types)
    let allowFrom = keys.addresses("allow_from")
    keys.finish()
    guard let signature, let types else { return nil }
    return .init(
      signature: signature, eventID: eventID, type: type, record: record, recordID: recordID, types: types,
      allowFrom: allowFrom)
  }

  private enum Scheme: String, CaseIterable {
    case standardWebhooks = "standard-webhooks"
    case hmac
  }

  private func signature(_ keys: KeyedReader, eventID: MessageSelector) -> PMSConfiguration.Signature? {
    let scheme =
      switch keys.choice("scheme", Scheme.self) ?? .standardWebhooks {
      case .standardWebhooks: SignatureScheme.standardWebhooks
      case .hmac: SignatureScheme.hmac(hmac(keys, eventID: eventID))
      }
    let secrets = keys.secrets("secrets", advice: "write 'secrets: [\"${PMS_CALLBACK_SECRET}\"]'")
    let tolerance = keys.duration("tolerance", .seconds(300))
    keys.finish()
    guard !secrets.isEmpty else { return nil }
    do throws(SignatureError) {
      _ = try SignatureVerifier(scheme: scheme, secrets: secrets, tolerance: tolerance)
    } catch {
      problems.error(
        at: keys.position, "\(keys.name): \(error)", advice: "compare it with what the PMS says of its signatures")
    }
    return .init(scheme: scheme, secrets: secrets, tolerance: tolerance)
  }

  private func hmac(_ keys: KeyedReader, eventID: MessageSelector) -> HMACScheme {
    var scheme = HMACScheme()
    scheme.header = keys.headerName("header", scheme.header) ?? scheme.header
    scheme.algorithm = keys.choice("algorithm", HMACScheme.Algorithm.self) ?? scheme.algorithm
    scheme.encoding = keys.choice("encoding", HMACScheme.Encoding.self) ?? scheme.encoding
    if let prefix = keys.node("prefix") { scheme.prefix = prefix.isNull ? "" : keys.text("prefix") ?? scheme.prefix }
    scheme.timestampHeader = keys.headerName("timestamp_header", nil)
    scheme.signed = keys.text("signed") ?? scheme.signed
    if case .header(let name) = eventID { scheme.idHeader = name }
    return scheme
  }

  private func selector(_ keys: KeyedReader, _ key: String, _ standard: MessageSelector) -> MessageSelector {
    guard let node = keys.optional(key) else { return standard }
    if let text = node.text {
      if text.hasPrefix("header:"), HTTPHeaders.isName(String(text.dropFirst(7))) {
        return .header(String(text.dropFirst(7)))
      }
      // The whole body is no id and no type.
      if let path = Self.bodyPath(text), !path.components.isEmpty { return .body(path) }
    }
    problems.error(
      at: node.position, "\(keys.name): '\(key)' must say where a callback carries it, and is \(node.kind)",
      advice: "write 'header:NAME' or 'body:PATH'")
    return standard
  }

  /// `body:PATH`, or `body:` for the whole body.
  private static func bodyPath(_ text: String) -> JSONPath? {
    guard text.hasPrefix("body:") else { return nil }
    let path = String(text.dropFirst(5))
    return path.isEmpty ? JSONPath([]) : JSONPath(path)
  }

  private func record(_ keys: KeyedReader) -> JSONPath? {
    let standard = JSONPath([.key("data")])
    guard let node = keys.node("record") else { return standard }
    if node.isNull { return nil }
    if let path = node.text.flatMap(Self.bodyPath) { return path }
    problems.error(
      at: node.position, "\(keys.name): 'record' must say where a callback carries the record, and is \(node.kind)",
      advice: "write 'body:PATH', or null when callbacks carry only the id")
    return standard
  }

  private func types(_ keys: KeyedReader) -> PMSConfiguration.Types {
    func names(_ key: String) -> [String] {
      keys.items(key)?.compactMap { keys.text(of: $0, key: key) } ?? ["customer.\(key)"]
    }
    let types = PMSConfiguration.Types(
      created: names("created"), updated: names("updated"), deleted: names("deleted"))
    keys.finish()
    let all = types.created + types.updated + types.deleted
    if let twice = all.first(where: { name in all.count { $0 == name } > 1 }) {
      problems.error(
        at: keys.position, "\(keys.name): the type '\(shortened(twice))' stands for more than one thing",
        advice: "list each type once, under created, updated or deleted")
    }
    return types
  }
}
