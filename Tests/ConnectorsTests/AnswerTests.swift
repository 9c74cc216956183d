import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Synchronization
import Testing

@testable import Connectors

@Suite("Answers", .timeLimit(.minutes(1)))
struct AnswerTests {
  @Test(
    "say when to come again",
    arguments: [
      ("120", 120), (" 0 ", 0), ("Sun, 01 Mar 2026 12:01:30 GMT", 90), ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
      ("soon", nil), ("-5", nil), ("1.5", nil), ("", nil), ("99999999999999999999", 86_400),
      ("9223372036854775807", 86_400), ("86401", 86_400), ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400),
    ])
  func retryAfter(value: String, seconds: Int?) async {
    let transport = ScriptedTransport(.json("{}", status: 429, ["Retry-After": value]))
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport).fetch(RecordID("C-1"))
    }
    #expect(error == .refused(.pms, status: 429, message: "", property: nil, retryAfter: seconds))
  }

  @Test(
    "say what is wrong in many ways",
    arguments: [
      (#"{"type":"about:blank","title":"Bad","detail":"name too long"}"#, "name too long", String?.none),
      (#"{"message":"a\u202e\u0007\nb","param":"name"}"#, "a b", "name"),
      (#"{"error":{"message":"no","field":"vat"}}"#, "no", "vat"), (#"{"error":"denied"}"#, "denied", nil),
      (#"{"errors":[{"detail":"taken","source":{"pointer":"/address/street"}}]}"#, "taken", "address.street"),
      (#"{"errors":["first"]}"#, "first", nil), (#"{"message":"no","path":"/x","name":"Error"}"#, "no", nil),
      (#"{"title":"Invalid","errors":{"email":["is taken","is short"]}}"#, "is taken", "email"),
      (#""text""#, "text", nil), ("[]", "", nil), ("not json", "", nil),
    ])
  func refusals(body: String, message: String, property: String?) async {
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(ScriptedTransport(.json(body, status: 422))).fetch(RecordID("C-1"))
    }
    #expect(error == .refused(.pms, status: 422, message: message, property: property, retryAfter: nil))
  }

  @Test("show pages to nobody, and texts in one short line")
  func texts() {
    let page = HTTPResponse(status: 502, headers: ["Content-Type": "text/html"], body: Array("<h1>Bad</h1>".utf8))
    let text = HTTPResponse(
      status: 502, headers: ["Content-Type": "text/plain"],
      body: Array(("gone\r\n" + String(repeating: "x", count: 999)).utf8))
    let plain = PlainText(hiding: [])
    #expect(Refusal(page, showing: plain, now: noon).message == "")
    let message = Refusal(text, showing: plain, now: noon).message
    #expect(message.hasPrefix("gone xxx") && message.count == 200)
  }

  @Test("tell the side's clock, more exactly with each")
  func clock() async throws {
    let time = Mutex(noon)
    let dates = ["Sun, 01 Mar 2026 12:01:00 GMT", "Sunday, 01-Mar-26 12:01:01 GMT", "Sun Mar  1 12:01:02 2026"]
    let transport = ScriptedTransport { index, _ in .success(.json("{}", status: 404, ["Date": dates[index]])) }
    let connector = PMSConnector(
      PMSEndpoint(url: "https://pms.test"), transport: transport, now: { time.withLock { $0 } })
    #expect(connector.clockOffset == nil)
    // It is 60.5 s ahead.
    for (milliseconds, least, most) in [(400, 59_600, 60_599), (600, 60_400, 60_599), (1_505, 60_495, 60_599)] {
      time.withLock { $0 = noon.adding(.milliseconds(milliseconds)) }
      _ = try await connector.fetch(RecordID("C-1"))
      let offset = try #require(connector.clockOffset)
      #expect((Duration.milliseconds(least) ... .milliseconds(most)).contains(offset), "\(offset)")
    }
  }

  @Test("tell it to the connector that takes over, which need not ask first")
  func takeover() async throws {
    let late = HTTPResponse.json("{}", status: 404, ["Date": "Sun, 01 Mar 2026 13:00:00 GMT"])
    let (invoiced, pms) = (InvoicedConnector.make(ScriptedTransport(late)), PMSConnector.make(ScriptedTransport(late)))
    _ = try await (invoiced.fetch(RecordID("1")), pms.fetch(RecordID("C-1")))
    let (nextInvoiced, nextPMS) = (InvoicedConnector.make(ScriptedTransport()), PMSConnector.make(ScriptedTransport()))
    nextInvoiced.keepTime(of: invoiced)
    nextPMS.keepTime(of: pms)
    #expect(nextInvoiced.clockOffset == .milliseconds(3_600_499))
    #expect(nextPMS.clockOffset == .milliseconds(3_600_499))
  }

  @Test("of clocks that may agree tell no difference, and a clock that was set is believed")
  func clocks() {
    var offset = ClockOffset()
    offset.note(date: 1_772_366_400, sent: noon.adding(.milliseconds(300)), received: noon.adding(.milliseconds(350)))
    #expect(offset.estimate == .zero)
    offset.note(date: 1_772_370_000, sent: noon, received: noon)
    #expect(offset.estimate == .milliseconds(3_600_499))
    offset.note(date: .max, sent: noon, received: noon)
    #expect(offset.estimate == .milliseconds(3_600_499))
  }

  @Test(
    "hold HTTP's dates",
    arguments: [
      ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
      ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Sun, 06 Foo 1994 08:49:37 GMT", nil), ("", nil), ("784111777", nil),
      ("Sun, 36 Nov 1994 08:49:37 GMT", nil),
    ])
  func dates(text: String, seconds: Int64?) { #expect(HTTPDate.seconds(text) == seconds) }

  @Test("show none of several secrets, not even where one begins like another")
  func secrets() {
    let plain = PlainText(hiding: ["abcd", "abcdef", "x"].map { .init($0) })
    #expect(plain("abcdef abcd abc x abcdabcdef") == "*** *** abc x ******")
  }

  @Test("are of one origin whatever its spelling")
  func origins() {
    #expect(WebOrigin("HTTPS://Pms.Test") == WebOrigin("https://pms.test:443"))
    #expect(WebOrigin("https://[::1]:8443") == WebOrigin("https://[::1]:8443"))
    #expect(WebOrigin("https://[::1]") != WebOrigin("https://[::1]:8443"))
    #expect(WebOrigin("https://a@pms.test") == WebOrigin("https://pms.test"))
    for text in ["ftp://pms.test", "https://", "pms.test", "https://pms.test:x"] { #expect(WebOrigin(text) == nil) }
  }

  @Test(
    "are asked for below the API's root",
    arguments: [
      ("https://pms.test/api/v1", "https://pms.test/api/v1/customers"),
      ("https://pms.test/api/v1/", "https://pms.test/api/v1/customers"),
      ("https://pms.test", "https://pms.test/customers"),
      ("https://pms.test/?x=1#y", "https://pms.test/customers"),
      ("http://127.0.0.1:8602", "http://127.0.0.1:8602/customers"),
    ])
  func roots(url: String, expected: String) {
    for path in ["/customers", "customers"] {
      let root = APIRoot(url)
      #expect(root.url(of: root.target(path)) == expected)
    }
  }
}
