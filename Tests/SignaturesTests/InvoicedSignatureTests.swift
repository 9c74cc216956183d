import Testing

@testable import Signatures

@Suite("Invoiced's signatures") struct InvoicedSignatureTests {
  private static let baseline = "341cb5ca9555e923c908c2eb5d36189ea11d90c0dfd559377c5edb669f9cf240"
  private let body = Array(#"{"test":true}"#.utf8)

  private func verdict(
    _ values: [String], body: [UInt8]? = nil, secrets: [Secret] = [Fixture.secret]
  ) throws -> Verdict {
    try SignatureVerifier(scheme: .invoiced, secrets: secrets).verify(
      body: body ?? self.body, headers: headers(values.map { ("X-Invoiced-Signature", $0) }), now: 0)
  }

  @Test("every sample webhook is valid, and not with a byte altered or a newline added", arguments: Fixture.all)
  func samples(fixture: Fixture) throws {
    let body = try fixture.body()
    #expect(try verdict([fixture.signature], body: body) == .valid)
    #expect(try verdict([fixture.signature], body: body + [0x0a]) == .invalid(.signatureWrong))
    #expect(try verdict([fixture.signature], body: body.dropLast()) == .invalid(.signatureWrong))
    for place in [0, body.count / 2, body.count - 1] {
      var altered = body
      altered[place] ^= 1
      #expect(try verdict([fixture.signature], body: altered) == .invalid(.signatureWrong))
    }
  }

  @Test(
    "a signature is compared as bytes",
    arguments: [baseline, baseline.uppercased(), " \t\(baseline)\r\n", "341CB5\(baseline.dropFirst(6))"])
  func valid(value: String) throws { #expect(try verdict([value]) == .valid) }

  private static let notSignatures: [String] = [
    "0", "00", "\(baseline.dropLast())", "\(baseline.dropLast(2))", "\(baseline)00", "zz\(baseline.dropFirst(2))",
    "sha256=\(baseline)", "\(baseline),\(baseline)", "0x\(baseline)", "３\(baseline.dropFirst())", "\u{0}",
    "\(baseline.prefix(32)) \(baseline.dropFirst(32))", "é", String(repeating: "ab", count: 100_000),
  ]

  @Test("what is no signature is malformed", arguments: notSignatures)
  func malformed(value: String) throws {
    #expect(try verdict([value]) == .invalid(.signatureMalformed))
  }

  @Test("a missing or empty header is missing", arguments: [[], [""], ["  "], ["", baseline]])
  func missing(values: [String]) throws {
    #expect(try verdict(values) == .invalid(.headerMissing("X-Invoiced-Signature")))
  }

  @Test("a header given twice must say the same")
  func twice() throws {
    #expect(try verdict([Self.baseline, Self.baseline + " "]) == .valid)
    let other = String(repeating: "0", count: 64)
    for values in [[Self.baseline, other], [other, Self.baseline], [Self.baseline, Self.baseline, ""]] {
      #expect(try verdict(values) == .invalid(.headerContradicts("X-Invoiced-Signature")))
    }
  }

  @Test("any of several secrets will do, wherever it stands")
  func rotation() throws {
    let others = [Secret("old"), Secret("older")]
    for place in 0...2 {
      var secrets = others
      secrets.insert(Fixture.secret, at: place)
      #expect(try verdict([Self.baseline], secrets: secrets) == .valid)
    }
    #expect(try verdict([Self.baseline], secrets: others) == .invalid(.signatureWrong))
  }

  @Test("the secret is text: its hex digits are not decoded, its form is not normalised")
  func secretIsText() throws {
    let decoded = try #require(Hex.decode(Fixture.secret.revealedText))
    #expect(try verdict([Self.baseline], secrets: [Secret(bytes: decoded)]) == .invalid(.signatureWrong))
    let composed = try signatureHeaders(scheme: .invoiced, secret: Secret("\u{e9}"), id: "", timestamp: 0, body: body)
    #expect(
      try verdict(composed.map(\.value), secrets: [Secret("e\u{301}")]) == .invalid(.signatureWrong))
  }

  @Test("an empty body has a signature too")
  func emptyBody() throws {
    let signed = try signatureHeaders(scheme: .invoiced, secret: Fixture.secret, id: "", timestamp: 0, body: [])
    #expect(signed.map(\.name) == ["X-Invoiced-Signature"])
    #expect(try verdict(signed.map(\.value), body: []) == .valid)
  }

  @Test("one verifier serves many threads")
  func threads() async throws {
    let verifier = try SignatureVerifier(scheme: .invoiced, secrets: [Fixture.secret])
    let body = body
    let wrong = await withTaskGroup(of: Int.self) { group in
      for task in 0..<8 {
        group.addTask {
          let altered = task.isMultiple(of: 2) ? body : body + [0]
          let expected: Verdict = task.isMultiple(of: 2) ? .valid : .invalid(.signatureWrong)
          let look = headers([("x-invoiced-signature", Self.baseline)])
          return (0..<500).count { _ in verifier.verify(body: altered, headers: look, now: 0) != expected }
        }
      }
      return await group.reduce(0, +)
    }
    #expect(wrong == 0)
  }
}
