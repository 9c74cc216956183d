import Connectors
import HTTP
import HTTPClient
import JSON
import Mapping
import Signatures
import Sync
import Testing

@Suite("The PMS's listings", .timeLimit(.minutes(1)))
struct PMSListingTests {
  private static let root = "https://pms.test/api/v1"

  private static func entity(_ pagination: Pagination, items: JSONPath? = path("data")) -> PMSEntity {
    PMSEntity(list: PMSEntity.List(items: items, pagination: pagination), find: PMSEntity.Find(items: items))
  }

  @Test("page by number until an empty page, whatever the pages' size")
  func pages() async throws {
    let transport = ScriptedTransport(
      .json(#"{"data":[{"id":"a"},{"id":"b"}]}"#), .json(#"{"data":[{"id":"c"}]}"#), .json(#"{"data":[]}"#))
    let entity = Self.entity(.page(page: "p", size: "n", perPage: 50))
    #expect(try await everything(PMSConnector.make(transport, .none, entity)) == ["a", "b", "c"])
    #expect(transport.lines == [1, 2, 3].map { "GET \(Self.root)/customers?p=\($0)&n=50" })
  }

  @Test("page by offset, counting the rows that came")
  func offsets() async throws {
    let transport = ScriptedTransport(
      .json(#"{"data":[{"id":"a"},{"id":"b"}]}"#), .json(#"{"data":[{"id":"c"}]}"#), .json(#"{"data":[]}"#))
    let entity = Self.entity(.offset(offset: "skip", limit: "take", perPage: 100))
    #expect(try await everything(PMSConnector.make(transport, .none, entity)) == ["a", "b", "c"])
    #expect(transport.lines == [0, 2, 3].map { "GET \(Self.root)/customers?skip=\($0)&take=100" })
  }

  @Test(
    "page by cursor: text, number or a whole address, to a null, an empty text or none",
    arguments: [
      #","next":null"#, #","next":"""#, "", #","next":false"#,
    ])
  func cursors(end: String) async throws {
    let transport = ScriptedTransport(
      .json(#"{"data":[{"id":"a"}],"meta":{"next":"/x+y=="}}"#), .json(#"{"data":[{"id":"b"}],"meta":{"next":77}}"#),
      .json(#"{"data":[{"id":"c"}],"meta":{"next":"https://PMS.test:443/api/v1/customers?cursor=9&x=1"}}"#),
      .json(#"{"data":[{"id":"d"}],"meta":{"a":1\#(end)}}"#))
    let entity = Self.entity(.cursor(cursor: "cursor", next: path("meta.next")))
    #expect(try await everything(PMSConnector.make(transport, .none, entity)) == ["a", "b", "c", "d"])
    #expect(
      transport.lines == [
        "GET \(Self.root)/customers", "GET \(Self.root)/customers?cursor=%2Fx%2By%3D%3D",
        "GET \(Self.root)/customers?cursor=77", "GET \(Self.root)/customers?cursor=9&x=1",
      ])
  }

  @Test("page by the Link header, absolute or relative")
  func links() async throws {
    let transport = ScriptedTransport(
      .json(#"[{"id":"a"}]"#, ["Link": "<\(Self.root)/customers?page=2>; title=\"a, b\"; rel=\"prev next\""]),
      .json(#"[{"id":"b"}]"#, ["Link": "<?page=3>; rel=next"]),
      .json(#"[{"id":"c"}]"#, ["Link": "<customers?page=4>; rel=NEXT"]),
      .json(#"[{"id":"d"}]"#, ["Link": "</api/v1/customers?page=5#x>; rel=\"next\""]), .json("[]"))
    #expect(
      try await everything(PMSConnector.make(transport, .none, Self.entity(.link, items: nil))) == ["a", "b", "c", "d"])
    #expect(transport.lines.map { $0.suffix(7) } == ["stomers", "?page=2", "?page=3", "?page=4", "?page=5"])
    #expect(transport.lines.allSatisfy { $0.hasPrefix("GET \(Self.root)/customers") })
  }

  @Test("come in one answer where there are no pages")
  func single() async throws {
    let transport = ScriptedTransport(.json(#"[{"id":5},{"id":9007199254740993}]"#))
    let ids = try await everything(PMSConnector.make(transport, .none, Self.entity(.none, items: nil)))
    #expect(ids == ["5", "9007199254740993"])
    #expect(transport.asked.count == 1)
  }

  @Test(
    "end where a side gives the same page for ever",
    arguments: [
      Pagination.page(page: "page", size: "size", perPage: 2), .offset(offset: "o", limit: "l", perPage: 2),
      .cursor(cursor: "cursor", next: path("next")),
    ])
  func repeating(pagination: Pagination) async throws {
    let transport = ScriptedTransport { _, _ in .success(.json(#"{"data":[{"id":"a"},{"id":"b"}],"next":"same"}"#)) }
    let ids = try await everything(PMSConnector.make(transport, .none, Self.entity(pagination)))
    #expect(Set(ids) == ["a", "b"])
    #expect(transport.asked.count == 2)
  }

  @Test("fail on a next page at another origin, and name it")
  func foreign() async {
    let table: [(Pagination, HTTPResponse)] = [
      (.link, .json(#"{"data":[{"id":"a"}]}"#, ["Link": "<https://evil.test/x>; rel=next"])),
      (.cursor(cursor: "c", next: path("next")), .json(#"{"data":[{"id":"a"}],"next":"https://evil.test/x?c=1"}"#)),
    ]
    for (pagination, response) in table {
      let transport = ScriptedTransport(response)
      let error = await failure { () throws(ConnectorError) in
        try await PMSConnector.make(transport, .bearer(token: Secret("t")), Self.entity(pagination))
          .list(updatedSince: nil, cursor: nil)
      }
      #expect(error?.description.contains("https://evil.test") ?? false)
      #expect(transport.asked.count == 1)
    }
  }

  @Test(
    "are unreadable where the list is missing",
    arguments: [
      HTTPResponse.html, .json("{}"), .json(#"{"data":null}"#), .json(#"{"data":{}}"#), .json("[]"),
      .json(#"{"error":"no"}"#), HTTPResponse(status: 204), .json(#"{"data":[{"name":"no id"}]}"#),
      .json(#"{"data":[{"id":null},{"id":{}}]}"#),
    ])
  func unreadable(response: HTTPResponse) async {
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(ScriptedTransport(response)).list(updatedSince: nil, cursor: nil)
    }
    guard case .unreadable(.pms, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("leave out a row without an id, and unwrap rows")
  func oddRows() async throws {
    let transport = ScriptedTransport(.json(#"[{"id":"a"},{"id":null},{"customer":{"id":"b"}}]"#))
    var entity = Self.entity(.none, items: nil)
    entity.envelope = "customer"
    #expect(try await everything(PMSConnector.make(transport, .none, entity)) == ["a", "b"])
  }

  @Test(
    "ask for changes in the form that the records' own times have",
    arguments: [
      (#""2026-03-01T13:00:00+01:00""#, "2026-03-01T12%3A00%3A00Z"), ("1772366400", "1772366400"),
      (#""1772366400.25""#, "1772366400"), ("null", "2026-03-01T12%3A00%3A00Z"),
    ])
  func updatedSince(stamp: String, written: String) async throws {
    let transport = ScriptedTransport { _, _ in .success(.json(#"{"data":[{"id":"a","updated_at":\#(stamp)}]}"#)) }
    let connector = PMSConnector.make(transport)
    _ = try await connector.list(updatedSince: noon.adding(.milliseconds(900)), cursor: nil)
    #expect(
      transport.lines == [
        "GET \(Self.root)/customers?page=1&per_page=1",
        "GET \(Self.root)/customers?page=1&per_page=100&updated_since=\(written)",
      ])
  }

  @Test("keep what was asked for through the pages")
  func sinceThroughPages() async throws {
    let transport = ScriptedTransport(
      .json(#"{"data":[{"id":"a","updated_at":7}]}"#), .json(#"{"data":[{"id":"a","updated_at":7}]}"#),
      .json(#"{"data":[]}"#))
    #expect(try await everything(PMSConnector.make(transport), since: noon) == ["a"])
    #expect(transport.lines[2] == "GET \(Self.root)/customers?page=2&per_page=100&updated_since=1772366400")
  }

  @Test(
    "begin anew with a cursor that is none of ours, and never leave the origin by one",
    arguments: [
      "", "{}", "https://evil.test/", #"{"target":"https://evil.test/","remembered":"","steps":0,"patience":1}"#,
      #"{"target":"@evil.test/","remembered":"","steps":0,"patience":1}"#,
      #"{"target":"/x","remembered":"","steps":0,"patience":9223372036854775807}"#,
    ])
  func foreignCursor(text: String) async throws {
    let transport = ScriptedTransport(.json(#"{"data":[]}"#))
    _ = try await PMSConnector.make(transport).list(updatedSince: nil, cursor: ListCursor(text: text))
    #expect(transport.lines == ["GET \(Self.root)/customers?page=1&per_page=100"])
  }

  @Test(
    "find by a property's dotted path and a value's canonical text",
    arguments: [
      ("customer_number", JSONValue.string("a b&c=d"), "customer_number=a%20b%26c%3Dd"),
      ("address.street", "{property}", "address.street=%7Bproperty%7D"),
      (#"a\.b[0]"#, true, "a%5C.b%5B0%5D=true"),
      ("n", .number(JSONNumber(9_007_199_254_740_993)), "n=9007199254740993"),
    ])
  func finds(property: String, value: JSONValue, query: String) async throws {
    let transport = ScriptedTransport(.json(#"{"data":[]}"#))
    #expect(try await PMSConnector.make(transport).find(path(property), value).isEmpty)
    #expect(transport.lines == ["GET \(Self.root)/customers?\(query)"])
  }

  @Test("find with numbers in one form", arguments: ["1.10", "11e-1", "1.1"])
  func findsNumbers(text: String) async throws {
    let transport = ScriptedTransport(.json(#"{"data":[]}"#))
    _ = try await PMSConnector.make(transport).find(path("n"), .number(try #require(JSONNumber(validating: text))))
    #expect(transport.lines == ["GET \(Self.root)/customers?n=1.1"])
  }

  @Test("find by templates of path and query")
  func findTemplates() async throws {
    let transport = ScriptedTransport(.json(#"[{"id":"C-1","vat":"x/y"}]"#))
    let query = [
      PMSEntity.Find.Parameter(name: "filter[{property}]", value: "eq:{value}"),
      PMSEntity.Find.Parameter(name: "limit", value: "10"),
    ]
    let entity = PMSEntity(
      find: PMSEntity.Find(path: "/search/{property}/{value}", query: query, items: nil))
    let found = try await PMSConnector.make(transport, .none, entity).find(path("vat"), "x/y")
    #expect(found.map(\.key.id.text) == ["C-1"])
    #expect(transport.lines == ["GET \(Self.root)/search/vat/x%2Fy?filter%5Bvat%5D=eq%3Ax%2Fy&limit=10"])
  }

  @Test("find on later pages where a side ignores what is searched")
  func lyingSearch() async throws {
    let transport = ScriptedTransport(
      .json(#"{"data":[{"id":"a","n":"1"},{"id":"b","n":"2"}]}"#), .json(#"{"data":[{"id":"c","n":"3"}]}"#),
      .json(#"{"data":[]}"#))
    let found = try await PMSConnector.make(transport).find(path("n"), "3")
    #expect(found.map(\.key.id.text).contains("c"))
    #expect(transport.lines[1] == "GET \(Self.root)/customers?n=3&page=2")
  }

  @Test("don't look through a whole side that doesn't search")
  func endlessSearch() async {
    let transport = ScriptedTransport { index, _ in .success(.json(#"{"data":[{"id":"\#(index)","n":"1"}]}"#)) }
    let error = await failure { () throws(ConnectorError) in
      try await PMSConnector.make(transport).find(path("n"), "3")
    }
    guard case .unreadable(.pms, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(transport.asked.count <= 50)
  }
}
