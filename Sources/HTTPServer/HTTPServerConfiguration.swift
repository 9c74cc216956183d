/// What a server listens on, and what it lets callers do.
public struct HTTPServerConfiguration: Sendable {
  public var address: ListenAddress
  /// The most bytes of a request's body, after its transfer coding is undone; more is 413.
  public var maxBody = 1 << 20
  /// From a request's first byte to its last; slower is 408.
  public var readTimeout: Duration = .seconds(10)
  /// How long a connection may wait for its next request, and a response for its reader.
  public var idleTimeout: Duration = .seconds(60)
  /// With more, the connection that has been idle longest is closed to let the new one in.
  public var maxConnections = 10_000
  /// The most bytes of a request line and its header fields; more is 431 (414 where the request line alone is longer).
  public var maxHeaderBytes = 16 << 10
  public var tls: TLSConfiguration?
  /// Lets several servers, each on a loop of its own, share one address (SO_REUSEPORT).
  public var sharesPort = false

  public init(address: ListenAddress, tls: TLSConfiguration? = nil) {
    self.address = address
    self.tls = tls
  }
}

/// PEM files; TLS 1.2 at least.
public struct TLSConfiguration: Sendable, Equatable {
  /// The certificate and the chain behind it.
  public var certificate: String
  public var key: String
  /// Where given, callers must present a certificate that one of these authorities has signed.
  public var clientCA: String?

  public init(certificate: String, key: String, clientCA: String? = nil) {
    self.certificate = certificate
    self.key = key
    self.clientCA = clientCA
  }
}

/// `HOST:PORT`, with an IPv6 address in brackets: `0.0.0.0:8080`, `[::1]:0`. Port 0 lets the system choose.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
  public var host: String
  public var port: Int

  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let port = UInt16(digits) else { return nil }
    var host = text[..<colon]
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
      guard host.contains(":"), host.utf8.allSatisfy({ Self.isHostByte($0) || $0 == UInt8(ascii: ":") }) else {
        return nil
      }
    } else if !host.utf8.allSatisfy(Self.isHostByte) {
      return nil
    }
    guard !host.isEmpty else { return nil }
    self.init(host: String(host), port: Int(port))
  }

  private static func isHostByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: false
    }
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
