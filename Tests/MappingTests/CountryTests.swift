import JSON
import Mapping
import Testing

@Suite("Countries") struct CountryTests {
  let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ".map(String.init)

  @Test("all 249 countries go to each form and back", arguments: Converter.CountryForm.allCases)
  func complete(form: Converter.CountryForm) throws {
    let pair = row("country", "c", .string, [.country(form)])
    var forms: Set<JSONValue> = []
    for a in letters {
      for b in letters {
        guard let sent = try? pair.translated(from: .invoiced, raw: .string(a + b)) else { continue }
        #expect(forms.insert(sent).inserted, "\(sent.text) twice")
        #expect(try pair.translated(from: .pms, raw: sent) == .string(a + b))
        let folded = try #require(sent.string?.lowercased())
        #expect(try pair.translated(from: .pms, raw: .string(folded)) == .string(a + b))
      }
    }
    #expect(forms.count == 249)
  }

  @Test(
    "names are read as people write them",
    arguments: [
      ("United States", "US"), ("united states of america", "US"), ("The Netherlands", "NL"),
      ("Netherlands (the)", "NL"),
      ("Korea (the Republic of)", "KR"), ("South Korea", "KR"), ("Korea, Democratic People's Republic of", "KP"),
      ("Côte d'Ivoire", "CI"), ("Co\u{302}te d'Ivoire", "CI"), ("Bolivia (Plurinational State of)", "BO"),
      ("Congo", "CG"), ("Congo (the Democratic Republic of the)", "CD"), ("Åland Islands", "AX"), (" Norway ", "NO"),
    ])
  func names(name: String, code: String) throws {
    #expect(
      try row("country", "c", .string, [.country(.name)]).translated(from: .pms, raw: .string(name)) == .string(code))
  }
}
