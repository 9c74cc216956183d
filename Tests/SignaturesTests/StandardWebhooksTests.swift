import Testing

@testable import Signatures

@Suite("Standard Webhooks") struct StandardWebhooksTests {
  /// The vector of the specification's own libraries.
  private static let secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
  private static let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
  private static let time: Int64 = 1_614_265_330
  private static let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
  private static let body = Array(#"{"test": 2432232314}"#.utf8)

  private func verdict(
    id: [String] = [Self.id], timestamp: [String] = ["\(Self.time)"], signature: [String] = [Self.signature],
    secrets: [Secret] = [Self.secret], now: Int64 = Self.time, tolerance: Duration = .seconds(300),
    body: [UInt8] = Self.body
  ) throws -> Verdict {
    let fields =
      id.map { (name: "Webhook-Id", value: $0) } + timestamp.map { (name: "Webhook-Timestamp", value: $0) }
      + signature.map { (name: "Webhook-Signature", value: $0) }
    return try SignatureVerifier(scheme: .standardWebhooks, secrets: secrets, tolerance: tolerance)
      .verify(body: body, headers: headers(fields), now: now)
  }

  @Test("the specification's vector is what is signed, and is valid")
  func vector() throws {
    let signed = try signatureHeaders(
      scheme: .standardWebhooks, secret: Self.secret, id: Self.id, timestamp: Self.time, body: Self.body)
    #expect(signed.map(\.name) == ["webhook-id", "webhook-timestamp", "webhook-signature"])
    #expect(signed.map(\.value) == [Self.id, "\(Self.time)", Self.signature])
    #expect(try verdict() == .valid)
  }

  @Test("a secret may come without its prefix")
  func bareSecret() throws {
    #expect(try verdict(secrets: [Secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]) == .valid)
  }

  @Test("a secret that is no base64 is refused at once", arguments: ["whsec_a b", "whsec_%", "whsec_A"])
  func badSecret(text: String) {
    #expect(throws: SignatureError.secretIsNotBase64) { try verdict(secrets: [Secret(text)]) }
  }

  @Test(
    "any v1 signature of the list will do",
    arguments: [
      "v1,Y2hhbmdlZA== \(signature)", "\(signature) v1,Y2hhbmdlZA==", "v1a,abc v2,x \(signature)", "  \(signature)  ",
      "v1, v1,% \(signature)", "\(String(repeating: "v1,AAAA ", count: 2_000))\(signature)",
    ])
  func list(value: String) throws { #expect(try verdict(signature: [value]) == .valid) }

  @Test(
    "other versions, blanks and junk are no signature",
    arguments: [
      "v2\(signature.dropFirst(2))", "\(signature.dropFirst(3))", "v1\(signature.dropFirst(3))", "v1,",
      "v1,\(signature)", "V1\(signature.dropFirst(2))", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\u{1F4A9}",
      "\(signature.prefix(9)) \(signature.dropFirst(9))",
    ])
  func malformed(value: String) throws {
    #expect(try verdict(signature: [value]) == .invalid(.signatureMalformed))
  }

  @Test("id, timestamp and body are signed")
  func allSigned() throws {
    #expect(try verdict(id: ["msg_other"]) == .invalid(.signatureWrong))
    #expect(try verdict(timestamp: ["\(Self.time + 1)"]) == .invalid(.signatureWrong))
    #expect(try verdict(timestamp: ["0\(Self.time)"]) == .invalid(.signatureWrong))
    #expect(try verdict(body: Self.body + [0x0a]) == .invalid(.signatureWrong))
    #expect(try verdict(secrets: [Secret("whsec_AAAA")]) == .invalid(.signatureWrong))
  }

  @Test("a missing header is named")
  func missing() throws {
    #expect(try verdict(id: []) == .invalid(.headerMissing("webhook-id")))
    #expect(try verdict(timestamp: [" "]) == .invalid(.headerMissing("webhook-timestamp")))
    #expect(try verdict(signature: []) == .invalid(.headerMissing("webhook-signature")))
  }

  @Test("a header given twice must say the same")
  func twice() throws {
    #expect(
      try verdict(
        id: [Self.id, Self.id], timestamp: ["\(Self.time)", " \(Self.time)"],
        signature: [Self.signature, Self.signature]) == .valid)
    #expect(try verdict(id: [Self.id, "x"]) == .invalid(.headerContradicts("webhook-id")))
    #expect(try verdict(timestamp: ["\(Self.time)", "1"]) == .invalid(.headerContradicts("webhook-timestamp")))
    #expect(
      try verdict(signature: [Self.signature, "v1,AAAA"]) == .invalid(.headerContradicts("webhook-signature")))
  }

  @Test("the tolerance holds on both sides, to the second")
  func tolerance() throws {
    #expect(try verdict(now: Self.time + 300) == .valid)
    #expect(try verdict(now: Self.time - 300) == .valid)
    #expect(try verdict(now: Self.time + 301) == .invalid(.timestampTooOld))
    #expect(try verdict(now: Self.time - 301) == .invalid(.timestampInFuture))
    #expect(try verdict(now: .max) == .invalid(.timestampTooOld))
    #expect(try verdict(now: .min) == .invalid(.timestampMalformed))
    #expect(try verdict(now: Self.time + 1, tolerance: .zero) == .invalid(.timestampTooOld))
  }

  @Test(
    "what is no number of seconds is refused",
    arguments: [
      "-1", "+1614265330", "1614265330.0", "1614265330s", "0x60", "١٦١٤", "1e9", "16142 65330", "abc",
      "9223372036854775808", "99999999999999999999999999", "-9223372036854775808", "2021-02-25T15:02:10Z",
    ])
  func badTimestamps(text: String) throws {
    #expect(try verdict(timestamp: [text]) == .invalid(.timestampMalformed))
  }

  @Test("a timestamp in milliseconds, or the largest there is, is in the future")
  func farFuture() throws {
    for text in ["1614265330000", "9223372036854775807"] {
      #expect(try verdict(timestamp: [text]) == .invalid(.timestampInFuture))
    }
    #expect(try verdict(timestamp: ["0"]) == .invalid(.timestampTooOld))
  }
}
