import HTTP
import JSON
import Testing

@Suite("the pages for people", .timeLimit(.minutes(2)))
struct PageTests {
  private static let paths = [
    "/", "/events", "/links", "/parked", "/conflicts", "/deletes", "/history", "/mapping",
  ]

  @Test("each is HTML without scripts, in which a customer's name is text, and links to the others")
  func pages() async throws {
    try await AdminBench.with(hasToken: false) { bench in
      let name = "<script>alert(1)</script> & \"Co\""
      let link = try await bench.link(name)
      let id = try #require(link["id"]?.identifier)
      let event = try #require(try await bench.items("events").first?["id"]?.identifier)
      for path in Self.paths + [
        "/links/\(id)", "/events/\(event)", "/events?side=pms&state=&record=", "/history?limit=",
      ] {
        let page = try await bench.send("GET", bench.base + path)
        #expect(page.status == 200, "\(path)")
        #expect(page.headers["Content-Type"] == "text/html; charset=utf-8")
        #expect(page.headers["Content-Security-Policy"]?.hasPrefix("default-src 'none'") == true)
        #expect(!page.text.contains("<script"))
        for other in Self.paths { #expect(page.text.contains("<a href=\"\(other)\""), "\(path)") }
      }
      let shown = try await bench.send("GET", bench.base + "/links/\(id)").text
      #expect(shown.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Co&quot;"))
    }
  }

  @Test("what isn't there is said on a page, what is no page is no page, and writes go by POST alone")
  func refusals() async throws {
    try await AdminBench.with(hasToken: false) { bench in
      for (method, path, status) in [
        ("GET", "/links/99", 404), ("GET", "/events/99", 404), ("GET", "/events?side=left", 400),
        ("GET", "/events?x=%zz", 400), ("POST", "/parked/99/retry", 404), ("POST", "/conflicts/99/resolve", 404),
      ] {
        let page = try await bench.send(method, bench.base + path)
        #expect(page.status == status && page.text.contains("That did not work"), "\(path)")
      }
      for path in ["/nothing", "/parked/1", "/links/1/2", "/status"] {
        #expect(try await bench.send("GET", bench.base + path).status == 404, "\(path)")
      }
      for (method, path, allowed) in [
        ("POST", "/events", "GET, HEAD"), ("GET", "/parked/1/retry", "POST"), ("GET", "/logout", "POST"),
      ] {
        let answer = try await bench.send(method, bench.base + path)
        #expect(answer.status == 405 && answer.headers["Allow"] == allowed, "\(path)")
      }
    }
  }

  @Test("buttons do what the API does, and lead back")
  func buttons() async throws {
    try await AdminBench.with(hasToken: false) { bench in
      let link = try await bench.link()
      let id = try #require(link["id"]?.identifier)
      let event = try #require(try await bench.items("events").first?["id"]?.identifier)
      let form: HTTPHeaders = ["Content-Type": "application/x-www-form-urlencoded"]
      for (path, next) in [
        ("/sides/pms/pause", "/"), ("/reconcile", "/"), ("/events/\(event)/replay", "/events/\(event)"),
        ("/links/\(id)/unlink", "/links/\(id)"), ("/deletes/reject", "/deletes"),
      ] {
        let answer = try await bench.send("POST", bench.base + path, nil, form)
        #expect(answer.status == 303 && answer.headers["Location"] == next, "\(path)")
      }
      #expect(try await bench.admin("GET", "status").json["sides"]?["pms"]?["state"] == "paused")
      #expect(try await bench.admin("GET", "links/\(id)").json["state"] == "ended")
      let forged = try await bench.send(
        "POST", bench.base + "/sides/pms/resume", nil, ["Origin": "https://evil.example"])
      #expect(forged.status == 403)
    }
  }

  @Test("a session ends when its owner logs out")
  func logOut() async throws {
    try await AdminBench.with { bench in
      let login = try await bench.send("POST", bench.base + "/login", ["token": .string(AdminBench.token)])
      let cookie = String(try #require(login.headers["Set-Cookie"]).prefix { $0 != ";" })
      let page = try await bench.send("GET", bench.base + "/", nil, ["Cookie": cookie])
      #expect(page.status == 200 && page.text.contains("action=\"/logout\""))
      #expect(try await bench.send("POST", bench.base + "/logout", nil, ["Cookie": cookie]).status == 303)
      #expect(try await bench.send("GET", bench.base + "/", nil, ["Cookie": cookie]).status == 401)
    }
  }
}
