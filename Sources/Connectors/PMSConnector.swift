import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Synchronization

/// The PMS's REST API, as its configuration describes it.
public final class PMSConnector: Connector {
  /// What is learnt of the side by its answers.
  private struct Learnt: Sendable {
    var versionForm: VersionForm?
    /// False once it answered with a record and without an ETag.
    var givesETags = true
  }

  public let side = Side.pms
  public let abilities: ConnectorAbilities
  public var idPath: JSONPath { entity.id }
  let client: SideClient
  let entity: PMSEntity
  private let learnt = Mutex(Learnt())

  /// - Parameter now: Our clock.
  public init(
    _ endpoint: PMSEndpoint, transport: any HTTPTransport, now: @escaping @Sendable () -> Timestamp
  ) {
    entity = endpoint.entity
    abilities = ConnectorAbilities(
      hasVersions: entity.updatedAt != nil, hasETags: entity.etag, listsUpdatedSince: entity.list.updatedSince != nil,
      finds: true)
    client = SideClient(
      side: .pms, url: endpoint.url, authenticator: Self.authenticator(endpoint, transport: transport, now: now),
      timeout: endpoint.timeout, transport: transport, now: now)
  }

  private static func authenticator(
    _ endpoint: PMSEndpoint, transport: any HTTPTransport, now: @escaping @Sendable () -> Timestamp
  ) -> Authenticator {
    switch endpoint.authentication {
    case .none: .none
    case .bearer(let token): .bearer(token)
    case .basic(let user, let password): .basic(user: Secret(user), password: password)
    case .header(let name, let value): .header(name, value)
    case .oauth2(let tokenURL, let clientID, let clientSecret, let scope):
      .tokens(
        OAuthTokens(
          tokenURL: tokenURL, clientID: clientID, clientSecret: clientSecret, scope: scope, timeout: endpoint.timeout,
          transport: transport, now: now))
    }
  }

  public var clockOffset: Duration? { client.clockOffset }

  /// Knows the side's clock as the one that it takes over from did (rule 8).
  public func keepTime(of former: PMSConnector) { client.keepTime(of: former.client) }

  public func fetch(_ id: RecordID) async throws(ConnectorError) -> Fetched {
    let target = try target(entity.get, id)
    let response: HTTPResponse
    do throws(ConnectorError) {
      response = try await client.send(entity.get.method.rawValue, target)
    } catch {
      if case .refused(_, let status, _, _, _) = error, status == 404 || status == 410 { return .gone(status: status) }
      throw error
    }
    let record = unwrapped(try client.json(response))
    guard let record, let seen = observation(of: record, source: .fetch, response), seen.key.id == id else {
      throw .unreadable(side, "it holds no record with '\(id)' at '\(entity.id)'")
    }
    learnt.withLock { $0.givesETags = seen.etag != nil }
    return .found(seen)
  }

  public func delete(_ id: RecordID, etag: String?) async throws(ConnectorError) {
    var headers: HTTPHeaders = [:]
    if entity.etag, let etag { headers["If-Match"] = etag }
    let target = try target(entity.delete, id)
    do throws(ConnectorError) {
      try client.refusePage(await client.send(entity.delete.method.rawValue, target, headers: headers))
    } catch {
      // It is gone already, which is what was wanted.
      guard error.status == 404 || error.status == 410 else { throw error }
    }
  }

  public func observation(of record: JSONValue, source: Observation.Source, at: Timestamp) -> Observation? {
    guard let id = record[entity.id]?.identifier, !id.isEmpty else { return nil }
    let read = entity.updatedAt.flatMap { record[$0] }.flatMap { VersionForm.read($0) }
    if let form = read?.form { learnt.withLock { $0.versionForm = form } }
    return Observation(
      key: RecordKey(side, RecordID(id)), record: record, version: read?.version, source: source, seenAt: at)
  }

  /// None: nothing is known of the PMS's limits.
  public func misfits(in changes: [Assignment]) -> [Misfit] { [] }

  public func probe() async throws(ConnectorError) { _ = try await page(firstPage(rows: 1)) }

  /// Nil: callbacks are all there is.
  public func events(
    since: Timestamp, relatedTo id: RecordID?, type: String?
  ) async throws(ConnectorError) -> [JSONValue]? { nil }

  // MARK: Parts

  var versionForm: VersionForm? { learnt.withLock { $0.versionForm } }
  var givesETags: Bool { entity.etag && learnt.withLock { $0.givesETags } }

  func target(_ call: PMSEntity.Call, _ id: RecordID) throws(ConnectorError) -> String {
    client.root.target(URLTemplate(text: call.path).expanded(["id": try id.pathSegment(side)]))
  }

  func unwrapped(_ body: JSONValue) -> JSONValue? { entity.envelope.map { body[$0] } ?? body }

  /// The record of one answer, with the answer's ETag.
  func observation(of record: JSONValue, source: Observation.Source, _ response: HTTPResponse) -> Observation? {
    var seen = observation(of: record, source: source, at: client.now())
    if entity.etag { seen?.etag = response.headers["ETag"]?.trimmed }
    return seen
  }
}
