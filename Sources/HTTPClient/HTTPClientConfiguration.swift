/// How a client sends its requests.
public struct HTTPClientConfiguration: Sendable {
  /// For a whole exchange, from the call to the answer's last byte, unless a request has its own.
  public var timeout: Duration
  /// A PEM file of certificates to trust beside the system's.
  public var ca: String?
  /// Bytes of an answer's body.
  public var maxResponse: Int
  /// Requests beyond it wait for a connection.
  public var maxConnectionsPerHost: Int
  public var userAgent: String

  public init(
    timeout: Duration = .seconds(30), ca: String? = nil, maxResponse: Int = 16 << 20, maxConnectionsPerHost: Int = 16,
    userAgent: String = "customer-sync"
  ) {
    self.timeout = timeout
    self.ca = ca
    self.maxResponse = maxResponse
    self.maxConnectionsPerHost = maxConnectionsPerHost
    self.userAgent = userAgent
  }
}
