import JSON
import Testing

@Suite("JSON") struct JSONValueTests {
  @Test(
    "a text is written as it was read",
    arguments: [
      "null", "true", "[1.10,-0,1e400,12345678901234567890]", #"{"b":1,"a":{"c":[]}}"#, #""é\n\"\u0001""#,
    ])
  func roundTrip(text: String) throws {
    #expect(try JSONValue(parsing: text).text == text)
  }

  @Test(
    "what is no JSON text is refused",
    arguments: [
      ("", .unexpectedEnd), (" ", .unexpectedEnd), ("nul", .unexpectedEnd), ("nulL", .unexpectedByte),
      ("[1,]", .unexpectedByte), ("{\"a\"}", .unexpectedByte), ("{a:1}", .unexpectedByte), ("01", .trailingBytes),
      ("1.", .unexpectedEnd), ("-x", .invalidNumber), ("\"\u{1}\"", .invalidString), (#""\x""#, .invalidString),
      (#""\ud800""#, .invalidString), (#""\udc00""#, .invalidString), (#""\ud800\u0041""#, .invalidString),
      (#""\u12g4""#, .invalidString), ("\u{FEFF}1", .unexpectedByte), ("1 2", .trailingBytes), ("'a'", .unexpectedByte),
    ] as [(String, JSONError.Reason)])
  func refused(text: String, reason: JSONError.Reason) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    #expect(error?.reason == reason)
  }

  @Test(
    "bytes that are not UTF-8 are refused",
    arguments: [
      [0x80], [0xC0, 0xAF], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80], [0xE2, 0x82], [0xFF],
    ] as [[UInt8]])
  func notUTF8(bytes: [UInt8]) {
    let error = #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22] + bytes + [0x22]) }
    #expect(error == JSONError(reason: .invalidUTF8, offset: 1))
  }

  @Test("of a repeated key the last counts; keys are compared as bytes")
  func repeatedKeys() throws {
    let value = try JSONValue(parsing: #"{"b":1,"a":1,"b":2,"e\u0301":3,"\u00e9":4}"#)
    #expect(value == ["a": 1, "b": 2, "e\u{301}": 3, "\u{E9}": 4])
    #expect(value.object?.count == 4)
    #expect(value["b"] == 2)
    #expect(value["\u{E9}"] == 4)
  }

  @Test("objects are equal whatever their order, and then hash alike")
  func equality() throws {
    let (a, b) = try (
      JSONValue(parsing: #"{"x":[1],"y":{"p":1,"q":2}}"#), JSONValue(parsing: #"{"y":{"q":2,"p":1},"x":[1]}"#)
    )
    #expect(a == b)
    #expect(a.hashValue == b.hashValue)
    #expect(a.hashValue != (["x": [2], "y": ["p": 1, "q": 2]] as JSONValue).hashValue)
    #expect(JSONValue("e\u{301}") != "\u{E9}")
    #expect(try JSONValue(parsing: "1.10") != JSONValue(parsing: "1.1"))
  }

  @Test(
    "an object of 50,000 members, in no order and all repeated, is read and compared quickly", .timeLimit(.minutes(1)))
  func large() throws {
    let members = (0..<50_000).map { "\"k\($0 &* 7919 % 50_000)\":\($0)" }
    let text = "{" + (members + members.reversed()).joined(separator: ",") + "}"
    let value = try JSONValue(parsing: text)
    #expect(value.object?.count == 50_000)
    #expect(try value == JSONValue(parsing: text))
    #expect(Set([value]).contains(value))
  }

  @Test("text for people")
  func pretty() throws {
    #expect(
      try JSONValue(parsing: #"{"a":[1.10,{}],"b":{"c":[]},"d":"é"}"#).pretty == """
        {
          "a": [
            1.10,
            {}
          ],
          "b": {
            "c": []
          },
          "d": "é"
        }
        """)
  }

  @Test("a number's text is checked", arguments: ["", "1.", "01", "x", "1 ", " 1", "[1]", "+1", "NaN", "\"1\""])
  func notNumbers(text: String) { #expect(JSONNumber(validating: text) == nil) }

  @Test("a number keeps its text", arguments: ["1.10", "-0", "1E5", "12345678901234567890"])
  func numbers(text: String) { #expect(JSONNumber(validating: text)?.text == text) }
}
