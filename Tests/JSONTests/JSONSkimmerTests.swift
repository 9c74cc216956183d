import JSON
import SeededRandom
import Testing

@Suite("Skimmer") struct JSONSkimmerTests {
  static let paths = ["id", "data", "data.object.id", "data.object", "a[1]", "a[0].id", "data.data.type"]
  static let marks = Array("{}[],:\"\\0e-.1tnu ".utf8)
  let skimmer = JSONSkimmer(paths.map { JSONPath($0)! }, marking: ["statement_url", "id"])

  @Test("finds the values of an event, and blanks its tokens")
  func event() throws {
    let text = #"""
      {"id": 9007199254740993, "type":"customer.updated",
      "data":{"object":{"id":17,"statement_url":"https:\/\/x\/token","name":"A\"}",
      "sub":[{"statement_url":"t2"},{"statement_url":null},{"statement_url":["no"]}]},
      "previous":{"statement_url":""}}}
      """#
    let bytes = Array(text.utf8)
    let skimmer = JSONSkimmer(
      ["id", "type", "data.object.id", "data.object.name", "timestamp"].map { JSONPath($0)! },
      marking: ["statement_url"])
    let found = try skimmer.skim(bytes)
    #expect(found.identifier(0, in: bytes) == "9007199254740993")
    #expect(found.string(0, in: bytes) == nil)
    #expect(found.identifier(1, in: bytes) == "customer.updated")
    #expect(found.identifier(2, in: bytes) == "17")
    #expect(found.string(3, in: bytes) == "A\"}")
    #expect(found.values[4] == nil)
    #expect(
      found.marked.map { String(decoding: bytes[$0], as: UTF8.self) } == [#""https:\/\/x\/token""#, #""t2""#, #""""#])
    let blanked = String(decoding: found.blanked(bytes), as: UTF8.self)
    #expect(blanked == text.replacing(#"https:\/\/x\/token"#, with: "").replacing("t2", with: ""))
  }

  @Test(
    "of a repeated key the last counts, at every level",
    arguments: [
      (#"{"id":1,"id":2}"#, ["id": "2"]),
      (#"{"data":{"object":{"id":1}},"data":{"x":0}}"#, ["data": #"{"x":0}"#]),
      (#"{"data":{"object":{"id":1}},"data":5}"#, ["data": "5"]),
      (#"{"data":{"object":{"id":1}},"data":{"object":{"id":2}}}"#, ["data.object.id": "2"]),
      (#"{"\u0069d":"\u0061"}"#, ["id": #""\u0061""#]),
      (#"{"a":[{"id":1},[2]]}"#, ["a[0].id": "1", "a[1]": "[2]"]),
    ] as [(String, [String: String])])
  func repeated(text: String, expected: [String: String]) throws {
    let bytes = Array(text.utf8)
    let found = try skimmer.skim(bytes)
    for (index, path) in Self.paths.enumerated() {
      let value = found.values[index].map { String(decoding: bytes[$0], as: UTF8.self) }
      if let wanted = expected[path] { #expect(value == wanted, "\(path)") }
      #expect(try value.map { try JSONValue(parsing: $0) } == JSONValue(parsing: text)[JSONPath(path)!], "\(path)")
    }
  }

  @Test("deep nesting is an error, not a crash; a long number is fine")
  func limits() throws {
    func nested(_ depth: Int) -> [UInt8] { Array(repeating: 0x5B, count: depth) + Array(repeating: 0x5D, count: depth) }
    _ = try skimmer.skim(nested(JSONValue.maximumDepth))
    for depth in [JSONValue.maximumDepth + 1, 10_000, 1_000_000] {
      #expect(throws: JSONError(reason: .tooDeep, offset: JSONValue.maximumDepth)) { try skimmer.skim(nested(depth)) }
      #expect(throws: JSONError(reason: .tooDeep, offset: JSONValue.maximumDepth)) {
        try JSONValue(parsing: nested(depth))
      }
    }
    let long = "{\"id\":\(String(repeating: "7", count: 400))}"
    #expect(try skimmer.skim(Array(long.utf8)).identifier(0, in: Array(long.utf8))?.utf8.count == 400)
  }

  @Test("agrees with the parser on random valid texts", arguments: UInt64(0)..<300)
  func valid(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let value = generator.value()
    let text = generator.written(value)
    #expect(try JSONValue(parsing: text) == value)
    try agree(Array(text.utf8))
  }

  @Test("agrees with the parser on random changes of valid texts", arguments: UInt64(0)..<300)
  func mutated(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let valid = Array(generator.written(generator.value()).utf8)
    for _ in 0..<30 {
      var bytes = valid
      for _ in 0...Int.random(in: 0..<3, using: &generator) {
        let index = Int.random(in: 0...bytes.count, using: &generator)
        let byte =
          generator.chance(2)
          ? UInt8.random(in: 0...255, using: &generator)
          : Self.marks.randomElement(using: &generator)!
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes.insert(byte, at: index)
        case 1 where index < bytes.count: bytes.remove(at: index)
        case 2: bytes = Array(bytes[..<index])
        default: if index < bytes.count { bytes[index] = byte }
        }
      }
      try agree(bytes)
    }
  }

  @Test("agrees with the parser on random bytes", arguments: UInt64(0)..<100)
  func garbage(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<100 {
      try agree(
        (0..<Int.random(in: 0..<12, using: &generator)).map { _ in
          generator.chance(2)
            ? UInt8.random(in: 0...255, using: &generator)
            : Self.marks.randomElement(using: &generator)!
        })
    }
  }

  /// The same verdict, the same error, the same values; what is accepted is UTF-8 and can be written and read again.
  private func agree(_ bytes: [UInt8]) throws {
    let parsed = Result { () throws(JSONError) in try JSONValue(parsing: bytes) }
    let skimmed = Result { () throws(JSONError) in try skimmer.skim(bytes) }
    switch (parsed, skimmed) {
    case (.failure(let a), .failure(let b)): #expect(a == b, "\(bytes)")
    case (.success(let value), .success(let found)):
      #expect(String(validating: bytes, as: UTF8.self) != nil)
      for (index, path) in Self.paths.enumerated() {
        let bytes = found.values[index].map { Array(bytes[$0]) }
        #expect(try bytes.map { try JSONValue(parsing: $0) } == value[JSONPath(path)!], "\(path)")
      }
      #expect(found.identifier(0, in: bytes) == value["id"]?.identifier)
      _ = try skimmer.skim(found.blanked(bytes))
      #expect(try JSONValue(parsing: value.serialized) == value)
      #expect(try JSONValue(parsing: value.pretty) == value)
    default: Issue.record("parser and skimmer disagree on \(bytes): \(parsed), \(skimmed)")
    }
  }
}
