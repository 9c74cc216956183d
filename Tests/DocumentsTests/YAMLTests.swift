import Documents
import JSON
import Mapping
import Testing

@Suite("YAML with positions") struct YAMLTests {
  private func read(_ text: String) -> (YAMLNode?, [String]) {
    let problems = ProblemList()
    let node = YAMLDocument.read(text: text, file: "f.yaml", into: problems)
    return (node, lines(problems.diagnostics))
  }

  @Test(
    "plain scalars resolve by YAML 1.2's core schema, with NO and its like as text",
    arguments: [
      ("no", "\"no\""), ("NO", "\"NO\""), ("yes", "\"yes\""), ("on", "\"on\""), ("off", "\"off\""), ("y", "\"y\""),
      ("true", "true"), ("False", "false"), ("null", "null"), ("~", "null"), ("", "null"), ("12", "12"), ("-3", "-3"),
      ("1.10", "1.10"), ("9007199254740993", "9007199254740993"), ("1e3", "1e3"), ("007", "\"007\""),
      ("+47 22", "\"+47 22\""), ("0x1F", "\"0x1F\""), (".inf", "\".inf\""), ("'12'", "\"12\""),
      ("\"true\"", "\"true\""),
      ("2024-01-02", "\"2024-01-02\""), ("12:30:45", "\"12:30:45\""), ("1_000", "\"1_000\""), ("NET 30", "\"NET 30\""),
      ("|\n  12", "\"12\""), ("[no, 1, {a: NO}]", "[\"no\",1,{\"a\":\"NO\"}]"),
    ])
  func resolves(_ yaml: String, _ json: String) {
    let (node, problems) = read("v: \(yaml)")
    #expect(node?.json["v"]?.text == json)
    #expect(problems == [])
  }

  @Test("a Norwegian key is text")
  func norwegianKey() {
    #expect(read("NO: 1\nno: 2").0?.json.text == "{\"NO\":1,\"no\":2}")
  }

  @Test("every value knows its line and column")
  func positions() throws {
    let (node, _) = read("a:\n  - b: 1\n    c: [x, y]\n")
    let row = try #require(node?.members?[0].value.list?[0])
    #expect(row.position.description == "f.yaml:2:5")
    #expect(row.members?[1].keyPosition.description == "f.yaml:3:5")
    #expect(row.members?[1].value.list?[1].position.description == "f.yaml:3:12")
  }

  @Test(
    "broken YAML is an error with its place and what to do",
    arguments: [
      (
        "a: 1\nb: 2\na: 3\n", "error 1:1 the key 'a' stands twice in one mapping -> keep one of the two"
      ),
      (
        "a:\n\t- b\n",
        "error 2:1 this is no valid YAML: found character that cannot start any token (while scanning for the next token in line 2) -> indent with spaces, not tabs, and put text that begins with a special character (@ ` % {) in quotes"
      ),
      (
        "a: b: c\n",
        "error 1:5 this is no valid YAML: mapping values are not allowed in this context -> put text that contains ': ' in quotes, and check the indentation"
      ),
      (
        "a: [1, 2\n",
        "error 2:1 this is no valid YAML: did not find expected ',' or ']' (while parsing a flow sequence in line 1) -> check the indentation, close brackets, and put text with brackets (a path with [0]) in quotes"
      ),
      (
        "a: 1\n---\nb: 2\n",
        "error 2:1 this is no valid YAML: but found another document (expected a single document in the stream in line 1) -> keep one document in the file (no second ---)"
      ),
      (
        "a: *x\n",
        "error 1:4 this is no valid YAML: found undefined alias -> put text that begins with * in quotes, or define the anchor before its use"
      ),
      (
        "a: x\u{1}y\n",
        "error 1:5 this is no valid YAML: control characters are not allowed -> remove the control character, or save the file as UTF-8"
      ),
      (
        "? [a]\n: 1\n",
        "error 1:3 a list or a mapping is used as a key -> write the key as plain text, and put text that begins with a bracket in quotes"
      ),
      (
        "b: &b {a: 1}\nc:\n  <<: *b\n",
        "error 3:3 the merge key << is not of YAML 1.2 -> write the keys out, or use an alias for a whole value"
      ),
    ])
  func broken(_ text: String, _ message: String) {
    #expect(read(text).1 == [message])
  }

  @Test("an alias stands for its whole value")
  func alias() {
    #expect(read("a: &x [1, 2]\nb: *x\n").0?.json.text == "{\"a\":[1,2],\"b\":[1,2]}")
  }

  @Test("aliases of aliases end in an error, as values and as keys", .timeLimit(.minutes(1)))
  func bombs() {
    var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    for level in 1...12 {
      text += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ") + "]\n"
    }
    #expect(read(text).1.first?.contains("more than 500000 values once its aliases are resolved") == true)
    #expect(read(text + "? *a12\n: 1\n").1.first?.contains("is used as a key") == true)
    #expect(read(text + "*a12 : 1\n").1.first?.contains("is used as a key") == true)
  }

  @Test("nesting without end is an error", .timeLimit(.minutes(1)))
  func deep() {
    #expect(read("a: " + String(repeating: "[", count: 100_000)).1.count == 1)
    #expect(read(String(repeating: "- ", count: 100_000)).1.count == 1)
  }

  @Test("an empty document is an empty mapping", arguments: ["", "# nothing\n", "---\n", "~\n"])
  func empty(_ text: String) {
    #expect(read(text).0?.members?.count == 0)
    #expect(read(text).1 == [])
  }

  @Test(
    "the nearest name is found over typing errors, and none where nothing is near",
    arguments: [
      ("directon", "direction"), ("on-link", "on_link"), ("onlink", "on_link"), ("propeties", "properties"),
      ("invoced", "invoiced"), ("xyzzy", nil), ("", nil),
    ])
  func nearest(_ name: String, _ expected: String?) {
    #expect(nearestName(to: name, among: ["direction", "on_link", "properties", "invoiced", "pms"]) == expected)
  }
}
