import JSON
import Testing

@Suite("Paths") struct JSONPathTests {
  @Test(
    "paths read, write and print",
    arguments: [
      "name", "address.street", "tags[0]", #"a\.b.c"#, "[1][2].x", "metadata.vip level", #"\[x\]"#, "t[9999]",
    ])
  func paths(text: String) throws {
    let path = try #require(JSONPath(text))
    #expect(path.description == text)
    var value = JSONValue.null
    value.set("x", at: path)
    #expect(value[path] == "x")
  }

  @Test(
    "what is no path is refused",
    arguments: [
      "", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b", "a.[0]", "a\\", #"a[0]\.b"#, "a[10000]", "a[-1]", "a[]",
      "a[99999999999999999999]", "a\\x",
    ])
  func notPaths(text: String) { #expect(JSONPath(text) == nil) }

  @Test("a huge index lays nothing in")
  func hugeIndex() {
    var value: JSONValue = ["tags": [1]]
    value.set(2, at: JSONPath([.key("tags"), .index(999_999_999)]))
    #expect(value == ["tags": [1]])
  }

  @Test("keys are compared as bytes")
  func bytes() { #expect(JSONPath("\u{E9}") != JSONPath("e\u{301}")) }
}
