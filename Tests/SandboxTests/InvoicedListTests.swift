import HTTP
import JSON
import Sandbox
import Testing

@Suite("Invoiced lists") struct InvoicedListTests {
  private func filled() throws -> InvoicedSandbox {
    let side = invoiced()
    for (index, body): (Int64, JSONValue) in [
      (0, ["name": "Berg", "number": "N-1", "type": "company", "metadata": ["k": "v"], "email": "b@x.example"]),
      (1, ["name": "alm", "number": "N-2", "type": "person", "country": "NO", "credit_limit": 100]),
      (2, ["name": "Dahl", "number": "N-3", "type": "person", "active": false, "metadata": ["k": "w"]]),
      (3, ["name": "Øst", "number": "N-4", "type": "government", "owner": 9]),
    ] { _ = try create(side, body, at: noon + index * 1000) }
    return side
  }

  private func names(_ side: InvoicedSandbox, _ query: String) throws -> [String] {
    let answer = try side.answer("GET", "/customers?" + query)
    #expect(answer.status == 200, "\(answer.text)")
    return answer.json?.array?.compactMap { $0["name"]?.string } ?? []
  }

  @Test(
    "lists are filtered and sorted",
    arguments: [
      ("", "Berg,alm,Dahl,Øst"), ("sort=name%20asc", "alm,Berg,Dahl,Øst"), ("sort=name+desc", "Øst,Dahl,Berg,alm"),
      ("sort=name", "Berg,alm,Dahl,Øst"), ("sort=wool+asc", "Berg,alm,Dahl,Øst"),
      ("sort=type+desc,name+asc", "alm,Dahl,Øst,Berg"), ("filter[type]=person", "alm,Dahl"),
      ("filter%5Bname%5D=ALM", "alm"), ("filter[active]=0", "Dahl"), ("filter[number]=n-4", "Øst"),
      ("filter[number]=N-4&filter[type]=person", ""), ("filter[metadata.k]=v", "Berg"), ("filter[country]=NO", "alm"),
      ("filter[owner]=9", "Øst"), ("owner=9", "Øst"), ("owner=-1", "Berg,alm,Dahl"),
      ("filter[updated_at]=2026-03-01T12:00:02Z", "Dahl"), ("metadata[k]=w", "Dahl"),
      ("metadata[a.b]=w", "Berg,alm,Dahl,Øst"),
      ("updated_after=1772366401", "Dahl,Øst"), ("updated_after=0", "Berg,alm,Dahl,Øst"),
      ("updated_before=1772366402", "Berg,alm"), ("updated_after=1772366400&updated_before=1772366402", "alm"),
      (#"advanced_filter=[{"field":"name","operator":"contains","value":"AL"}]"#, "alm"),
      (#"advanced_filter=[{"field":"name","operator":"contains","value":"hl"}]"#, "Dahl"),
      (#"advanced_filter=[{"field":"name","operator":"starts_with","value":"a"}]"#, "alm"),
      (#"advanced_filter=[{"field":"email","operator":"not_empty"}]"#, "Berg"),
      (#"advanced_filter=[{"field":"credit_limit","operator":">=","value":99.5}]"#, "alm"),
      (#"advanced_filter=[{"field":"metadata.k","operator":"=","value":"w"}]"#, "Dahl"),
      (#"advanced_filter=[{"field":"type","operator":"<>","value":"person"}]"#, "Berg,Øst"),
      (#"advanced_filter=[{"field":"id","operator":">","value":9223372036854775807}]"#, ""),
      (#"advanced_filter=[{"field":"id","operator":">=","value":-9223372036854775808}]"#, "Berg,alm,Dahl,Øst"),
      ("per_page=2", "Berg,alm"), ("per_page=2&page=2", "Dahl,Øst"), ("per_page=0", "Berg"),
      ("page=-3&per_page=1", "Berg"),
      ("per_page=3&page=9", ""), ("expand=owner&include=aging", "Berg,alm,Dahl,Øst"),
    ])
  func selects(query: String, expected: String) throws {
    let encoded = query.replacing("\"", with: "%22").replacing("{", with: "%7B").replacing("}", with: "%7D")
    #expect(try names(filled(), encoded).joined(separator: ",") == expected)
  }

  @Test(
    "a wrong parameter is 400",
    arguments: [
      ("wool=1", "query"), ("filter[notes]=x", "filter"), ("filter[wool]=x", "filter"), ("filter=x", "query"),
      ("filter[updated_at]=1772366402", "filter"), ("advanced_filter=x", "advanced_filter"),
      ("advanced_filter=%5B%7B%22field%22:%22name%22,%22operator%22:%22like%22%7D%5D", "advanced_filter"),
      ("page=101", "page"),
    ])
  func refuses(query: String, param: String) throws {
    let answer = try filled().answer("GET", "/customers?" + query)
    #expect(answer.status == 400)
    #expect(answer.json?["param"]?.string == param)
  }

  @Test("a crawl goes by `next` until there is none")
  func links() throws {
    let side = invoiced()
    side.fill(250, now: noon)
    var path: String? = "/customers?sort=id+asc&per_page=60"
    var (ids, pages): ([Int64], Int) = ([], 0)
    while let target = path {
      let answer = try side.answer("GET", target)
      pages += 1
      ids += answer.json?.array?.compactMap { $0["id"]?.int64 } ?? []
      #expect(answer.headers["X-Total-Count"] == "250")
      let links = try #require(answer.headers["Link"]).split(separator: ", ")
      #expect(links.contains { $0.hasSuffix(#"rel="previous""#) } == (pages > 1))
      let next = links.first { $0.hasSuffix(#"rel="next""#) }
      path = next.map { String($0.dropFirst("<http://api.example".count).prefix { $0 != ">" }) }
    }
    #expect(pages == 5)
    #expect(ids.count == 250 && ids == ids.sorted() && Set(ids).count == 250)
  }

  @Test("links say the page, and per_page only where it isn't 100")
  func linkForm() throws {
    let side = invoiced()
    side.fill(5, now: noon)
    #expect(
      try side.answer("GET", "/customers?per_page=2&page=2&filter[type]=company").headers["Link"]
        == "<http://api.example/customers?filter%5Btype%5D=company&page=2&per_page=2>; rel=\"self\", "
        + "<http://api.example/customers?filter%5Btype%5D=company&page=1&per_page=2>; rel=\"first\", "
        + "<http://api.example/customers?filter%5Btype%5D=company&page=1&per_page=2>; rel=\"previous\", "
        + "<http://api.example/customers?filter%5Btype%5D=company&page=2&per_page=2>; rel=\"last\"")
    #expect(try side.answer("GET", "/customers").headers["Link"]?.contains("per_page") == false)
    let bare = try side.answer("GET", "/customers?paginate=none")
    #expect(bare.headers["Link"] == nil && bare.headers["X-Total-Count"] == nil)
  }

  @Test("the total of later pages may be minutes old")
  func staleTotal() throws {
    let side = invoiced()
    side.fill(5, now: noon)
    func total(_ page: Int, at now: Int64) throws -> String? {
      try side.answer("GET", "/customers?per_page=2&page=\(page)", at: now).headers["X-Total-Count"]
    }
    #expect(try total(1, at: noon) == "5")
    _ = try create(side, ["name": "New"])
    #expect(try total(2, at: noon + 299_000) == "5")
    #expect(try total(2, at: noon + 300_000) == "6")
  }

  @Test("a crawl by the usual page size reaches what came since the last crawl", arguments: ["", "?per_page=100"])
  func crawlAgain(query: String) throws {
    let side = invoiced()
    side.fill(150, now: noon)
    func crawl() throws -> Int {
      var (path, count): (String?, Int) = ("/customers" + query, 0)
      while let target = path {
        let answer = try side.answer("GET", target)
        count += answer.json?.array?.count ?? 0
        let next = answer.headers["Link"]?.split(separator: ", ").first { $0.hasSuffix(#"rel="next""#) }
        path = next.map { String($0.dropFirst("<http://api.example".count).prefix { $0 != ">" }) }
      }
      return count
    }
    #expect(try crawl() == 150)
    for number in 1...80 { _ = try create(side, ["name": .string("New \(number)")]) }
    #expect(try crawl() == 230)
  }

  @Test("an id filter starts a page anywhere")
  func keyset() throws {
    let side = invoiced()
    side.fill(30, now: noon)
    let ids = side.customers.compactMap { $0["id"]?.int64 }
    let filter = "%5B%7B%22field%22:%22id%22,%22operator%22:%22%3E%22,%22value%22:\(ids[19])%7D%5D"
    let answer = try side.answer("GET", "/customers?advanced_filter=\(filter)&per_page=4")
    #expect(answer.json?.array?.compactMap { $0["id"]?.int64 } == Array(ids[20..<24]))
    #expect(answer.headers["X-Total-Count"] == "10")
  }

  @Test("excluded keys are left out")
  func exclude() throws {
    let rows = try filled().json("GET", "/customers?exclude=name,id")
    #expect(rows.array?.allSatisfy { $0["name"] == nil && $0["id"] == nil && $0["number"] != nil } == true)
  }
}
