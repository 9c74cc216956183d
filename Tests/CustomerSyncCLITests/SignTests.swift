import Testing

@Suite struct SignTests {
  @Test(
    "signs the sample events, byte for byte, as Invoiced does",
    arguments: [
      ("01-customer-created-company", "bf69dba9f26b04fcdd36cf3ee83711904f593473650d818b316b513d0759c78a"),
      ("02-customer-created-person-unicode", "b71e18cd1d459cb3548912f34649e13e1433169f080c6b39ac69fd89def33e91"),
      ("04-customer-updated-address", "5f53bda56c6616e34296009a847ab61412d09b76dc6a512f49d0f3a9be2a7c9e"),
      ("10-invoice-created", "158f0c8a139cc6c083f31452aa9232f4a34fd94b8e1691c3f629092c729e999c"),
    ])
  func invoiced(name: String, signature: String) throws {
    let outcome = try Program().run([
      "sign", "--scheme", "invoiced", "--secret", "4b37d5776dad4059ab4c80fa072e3fce", Program.fixture(name + ".json"),
    ])
    #expect(outcome == .init(status: 0, output: "X-Invoiced-Signature: \(signature)\n", messages: ""))
  }

  @Test(
    "signs standard input by each scheme",
    arguments: [
      (
        ["--scheme", "invoiced", "--secret", "4b37d5776dad4059ab4c80fa072e3fce"], #"{"test":true}"#,
        "X-Invoiced-Signature: 341cb5ca9555e923c908c2eb5d36189ea11d90c0dfd559377c5edb669f9cf240\n"
      ),
      (  // The specification's own example.
        [
          "--scheme", "standard-webhooks", "--secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "--id",
          "msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp", "1614265330",
        ], #"{"test": 2432232314}"#,
        "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek\nwebhook-timestamp: 1614265330\n"
          + "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n"
      ),
      (  // RFC 4231, case 2.
        ["--scheme", "hmac", "--secret", "Jefe"], "what do ya want for nothing?",
        "X-Signature: sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843\n"
      ),
      (
        ["--scheme", "hmac", "--secret", "Jefe", "--header", "X-Hub", "--prefix", "", "--encoding", "base64"],
        "what do ya want for nothing?", "X-Hub: W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=\n"
      ),
      (
        [
          "--scheme", "hmac", "--secret", "Jefe", "--signed", "what do ya {timestamp}{body}", "--timestamp", "7",
          "--timestamp-header", "X-Time", "--algorithm", "sha1", "--prefix", "",
        ], "", "X-Time: 7\nX-Signature: 1ecdbb383459ebcbdcbafda6320c7439e1960b3f\n"
      ),
    ])
  func input(arguments: [String], body: String, headers: String) throws {
    #expect(try Program().run(["sign"] + arguments, input: body) == .init(status: 0, output: headers, messages: ""))
  }

  @Test("makes an id up and takes the time, where none is given")
  func defaults() throws {
    let lines = try Program().run(
      ["sign", "--scheme", "hmac", "--secret", "s", "--signed", "{id}{timestamp}{body}"], input: "x"
    ).output.split(separator: "\n")
    #expect(lines.map { $0.prefix { $0 != ":" } } == ["webhook-id", "X-Timestamp", "X-Signature"])
    #expect(lines.first?.hasPrefix("webhook-id: evt_") == true)
  }

  @Test(
    "refuses what can't be signed as wrong usage",
    arguments: [
      ["--scheme", "hmac", "--secret", ""], ["--scheme", "hmac", "--secret", "s", "--signed", "x"],
      ["--scheme", "standard-webhooks", "--secret", "whsec_?"], ["--scheme", "hmac"], ["--scheme", "none"],
      ["--scheme", "invoiced", "--secret", "s", "--header", "X"],
      ["--scheme", "hmac", "--secret", "s", "--header", "X Y"], ["--scheme", "hmac", "--secret", "s", "--id", ""],
    ])
  func refusals(arguments: [String]) throws {
    let outcome = try Program().run(["sign"] + arguments, input: "x")
    #expect(outcome.status == 64)
    #expect(outcome.output.isEmpty)
  }

  @Test("says which file can't be read")
  func noFile() throws {
    #expect(
      try Program().run(["sign", "--scheme", "invoiced", "--secret", "s", "none.json"])
        == .init(
          status: 1, output: "", messages: "error: 'none.json' can't be read: No such file or directory\n"))
  }
}
