import JSON
import Mapping
import Testing

@Suite("Near answers (rule 9)") struct NearnessTests {
  @Test(
    "an answer that is what was sent, normalised",
    arguments: [
      (PropertyType.string, #"" Acme  AS ""#, #""Acme AS""#), (.string, #""Acme AS""#, #""ACME AS""#),
      (.string, #""straße""#, #""STRASSE""#), (.string, #""ﬁrma ①""#, #""firma 1""#), (.string, #""Ａｃｍｅ""#, #""acme""#),
      (.string, #""a b""#, #""a b""#), (.string, #""Acme Norge AS""#, #""Acme No""#),
      (.string, #""Acme Norge""#, #""ACME""#),
      (.string, #""  ""#, "null"), (.string, "\"ne\u{301}e\"", "\"ne\""), (.string, #""𝐀𝐁㎏ﷺ""#, #""abkg""#),
      (.decimal, "10.005", "10"), (.decimal, "10.5", "11"), (.decimal, "10.59", "10.5"), (.decimal, "-2.5", "-3"),
      (.datetime, #""2026-03-01T12:00:00.75Z""#, #""2026-03-01T13:00:00+01:00""#),
      (.datetime, #""1960-03-01T12:00:00.75Z""#, #""1960-03-01T12:00:00Z""#),
      (.any, #"{"a":["X "]}"#, #"{"a":["x"]}"#), (.integer, "3", "3.0"), (.string, "null", #""""#),
    ])
  func near(type: PropertyType, sent: String, answered: String) {
    #expect(row("x", "x", type).isNear(sent: json(sent), answered: json(answered), on: .pms))
  }

  @Test(
    "an answer that is another value",
    arguments: [
      (PropertyType.string, #""Acme""#, #""Acme AS""#), (.string, #""Acme""#, "null"),
      (.string, #""Acme""#, #""Bcme""#),
      (.string, "null", #""x""#), (.decimal, "1999", "2000"), (.decimal, "1999", "1000"), (.decimal, "10.5", "12"),
      (.decimal, "10.5", "10.51"), (.decimal, "10.1", "11"), (.integer, "3", "4"), (.integer, "3", #""x""#),
      (.boolean, "true", "false"), (.date, #""2026-03-01""#, #""2026-03-02""#), (.string, #""Acme""#, #""me""#),
      (.datetime, #""2026-03-01T12:00:01Z""#, #""2026-03-01T12:00:00Z""#), (.any, #"{"a":"x"}"#, #"{"b":"x"}"#),
    ])
  func notNear(type: PropertyType, sent: String, answered: String) {
    #expect(!row("x", "x", type).isNear(sent: json(sent), answered: json(answered), on: .pms))
  }

  @Test("on Invoiced, raw values go through the converters")
  func invoiced() {
    let pair = row("payment_terms", "days", .decimal, [.pattern(prefix: "NET ", suffix: "")])
    #expect(pair.isNear(sent: "NET 30.5", answered: "NET 30", on: .invoiced))
    #expect(!pair.isNear(sent: "NET 30.5", answered: "NET 3", on: .invoiced))
  }
}
