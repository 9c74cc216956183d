public import HTTP

/// Sends one request and returns its answer, whatever its status; what a connector sees of the network.
public protocol HTTPTransport: Sendable {
  /// - Parameters:
  ///   - request: Its target is an absolute `http` or `https` URL.
  ///   - timeout: For the whole exchange; nil means the transport's own.
  nonisolated(nonsending) func send(
    _ request: HTTPRequest, timeout: Duration?
  ) async throws(HTTPClientError) -> HTTPResponse
}

extension HTTPTransport {
  public nonisolated(nonsending) func send(_ request: HTTPRequest) async throws(HTTPClientError) -> HTTPResponse {
    try await send(request, timeout: nil)
  }
}
