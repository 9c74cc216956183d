import HTTP
import JSON
import Mapping
import Signatures
import Sync

/// How one side's events are told apart: whose signature they carry, and where their id, type and record id stand.
public final class EventEndpoint: Sendable {
  public let side: Side
  public let path: String
  let verifier: SignatureVerifier
  let allowFrom: AddressList
  private let skimmer: JSONSkimmer
  private let eventID: MessageSelector
  private let type: MessageSelector
  private let recordID: MessageSelector
  private let kinds: [String: EventKind]
  /// Invoiced events whose kind is not listed are stored as ignored; so are the PMS's.
  private let origin: EventOrigin

  /// The webhook endpoint of Invoiced (reference section 7 and 8).
  public init(invoiced configuration: InvoicedConfiguration) throws(SignatureError) {
    side = .invoiced
    path = "/webhooks/invoiced"
    origin = .webhook
    verifier = try SignatureVerifier(scheme: .invoiced, secrets: configuration.webhookSecrets, tolerance: .zero)
    allowFrom = configuration.allowFrom
    eventID = .body(Self.path("id"))
    type = .body(Self.path("type"))
    recordID = .body(Self.path("data", "object", "id"))
    kinds = Self.invoicedKinds
    // They hold a token, and are treated as secrets (rule 24).
    skimmer = JSONSkimmer(
      Self.bodyPaths([eventID, type, recordID]), marking: ["statement_url", "statement_pdf_url", "sign_up_url"])
  }

  /// What Invoiced's types of events say.
  static let invoicedKinds: [String: EventKind] = [
    "customer.created": .created, "customer.updated": .updated, "customer.deleted": .deleted,
    "customer.merged": .merged,
  ]

  /// The callback endpoint of the PMS, as it is configured.
  public init(pms configuration: PMSConfiguration) throws(SignatureError) {
    let callback = configuration.callback
    side = .pms
    path = "/callbacks/pms"
    origin = .callback
    verifier = try SignatureVerifier(
      scheme: callback.signature.scheme, secrets: callback.signature.secrets, tolerance: callback.signature.tolerance)
    allowFrom = callback.allowFrom
    eventID = callback.eventID
    type = callback.type
    recordID = callback.recordID
    var kinds: [String: EventKind] = [:]
    for (types, kind) in [
      (callback.types.created, EventKind.created), (callback.types.updated, .updated),
      (callback.types.deleted, .deleted),
    ] {
      for type in types { kinds[type] = kind }
    }
    self.kinds = kinds
    skimmer = JSONSkimmer(Self.bodyPaths([eventID, type, recordID]))
  }

  /// Why an authentic body is no event.
  struct Unreadable: Error {
    var reason: String
  }

  /// Longer ids than this are no ids: nobody sends them, and an index of them would be slow.
  static let longestID = 1024

  /// The event that an authentic request carries; its body is read no further than its envelope.
  func event(in request: HTTPRequest, at time: Timestamp) throws(Unreadable) -> NewEvent {
    let skimmed: SkimmedJSON
    do throws(JSONError) { skimmed = try skimmer.skim(request.body) } catch {
      throw Unreadable(reason: "the body is not JSON: \(error)")
    }
    var next = 0
    func read(_ selector: MessageSelector) -> String? {
      switch selector {
      case .header(let name): return request.headers[name]
      case .body:
        defer { next += 1 }
        return skimmed.identifier(next, in: request.body)
      }
    }
    let id = read(eventID)
    let typeName = read(type)
    let record = read(recordID)
    guard let id, !id.isEmpty else { throw Unreadable(reason: "it has no event id at \(Self.name(eventID))") }
    guard id.utf8.count <= Self.longestID else {
      throw Unreadable(reason: "its event id is longer than \(Self.longestID) bytes")
    }
    guard let typeName, !typeName.isEmpty else { throw Unreadable(reason: "it has no type at \(Self.name(type))") }
    guard let kind = kinds[typeName] else {
      return NewEvent(
        side: side, eventID: id, type: String(typeName.prefix(200)), kind: .other, origin: origin, record: nil,
        body: [],
        receivedAt: time, state: .ignored, reason: "no flow uses events of this type")
    }
    guard let record, !record.isEmpty else {
      throw Unreadable(reason: "it has no record id at \(Self.name(recordID))")
    }
    guard record.utf8.count <= Self.longestID else {
      throw Unreadable(reason: "its record id is longer than \(Self.longestID) bytes")
    }
    return NewEvent(
      side: side, eventID: id, type: typeName, kind: kind, origin: origin, record: RecordID(record),
      body: skimmed.marked.isEmpty ? request.body : skimmed.blanked(request.body), receivedAt: time)
  }

  /// An authentic body that can't be read, as it is kept: known by its SHA-256 (rule 2).
  func unreadable(_ request: HTTPRequest, reason: String, at time: Timestamp) -> NewEvent {
    NewEvent(
      side: side, eventID: "sha256:" + Hex.encode(Digest.sha256(request.body)), type: "unreadable", kind: .other,
      origin: origin, record: nil, body: request.body, receivedAt: time, state: .parked, reason: reason)
  }

  private static func path(_ keys: String...) -> JSONPath { JSONPath(keys.map { .key($0) }) }

  private static func bodyPaths(_ selectors: [MessageSelector]) -> [JSONPath] {
    selectors.compactMap { if case .body(let path) = $0 { path } else { nil } }
  }

  private static func name(_ selector: MessageSelector) -> String {
    switch selector {
    case .header(let name): "the header \(name)"
    case .body(let path): "'\(path)'"
    }
  }
}
