/// Whether a request is what its sender signed. The reason is for logs: it holds no secret and no signature.
public enum Verdict: Sendable, Equatable {
  case valid
  case invalid(Reason)

  public enum Reason: Sendable, Equatable, CustomStringConvertible {
    case headerMissing(String)
    /// The header is given twice, with different values.
    case headerContradicts(String)
    /// Not in the scheme's form: a prefix missing, no hex or base64, or of another length.
    case signatureMalformed
    case signatureWrong
    /// Not a whole number of UNIX seconds.
    case timestampMalformed
    case timestampTooOld
    case timestampInFuture
    case cryptographyFailed

    public var description: String {
      switch self {
      case .headerMissing(let name): "header \(name) is missing or empty"
      case .headerContradicts(let name): "header \(name) is given twice with different values"
      case .signatureMalformed: "the signature has not the configured form (prefix, encoding, length)"
      case .signatureWrong: "the signature fits none of the configured secrets: compare them with the sender's"
      case .timestampMalformed: "the timestamp is not a number of UNIX seconds"
      case .timestampTooOld: "the timestamp is older than the tolerance"
      case .timestampInFuture: "the timestamp is further in the future than the tolerance"
      case .cryptographyFailed: "OpenSSL could not compute the signature"
      }
    }
  }
}

/// Checks the signatures of one sender. Usable from any thread.
public final class SignatureVerifier: Sendable {
  private let rule: SigningRule
  private let keys: [MACKey]
  private let tolerance: Duration

  /// - Parameters:
  ///   - secrets: All that are valid now; several while they are being rotated.
  ///   - tolerance: How far a timestamp, where the scheme has one, may be from now on either side.
  public init(
    scheme: SignatureScheme, secrets: [Secret], tolerance: Duration = .seconds(300)
  ) throws(SignatureError) {
    rule = try SigningRule(scheme)
    guard !secrets.isEmpty else { throw .noSecret }
    guard tolerance >= .zero else { throw .negativeTolerance }
    var keys: [MACKey] = []
    for secret in secrets { keys.append(try rule.key(of: secret)) }
    self.keys = keys
    self.tolerance = tolerance
  }

  /// - Parameters:
  ///   - body: The bytes as received.
  ///   - headers: All values of a header, whose name is compared without regard to case.
  ///   - now: UNIX seconds.
  public func verify(body: [UInt8], headers: (String) -> [String], now: Int64) -> Verdict {
    do throws(Refusal) {
      let signatures = rule.decode(try Self.value(of: rule.format.header, headers))
      var timestamp: [UInt8] = []
      if let header = rule.format.timestampHeader {
        timestamp = Array(try Self.value(of: header, headers).utf8)
        try checkTime(timestamp, now: now)
      }
      var id: [UInt8] = []
      if let header = rule.format.idHeader, rule.parts.contains(.id) {
        id = Array(try Self.value(of: header, headers).utf8)
      }
      guard !signatures.isEmpty else { throw Refusal(.signatureMalformed) }
      try compare(signatures, with: rule.content(id: id, timestamp: timestamp, body: body))
      return .valid
    } catch {
      return .invalid(error.reason)
    }
  }

  /// Goes through every secret and every signature, whichever fits, so that the time taken doesn't tell which.
  private func compare(_ signatures: [[UInt8]], with content: [[UInt8]]) throws(Refusal) {
    var fits = false
    var hasLength = false
    for key in keys {
      guard let expected = key.authenticate(content) else { throw Refusal(.cryptographyFailed) }
      for signature in signatures {
        if signature.count == expected.count { hasLength = true }
        if constantTimeEqual(signature, expected) { fits = true }
      }
    }
    guard fits else { throw Refusal(hasLength ? .signatureWrong : .signatureMalformed) }
  }

  private func checkTime(_ text: [UInt8], now: Int64) throws(Refusal) {
    // Digits only: `Int64` alone would take a sign too.
    guard text.allSatisfy({ (0x30...0x39).contains($0) }), let time = Int64(String(decoding: text, as: UTF8.self))
    else { throw Refusal(.timestampMalformed) }
    let (age, overflow) = now.subtractingReportingOverflow(time)
    guard !overflow else { throw Refusal(.timestampMalformed) }
    if Duration.seconds(age) > tolerance { throw Refusal(.timestampTooOld) }
    if Duration.seconds(age) < .zero - tolerance { throw Refusal(.timestampInFuture) }
  }

  /// The one value of a header, without blanks around it.
  private static func value(of name: String, _ headers: (String) -> [String]) throws(Refusal) -> String {
    let values = headers(name)
    guard let value = values.first.map(trimmed), !value.utf8.isEmpty else { throw Refusal(.headerMissing(name)) }
    // As bytes: Swift takes canonically equivalent texts for equal.
    guard values.dropFirst().allSatisfy({ trimmed($0).utf8.elementsEqual(value.utf8) }) else {
      throw Refusal(.headerContradicts(name))
    }
    return value
  }

  private static func trimmed(_ text: String) -> String {
    let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0d).contains(byte) }
    if let first = text.utf8.first, let last = text.utf8.last, !isBlank(first), !isBlank(last) { return text }
    guard let first = text.utf8.firstIndex(where: { !isBlank($0) }),
      let last = text.utf8.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(Substring(text.utf8[first...last]))
  }

  private struct Refusal: Error {
    let reason: Verdict.Reason
    init(_ reason: Verdict.Reason) { self.reason = reason }
  }
}
