import Testing

@testable import Signatures

@Suite("Digests, encodings and secrets") struct PrimitivesTests {
  struct Vector: Sendable {
    let key: [UInt8]
    let message: String
    let macs: [HMACScheme.Algorithm: String]
  }

  /// RFC 4231 sections 4.3 and 4.7 (a key longer than a block); RFC 2202 for SHA-1.
  static let vectors: [Vector] = [
    Vector(
      key: Array("Jefe".utf8), message: "what do ya want for nothing?",
      macs: [
        .sha1: "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        .sha256: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        .sha384: "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
        .sha512: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
          + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
      ]),
    Vector(
      key: Array(repeating: 0xaa, count: 131), message: "Test Using Larger Than Block-Size Key - Hash Key First",
      macs: [
        .sha256: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        .sha384: "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        .sha512: "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
          + "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
      ]),
  ]

  @Test("HMAC gives the RFCs' values, message after message from one key", arguments: vectors)
  func hmac(vector: Vector) throws {
    for (algorithm, mac) in vector.macs {
      let key = try MACKey(vector.key, algorithm: algorithm)
      let message = Array(vector.message.utf8)
      for split in [0, 1, message.count] {
        let pieces = [Array(message[..<split]), Array(message[split...])]
        #expect(key.authenticate(pieces).map(Hex.encode) == mac)
      }
    }
    #expect(Hex.encode(hmacSHA256(key: vector.key, message: Array(vector.message.utf8))) == vector.macs[.sha256])
  }

  @Test("an empty key and an empty message have a MAC")
  func emptyHMAC() {
    #expect(
      Hex.encode(hmacSHA256(key: [], message: []))
        == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
  }

  @Test("SHA-256 gives FIPS 180's values")
  func sha256() {
    #expect(
      Hex.encode(Digest.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      Hex.encode(Digest.sha256(Array("abc".utf8)))
        == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test(
    "base64 gives RFC 4648's values and reads them back",
    arguments: zip(
      ["", "f", "fo", "foo", "foob", "fooba", "foobar"],
      ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]))
  func base64(text: String, encoded: String) {
    #expect(Base64.encode(Array(text.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(text.utf8))
  }

  @Test("any bytes come back from hex and from both alphabets")
  func roundTrip() {
    for count in 0...70 {
      let bytes = Random.bytes(count)
      #expect(bytes.count == count)
      #expect(Hex.decode(Hex.encode(bytes)) == bytes)
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
      #expect(Base64.decode(Base64.encode(bytes, urlSafe: true)) == bytes)
    }
    #expect(Base64.encode([0xfb, 0xff]) == "+/8=")
    #expect(Base64.encode([0xfb, 0xff], urlSafe: true) == "-_8")
    #expect(Random.bytes(32) != Random.bytes(32))
  }

  @Test(
    "what is no base64 is refused",
    arguments: ["A", "AAAAA", "=", "A===", "AA=", "AAAA=", "AAA==", "AA==AA", "AA A", "AAAA\n", "ÄAAA", "A=AA", "===="])
  func notBase64(text: String) { #expect(Base64.decode(text) == nil) }

  @Test("what is no hex is refused", arguments: ["0", "0g", "0x", " 00", "00\n", "ａａ", "-1"])
  func notHex(text: String) { #expect(Hex.decode(text) == nil) }

  @Test("a secret shows nothing of itself")
  func redacted() {
    let secret = Secret("hunter2")
    var dumped = ""
    dump([secret], to: &dumped)
    for text in ["\(secret)", String(describing: secret), String(reflecting: secret), dumped, "\([secret])"] {
      #expect(text.contains("Secret(redacted)"))
      #expect(!text.contains("hunter2") && !text.contains("104"))
    }
    #expect(Mirror(reflecting: secret).children.isEmpty)
    #expect(secret.revealedText == "hunter2")
  }

  @Test("secrets are equal as bytes, not as text")
  func equality() {
    #expect(Secret("a") == Secret(bytes: [0x61]))
    #expect(Secret("a") != Secret("ab") && Secret("a") != Secret("b") && Secret("") == Secret(bytes: []))
    #expect(Secret("\u{e9}") != Secret("e\u{301}"))
  }
}
