import Connectors
import JSON
import Signatures

/// How Invoiced is reached, and who may send its webhooks.
public struct InvoicedConfiguration: Sendable {
  /// Without a slash at the end.
  public var url: String
  public var apiKey: Secret
  /// All that are valid now.
  public var webhookSecrets: [Secret]
  /// Callers of the webhook; empty for everyone.
  public var allowFrom: AddressList
  /// Of a whole exchange.
  public var timeout: Duration
  /// A PEM file to trust beside the system's.
  public var ca: String?
  public var concurrency: Int
  public var rate: Rate?

  public init(
    url: String, apiKey: Secret, webhookSecrets: [Secret], allowFrom: AddressList, timeout: Duration, ca: String? = nil,
    concurrency: Int, rate: Rate? = nil
  ) {
    self.url = url
    self.apiKey = apiKey
    self.webhookSecrets = webhookSecrets
    self.allowFrom = allowFrom
    self.timeout = timeout
    self.ca = ca
    self.concurrency = concurrency
    self.rate = rate
  }
}

/// How the PMS is reached, what its callbacks look like, and what its REST API calls things.
public struct PMSConfiguration: Sendable {
  /// Without a slash at the end.
  public var url: String
  public var auth: PMSAuthentication
  public var timeout: Duration
  public var ca: String?
  public var concurrency: Int
  public var rate: Rate?
  public var callback: Callback
  /// What a flow's `pms.entity` calls the entity.
  public var entityName: String
  public var entity: PMSEntity

  /// What a connector needs to know.
  public var endpoint: PMSEndpoint {
    PMSEndpoint(url: url, authentication: auth, timeout: timeout, entity: entity)
  }

  public struct Callback: Sendable {
    public var signature: Signature
    public var eventID: MessageSelector
    public var type: MessageSelector
    /// The whole record; nil when callbacks carry only its id.
    public var record: JSONPath?
    public var recordID: MessageSelector
    public var types: Types
    /// Callers of the callback; empty for everyone.
    public var allowFrom: AddressList

    public init(
      signature: Signature, eventID: MessageSelector, type: MessageSelector, record: JSONPath? = nil,
      recordID: MessageSelector, types: Types, allowFrom: AddressList
    ) {
      self.signature = signature
      self.eventID = eventID
      self.type = type
      self.record = record
      self.recordID = recordID
      self.types = types
      self.allowFrom = allowFrom
    }
  }

  public struct Signature: Sendable {
    public var scheme: SignatureScheme
    public var secrets: [Secret]
    public var tolerance: Duration

    public init(scheme: SignatureScheme, secrets: [Secret], tolerance: Duration) {
      self.scheme = scheme
      self.secrets = secrets
      self.tolerance = tolerance
    }
  }

  /// The names that callbacks give to what happened.
  public struct Types: Sendable, Hashable {
    public var created: [String]
    public var updated: [String]
    public var deleted: [String]

    public init(created: [String], updated: [String], deleted: [String]) {
      self.created = created
      self.updated = updated
      self.deleted = deleted
    }
  }

  public init(
    url: String, auth: PMSAuthentication, timeout: Duration, ca: String? = nil, concurrency: Int, rate: Rate? = nil,
    callback: Callback, entityName: String, entity: PMSEntity
  ) {
    self.url = url
    self.auth = auth
    self.timeout = timeout
    self.ca = ca
    self.concurrency = concurrency
    self.rate = rate
    self.callback = callback
    self.entityName = entityName
    self.entity = entity
  }
}

/// Where a callback carries something: a header, or a path into its body (the empty path is the whole body).
public enum MessageSelector: Sendable, Hashable {
  case header(String)
  case body(JSONPath)
}
