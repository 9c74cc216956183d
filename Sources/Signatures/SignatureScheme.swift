/// How a sender signs its requests.
public enum SignatureScheme: Sendable, Equatable {
  /// Invoiced's: `X-Invoiced-Signature`, the hex HMAC-SHA256 of the raw body under the secret's text.
  case invoiced
  /// https://github.com/standard-webhooks/standard-webhooks, symmetric signatures (`v1`).
  case standardWebhooks
  case hmac(HMACScheme)
}

/// An HMAC scheme that is put together from its parts, as configured under `pms.callback.signature`.
public struct HMACScheme: Sendable, Equatable {
  public enum Algorithm: String, Sendable, CaseIterable { case sha1, sha256, sha384, sha512 }

  /// How the signature is written. Either base64 is read in both alphabets.
  public enum Encoding: String, Sendable, CaseIterable { case hex, base64, base64url }

  /// The header that carries the signature.
  public var header: String
  public var algorithm: Algorithm
  public var encoding: Encoding
  /// What stands before the encoded signature, such as `sha256=`; required, in this case.
  public var prefix: String
  /// The header that carries the time of signing in UNIX seconds; nil where there is none, and no tolerance then.
  public var timestampHeader: String?
  /// The header that carries the event's id, for `{id}` in `signed`.
  public var idHeader: String?
  /// What is signed: text with `{body}`, `{timestamp}` and `{id}` in it.
  public var signed: String

  public init(
    header: String = "X-Signature", algorithm: Algorithm = .sha256, encoding: Encoding = .hex,
    prefix: String = "sha256=", timestampHeader: String? = nil, idHeader: String? = nil, signed: String = "{body}"
  ) {
    self.header = header
    self.algorithm = algorithm
    self.encoding = encoding
    self.prefix = prefix
    self.timestampHeader = timestampHeader
    self.idHeader = idHeader
    self.signed = signed
  }
}
