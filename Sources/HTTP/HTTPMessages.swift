/// A request as a server received it, or as a client is to send it.
public struct HTTPRequest: Sendable {
  /// As sent: `GET`, `PATCH`, or a method nobody knows.
  public var method: String
  /// The request target: a path with its query on a server, a whole URL on a client.
  public var target: String
  public var headers: HTTPHeaders
  public var body: [UInt8]
  /// The caller's numeric address; empty on a client's request.
  public var remoteAddress: String

  public init(
    method: String, target: String, headers: HTTPHeaders = [:], body: [UInt8] = [], remoteAddress: String = ""
  ) {
    self.method = method
    self.target = target
    self.headers = headers
    self.body = body
    self.remoteAddress = remoteAddress
  }

  /// The target up to its query, still percent-encoded.
  public var path: Substring { target.utf8.firstIndex(of: UInt8(ascii: "?")).map { target[..<$0] } ?? target[...] }

  /// The target after its first `?`, still percent-encoded; nil where there is none.
  public var query: Substring? {
    guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
    return target[target.utf8.index(after: mark)...]
  }
}

public struct HTTPResponse: Sendable {
  public var status: Int
  public var headers: HTTPHeaders
  public var body: [UInt8]

  public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
