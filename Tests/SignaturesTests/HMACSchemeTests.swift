import Testing

@testable import Signatures

@Suite("A configured HMAC") struct HMACSchemeTests {
  private let body = Array(#"{"id":"evt_01"}"#.utf8)
  private let secret = Secret("s3cret")

  private func verify(_ scheme: HMACScheme, _ fields: [(name: String, value: String)], now: Int64 = 0) throws -> Verdict
  {
    try SignatureVerifier(scheme: .hmac(scheme), secrets: [Secret("old"), secret])
      .verify(body: body, headers: headers(fields), now: now)
  }

  @Test(
    "what is signed is valid, in every algorithm and encoding", arguments: HMACScheme.Algorithm.allCases,
    HMACScheme.Encoding.allCases)
  func roundTrip(algorithm: HMACScheme.Algorithm, encoding: HMACScheme.Encoding) throws {
    let scheme = HMACScheme(
      header: "X-Sig", algorithm: algorithm, encoding: encoding, prefix: "t:", timestampHeader: "X-Time",
      idHeader: "X-Id", signed: "v0:{timestamp}:{id}:{body}!")
    let signed = try signatureHeaders(
      scheme: .hmac(scheme), secret: secret, id: "evt_01", timestamp: 1000, body: body)
    #expect(signed.map(\.name) == ["X-Id", "X-Time", "X-Sig"])
    #expect(try verify(scheme, signed, now: 1000) == .valid)
    #expect(try verify(scheme, signed, now: 1301) == .invalid(.timestampTooOld))
    var altered = signed
    altered[0].value = "evt_02"
    #expect(try verify(scheme, altered, now: 1000) == .invalid(.signatureWrong))
    altered = signed
    altered[1].value = "1001"
    #expect(try verify(scheme, altered, now: 1000) == .invalid(.signatureWrong))
    var other = scheme
    other.signed = "v0:{timestamp}:{id}:{body}"
    #expect(try verify(other, signed, now: 1000) == .invalid(.signatureWrong))
  }

  @Test("GitHub's form: its documented vector")
  func gitHub() throws {
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    let value = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    let verifier = try SignatureVerifier(
      scheme: .hmac(HMACScheme(header: "X-Hub-Signature-256")), secrets: [Secret("It's a Secret to Everybody")])
    let look = headers([("x-hub-signature-256", value)])
    #expect(verifier.verify(body: Array("Hello, World!".utf8), headers: look, now: 0) == .valid)
  }

  @Test("the prefix is required, in its case")
  func prefix() throws {
    let scheme = HMACScheme()
    let value = try #require(
      signatureHeaders(scheme: .hmac(scheme), secret: secret, id: "", timestamp: 0, body: body).first?.value)
    #expect(value.hasPrefix("sha256="))
    #expect(try verify(scheme, [("X-Signature", value)]) == .valid)
    for bad in [String(value.dropFirst(7)), "SHA256" + value.dropFirst(6), "sha256= " + value.dropFirst(7), "sha256="] {
      #expect(try verify(scheme, [("X-Signature", bad)]) == .invalid(.signatureMalformed))
    }
  }

  @Test("base64 is read in either alphabet, padded or not")
  func base64() throws {
    let scheme = HMACScheme(encoding: .base64, prefix: "")
    let value = try #require(
      signatureHeaders(scheme: .hmac(scheme), secret: secret, id: "", timestamp: 0, body: body).first?.value)
    let bytes = try #require(Base64.decode(value))
    for form in [value, String(value.dropLast()), Base64.encode(bytes, urlSafe: true)] {
      #expect(try verify(scheme, [("X-Signature", form)]) == .valid)
    }
  }

  @Test("without a timestamp header no time is asked for")
  func noTimestamp() throws {
    let signed = try signatureHeaders(
      scheme: .hmac(HMACScheme()), secret: secret, id: "x", timestamp: 5, body: body)
    #expect(signed.map(\.name) == ["X-Signature"])
    #expect(try verify(HMACScheme(), signed, now: .max) == .valid)
  }

  @Test("a configuration that can't protect is refused, and says what to do")
  func refused() {
    let table: [(HMACScheme, SignatureError)] = [
      (HMACScheme(header: ""), .emptyHeaderName),
      (HMACScheme(signed: ""), .bodyNotSigned(template: "")),
      (HMACScheme(timestampHeader: "T", signed: "{timestamp}"), .bodyNotSigned(template: "{timestamp}")),
      (
        HMACScheme(signed: "{timestamp}.{body}"),
        .headerMissing(placeholder: "{timestamp}", template: "{timestamp}.{body}")
      ),
      (HMACScheme(signed: "{id}{body}"), .headerMissing(placeholder: "{id}", template: "{id}{body}")),
      (HMACScheme(signed: "{body}{bdy}"), .unknownPlaceholder("{bdy}", template: "{body}{bdy}")),
      (HMACScheme(signed: "{body}{"), .unknownPlaceholder("{", template: "{body}{")),
    ]
    for (scheme, expected) in table {
      #expect(throws: expected) { try SignatureVerifier(scheme: .hmac(scheme), secrets: [secret]) }
    }
    #expect(throws: SignatureError.noSecret) { try SignatureVerifier(scheme: .invoiced, secrets: []) }
    #expect(throws: SignatureError.emptySecret) {
      try SignatureVerifier(scheme: .invoiced, secrets: [secret, Secret("")])
    }
    #expect(throws: SignatureError.emptySecret) {
      try SignatureVerifier(scheme: .standardWebhooks, secrets: [Secret("whsec_")])
    }
    #expect(throws: SignatureError.negativeTolerance) {
      try SignatureVerifier(scheme: .invoiced, secrets: [secret], tolerance: .seconds(-1))
    }
  }
}
