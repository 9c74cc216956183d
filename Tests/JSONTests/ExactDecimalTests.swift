import JSON
import Testing

@Suite("Exact decimals") struct ExactDecimalTests {
  @Test(
    "a number has one form",
    arguments: [
      ("0", "0"), ("-0", "0"), ("0.000", "0"), ("-0e999999999999", "0"), ("1.10", "1.1"), ("1.1", "1.1"),
      ("100", "100"),
      ("1e2", "100"), ("1E+2", "100"), ("1200e-2", "12"), ("-0.050", "-0.05"), ("5e-3", "0.005"), ("007", "7"),
      ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
      ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
      ("1e40", "1" + String(repeating: "0", count: 40)), ("1e00000000000002", "100"),
    ])
  func forms(text: String, plain: String) throws {
    let number = try #require(ExactDecimal(text))
    #expect(number.description == plain)
    #expect(number == ExactDecimal(plain))
    #expect(number.hashValue == ExactDecimal(plain)?.hashValue)
  }

  @Test(
    "what is no number, or no bounded one, is refused",
    arguments: [
      "", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", " 1", "1 ", "1,5", "1e400", "1e-400", "1e99999999999999999999",
      "123456789012345678901234567890123456789", "NaN", "١", "1.2.3", "--1",
    ])
  func refused(text: String) { #expect(ExactDecimal(text) == nil) }

  @Test(
    "rounding takes the nearest, and of two the even",
    arguments: [
      ("0.5", 0, "0"), ("1.5", 0, "2"), ("2.5", 0, "2"), ("-2.5", 0, "-2"), ("-3.5", 0, "-4"), ("2.51", 0, "3"),
      ("1.005", 2, "1"), ("1.015", 2, "1.02"), ("1.025", 2, "1.02"), ("0.004", 2, "0"), ("-0.004", 2, "0"),
      ("99.995", 2, "100"), ("150", -2, "200"), ("250", -2, "200"), ("1.1", 5, "1.1"), ("1e-100", 2, "0"),
      ("99999999999999999999999999999999999999", -37, "100000000000000000000000000000000000000"),
    ])
  func rounding(text: String, places: Int, rounded: String) throws {
    let number = try #require(ExactDecimal(text))
    #expect(number.rounded(toScale: places).description == rounded)
    #expect(number.rounded(toScale: places).rounded(toScale: places) == number.rounded(toScale: places))
  }

  @Test(
    "other ways of rounding",
    arguments: [
      ("2.5", .halfUp, "3"), ("-2.5", .halfUp, "-3"), ("2.49", .halfUp, "2"), ("2.9", .down, "2"),
      ("-2.9", .down, "-2"),
      ("2.9", .floor, "2"), ("-2.1", .floor, "-3"), ("-1e-60", .floor, "-1"), ("-2", .floor, "-2"),
    ] as [(String, ExactDecimal.Rounding, String)])
  func otherRounding(text: String, rounding: ExactDecimal.Rounding, rounded: String) throws {
    #expect(try #require(ExactDecimal(text)).rounded(toScale: 0, rounding).description == rounded)
  }

  @Test("numbers stand in their order")
  func order() throws {
    let texts = [
      "-1e100", "-12345678901234567890123456789012345678", "-2", "-1.1", "-1", "-0.01", "-1e-100", "0", "1e-100",
      "0.01",
      "0.1", "0.11", "1", "1.0000000000000000000000000000000000001", "1.1", "9", "10", "11", "100", "1e100",
    ]
    let numbers = try texts.map { try #require(ExactDecimal($0)) }
    for (i, a) in numbers.enumerated() {
      for (j, b) in numbers.enumerated() { #expect((a < b) == (i < j), "\(a) < \(b)") }
    }
  }

  @Test(
    "64-bit integers come out exactly, and nothing else does",
    arguments: [
      ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("9223372036854775808", nil),
      ("-9223372036854775809", nil), ("1.5", nil), ("1e18", 1_000_000_000_000_000_000), ("1e19", nil), ("3.0", 3),
      ("1e100", nil), ("0", 0),
    ] as [(String, Int64?)])
  func integers(text: String, value: Int64?) throws { #expect(try #require(ExactDecimal(text)).int64 == value) }
}
