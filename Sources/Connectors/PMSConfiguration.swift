import JSON
import Signatures

/// Where the PMS's REST API is, and how to speak to it.
public struct PMSEndpoint: Sendable {
  /// The API's root, which paths are appended to: `https://pms.example.com/api/v1`.
  public var url: String
  public var authentication: PMSAuthentication
  /// Of a whole exchange.
  public var timeout: Duration
  public var entity: PMSEntity

  public init(
    url: String, authentication: PMSAuthentication = .none, timeout: Duration = .seconds(30),
    entity: PMSEntity = PMSEntity()
  ) {
    self.url = url
    self.authentication = authentication
    self.timeout = timeout
    self.entity = entity
  }
}

/// What each request carries to say who asks.
public enum PMSAuthentication: Sendable, Equatable {
  case none
  case bearer(token: Secret)
  case basic(user: String, password: Secret)
  case header(name: String, value: Secret)
  /// Client credentials (RFC 6749 section 4.4). The token's address may be of another origin than the API.
  case oauth2(tokenURL: String, clientID: String, clientSecret: Secret, scope: String?)
}

/// What the PMS's REST API calls things; the defaults are the contract's.
public struct PMSEntity: Sendable, Hashable {
  public var id: JSONPath
  /// RFC 3339 or UNIX seconds; nil where there is none.
  public var updatedAt: JSONPath?
  /// Whether `If-Match` is sent where the side gave an ETag.
  public var etag: Bool
  /// Nil where the side knows none.
  public var idempotencyHeader: String?
  /// The key that request and answer bodies are wrapped in.
  public var envelope: String?
  public var list: List
  public var find: Find
  public var get: Call
  public var create: Call
  public var update: Call
  public var delete: Call

  public init(
    id: JSONPath = JSONPath([.key("id")]), updatedAt: JSONPath? = JSONPath([.key("updated_at")]), etag: Bool = true,
    idempotencyHeader: String? = "Idempotency-Key", envelope: String? = nil, list: List = List(), find: Find = Find(),
    get: Call = Call(.get, "/customers/{id}"), create: Call = Call(.post, "/customers"),
    update: Call = Call(.patch, "/customers/{id}"), delete: Call = Call(.delete, "/customers/{id}")
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

  public enum Method: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
  }

  /// One call. In its path, `{id}` stands for the record's id.
  public struct Call: Sendable, Hashable {
    public var method: Method
    public var path: String
    /// Of the request's body, where there is one.
    public var contentType: String

    public init(_ method: Method, _ path: String, contentType: String = "application/json") {
      self.method = method
      self.path = path
      self.contentType = contentType
    }
  }

  public struct List: Sendable, Hashable {
    public var path: String
    /// Where the records stand in an answer; nil when the answer is the array itself.
    public var items: JSONPath?
    public var pagination: Pagination
    /// The query parameter that asks for what changed since; nil where there is none.
    public var updatedSince: String?

    public init(
      path: String = "/customers", items: JSONPath? = JSONPath([.key("data")]),
      pagination: Pagination = .page(page: "page", size: "per_page", perPage: 100),
      updatedSince: String? = "updated_since"
    ) {
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

    /// `{property}` and `{value}` stand for the property's dotted path and its value, here and in the query.
    public var path: String
    public var query: [Parameter]
    /// Where the records stand in an answer; nil when the answer is the array itself.
    public var items: JSONPath?

    public init(
      path: String = "/customers", query: [Parameter] = [Parameter(name: "{property}", value: "{value}")],
      items: JSONPath? = JSONPath([.key("data")])
    ) {
      self.path = path
      self.query = query
      self.items = items
    }
  }
}

/// How a listing goes on; it ends at an empty page or without a next. All names are of query parameters.
public enum Pagination: Sendable, Hashable {
  /// Numbered from 1.
  case page(page: String, size: String, perPage: Int)
  /// Counted in records, from 0.
  case offset(offset: String, limit: String, perPage: Int)
  /// `next` is where an answer holds the next cursor.
  case cursor(cursor: String, next: JSONPath)
  /// The `Link` header's `rel="next"` (RFC 8288).
  case link
  /// All in one answer.
  case none
}
