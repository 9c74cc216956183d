import Testing

@Suite struct OutputTests {
  @Test(
    "a result that can't be written is exit 1 and says why, whatever else there is to tell",
    arguments: [
      ["openapi"], ["mapping", "render"], ["check"], ["sign", "--scheme", "invoiced", "--secret", "s"],
      ["mapping", "import", "-"], ["links", "list", "--json"], ["status"],
    ])
  func full(arguments: [String]) throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let document = """
      Invoiced A to Custom PMS B
      --------------------------

      .. list-table::

         * - name
           - name
           - string

      """
    let outcome = try program.run(arguments, input: document, output: "/dev/full")
    #expect(outcome.status == 1)
    #expect(outcome.messages.hasSuffix("error: 'standard output' can't be written: No space left on device\n"))
  }

  @Test("what found differences is exit 1 too where it can't be told")
  func differences() throws {
    let program = try Program()
    try program.configure(mapping: Sample.mapping)
    let outcome = try program.run(["check", "--online", "--json"], output: "/dev/full")
    #expect(outcome.status == 1)
    #expect(outcome.messages.contains("'standard output' can't be written"))
  }
}
