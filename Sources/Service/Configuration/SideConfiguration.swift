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
  public var auth: Auth
  public var timeout: Duration
  public var ca: String?
  public var concurrency: Int
  public var rate: Rate?
  public var callback: Callback
  /// The one entity, under its name.
  public var entities: [String: EntityConfiguration]

  public enum Auth: Sendable, Equatable {
    case none
    case bearer(token: Secret)
    case basic(user: String, password: Secret)
    case header(name: String, value: Secret)
    case oauth2(tokenURL: String, clientID: String, clientSecret: Secret, scope: String?)
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
    url: String, auth: Auth, timeout: Duration, ca: String? = nil, concurrency: Int, rate: Rate? = nil,
    callback: Callback, entities: [String: EntityConfiguration]
  ) {
    self.url = url
    self.auth = auth
    self.timeout = timeout
    self.ca = ca
    self.concurrency = concurrency
    self.rate = rate
    self.callback = callback
    self.entities = entities
  }
}

/// Where a callback carries something: a header, or a path into its body (the empty path is the whole body).
public enum MessageSelector: Sendable, Hashable {
  case header(String)
  case body(JSONPath)
}

/// One entity of the PMS's REST API.
public struct EntityConfiguration: Sendable, Hashable {
  public var id: JSONPath
  /// RFC 3339 or UNIX seconds; nil where there is none.
  public var updatedAt: JSONPath?
  /// Whether to send `If-Match` where the side gave an ETag.
  public var etag: Bool
  public var idempotencyHeader: String?
  /// The key that request and answer bodies are wrapped in.
  public var envelope: String?
  public var list: List
  public var find: Find
  public var get: Call
  public var create: Call
  public var update: Call
  public var delete: Call

  public enum Method: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
  }

  /// One call; in `path`, `{id}` is the record's id.
  public struct Call: Sendable, Hashable {
    public var method: Method
    public var path: String
    public var contentType: String

    public init(method: Method, path: String, contentType: String) {
      self.method = method
      self.path = path
      self.contentType = contentType
    }
  }

  public struct List: Sendable, Hashable {
    public var path: String
    /// Where the records stand in an answer; nil when the answer is the list itself.
    public var items: JSONPath?
    public var pagination: Pagination
    /// The query parameter that asks for what changed since; nil where there is none.
    public var updatedSince: String?

    public init(path: String, items: JSONPath? = nil, pagination: Pagination, updatedSince: String? = nil) {
      self.path = path
      self.items = items
      self.pagination = pagination
      self.updatedSince = updatedSince
    }
  }

  public struct Find: Sendable, Hashable {
    public struct Parameter: Sendable, Hashable {
      public var name: String
      public var value: String

      public init(name: String, value: String) {
        self.name = name
        self.value = value
      }
    }
    public var path: String
    /// `{property}` and `{value}` stand for the match key's, in names and values.
    public var query: [Parameter]
    public var items: JSONPath?

    public init(path: String, query: [Parameter], items: JSONPath? = nil) {
      self.path = path
      self.query = query
      self.items = items
    }
  }

  /// How a listing goes on; it ends at an empty page or without a next.
  public enum Pagination: Sendable, Hashable {
    /// Numbered from 1; the three are names of query parameters but `perPage`.
    case page(page: String, size: String, perPage: Int)
    case offset(offset: String, limit: String, perPage: Int)
    /// `next` is where an answer holds the next cursor.
    case cursor(cursor: String, next: JSONPath)
    /// The `Link` header.
    case link
    case none
  }

  public init(
    id: JSONPath, updatedAt: JSONPath? = nil, etag: Bool, idempotencyHeader: String? = nil, envelope: String? = nil,
    list: List, find: Find, get: Call, create: Call, update: Call, delete: Call
  ) {
    self.id = id
    self.updatedAt = updatedAt
    self.etag = etag
    self.idempotencyHeader = idempotencyHeader
    self.envelope = envelope
    self.list = list
    self.find = find
    self.get = get
    self.create = create
    self.update = update
    self.delete = delete
  }
}
