import JSON
import Mapping
import Signatures
import Sync

extension RecordID {
  /// The id as one segment of a path. `.` and `..` would be taken for folders even when they are encoded.
  func pathSegment(_ side: Side) throws(ConnectorError) -> String { try text.pathSegment(side, as: "the id") }
}

extension String {
  func pathSegment(_ side: Side, as name: String) throws(ConnectorError) -> String {
    if isEmpty || self == "." || self == ".." {
      throw .unsendable(side, property: nil, reason: "\(name) '\(self)' can't stand in a URL")
    }
    return PercentEncoding.encode(self)
  }
}

/// The text of an idempotency key that both sides take.
enum IdempotencyKey {
  /// Invoiced takes 6 to 64 bytes; what can't be sent as it is goes as its digest.
  static func valid(_ key: String) -> String {
    let fits = 6...64 ~= key.utf8.count && key.utf8.allSatisfy { 0x21...0x7E ~= $0 }
    return fits ? key : Hex.encode(Digest.sha256(Array(key.utf8)))
  }
}

extension [JSONValue] {
  /// The rows of a list; one without an id is left out, but a list of nothing else is no list of records.
  func observed(
    _ side: Side, idAt path: String, _ observe: (JSONValue) -> Observation?
  ) throws(ConnectorError) -> [Observation] {
    let observations = compactMap(observe)
    if observations.isEmpty, !isEmpty { throw .unreadable(side, "none of its \(count) rows has an id at '\(path)'") }
    return observations
  }
}

extension JSONValue {
  /// Whether an answer to a write is the record, and not just a receipt: it has one of the members that were sent.
  /// - Parameter receipt: Members that a receipt may have too.
  func shows(_ sent: JSONValue, besides receipt: Set<String>) -> Bool {
    guard let object else { return false }
    let members = sent.object?.members.filter { !$0.value.isNull && !receipt.contains($0.key) } ?? []
    if members.isEmpty { return object.members.contains { !receipt.contains($0.key) } }
    return members.contains { object[$0.key] != nil }
  }

  /// Without the addresses that hold a token (rule 24), wherever they stand.
  var withoutInvoicedTokens: JSONValue {
    switch self {
    case .array(let items): return .array(items.map(\.withoutInvoicedTokens))
    case .object(var object):
      for key in Self.tokenMembers { object[key] = nil }
      for index in object.containers {
        let value = object[at: index]
        let clean = value.withoutInvoicedTokens
        if clean != value { object[at: index] = clean }
      }
      return .object(object)
    case .null, .bool, .number, .string: return self
    }
  }

  private static let tokenMembers = ["statement_url", "statement_pdf_url", "sign_up_url"]
}
