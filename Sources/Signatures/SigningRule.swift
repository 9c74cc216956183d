/// Any scheme, in the one form that signing and verifying work from.
struct SigningRule: Sendable {
  enum Part: Equatable, Sendable {
    case text([UInt8])
    case body, timestamp, id
  }

  let format: HMACScheme
  let parts: [Part]
  /// Standard Webhooks': several signatures separated by blanks (of several keys), and a base64 secret.
  let isStandardWebhooks: Bool

  init(_ scheme: SignatureScheme) throws(SignatureError) {
    switch scheme {
    case .invoiced: format = HMACScheme(header: "X-Invoiced-Signature", prefix: "")
    case .standardWebhooks:
      format = HMACScheme(
        header: "webhook-signature", encoding: .base64, prefix: "v1,", timestampHeader: "webhook-timestamp",
        idHeader: "webhook-id", signed: "{id}.{timestamp}.{body}")
    case .hmac(let configured): format = configured
    }
    isStandardWebhooks = scheme == .standardWebhooks
    guard !format.header.isEmpty else { throw .emptyHeaderName }
    parts = try Self.parts(of: format.signed)
    guard parts.contains(.body) else { throw .bodyNotSigned(template: format.signed) }
    if parts.contains(.timestamp), format.timestampHeader == nil {
      throw .headerMissing(placeholder: "{timestamp}", template: format.signed)
    }
    if parts.contains(.id), format.idHeader == nil {
      throw .headerMissing(placeholder: "{id}", template: format.signed)
    }
  }

  private static func parts(of template: String) throws(SignatureError) -> [Part] {
    var parts: [Part] = []
    var rest = Substring(template)
    while let brace = rest.firstIndex(of: "{") {
      if brace > rest.startIndex { parts.append(.text(Array(rest[..<brace].utf8))) }
      rest = rest[brace...]
      let name = rest.firstIndex(of: "}").map { rest[...$0] } ?? rest
      switch name {
      case "{body}": parts.append(.body)
      case "{timestamp}": parts.append(.timestamp)
      case "{id}": parts.append(.id)
      default: throw .unknownPlaceholder(String(name), template: template)
      }
      rest = rest[name.endIndex...]
    }
    if !rest.isEmpty { parts.append(.text(Array(rest.utf8))) }
    return parts
  }

  /// The key that a secret stands for, made ready.
  func key(of secret: Secret) throws(SignatureError) -> MACKey {
    guard !secret.isEmpty else { throw .emptySecret }
    guard isStandardWebhooks else { return try MACKey(secret.revealed, algorithm: format.algorithm) }
    // The specification's own libraries also take a secret without its `whsec_`.
    let text = secret.revealedText.utf8
    let encoded = Substring(text.starts(with: "whsec_".utf8) ? text.dropFirst("whsec_".utf8.count) : text[...])
    guard let bytes = Base64.decode(encoded) else { throw .secretIsNotBase64 }
    guard !bytes.isEmpty else { throw .emptySecret }
    return try MACKey(bytes, algorithm: format.algorithm)
  }

  /// The signed content, in pieces, so that the body isn't copied.
  func content(id: [UInt8], timestamp: [UInt8], body: [UInt8]) -> [[UInt8]] {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .body: body
      case .timestamp: timestamp
      case .id: id
      }
    }
  }

  func encode(_ signature: [UInt8]) -> String {
    switch format.encoding {
    case .hex: format.prefix + Hex.encode(signature)
    case .base64: format.prefix + Base64.encode(signature)
    case .base64url: format.prefix + Base64.encode(signature, urlSafe: true)
    }
  }

  /// The signatures that a header's value offers; of other versions, or unreadable, none.
  func decode(_ value: String) -> [[UInt8]] {
    guard isStandardWebhooks else { return signature(value[...]).map { [$0] } ?? [] }
    return value.split(separator: " ").compactMap(signature)
  }

  private func signature(_ entry: Substring) -> [UInt8]? {
    var encoded = entry
    if !format.prefix.isEmpty {
      guard entry.utf8.starts(with: format.prefix.utf8) else { return nil }
      encoded = Substring(entry.utf8.dropFirst(format.prefix.utf8.count))
    }
    return format.encoding == .hex ? Hex.decode(encoded) : Base64.decode(encoded)
  }
}
