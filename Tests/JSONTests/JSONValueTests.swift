import JSON
import Testing

@Suite("JSON") struct JSONValueTests {
  @Test(
    "a text is written as it was read",
    arguments: [
      "null", "true", "[1.10,-0,1e400,12345678901234567890]", #"{"b":1,"a":{"c":[]}}"#, #""é\n\"""#,
    ])
  func roundTrip(text: String) throws {
    #expect(try JSONValue(parsing: text).text == text)
  }

  @Test("paths read, write and print", arguments: ["name", "address.street", "tags[0]", #"a\.b.c"#, "[1][2].x"])
  func paths(text: String) throws {
    let path = try #require(JSONPath(text))
    #expect(path.description == text)
    var value = JSONValue.null
    value.set("x", at: path)
    #expect(value[path] == "x")
  }

  @Test("what is no path is refused", arguments: ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b", "a.[0]", "a\\"])
  func notPaths(text: String) { #expect(JSONPath(text) == nil) }
}
