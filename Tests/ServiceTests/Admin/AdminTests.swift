import HTTP
import JSON
import Sandbox
import Service
import Testing

@Suite("Admin listener", .timeLimit(.minutes(2))) struct AdminTests {
  @Test("nothing but /healthz and /login is answered without the token")
  func token() async throws {
    try await AdminBench.with { bench in
      for path in ["/", "/metrics", "/admin/v1/status", "/admin/v1/nothing", "/nothing"] {
        let refused = try await bench.send("GET", bench.base + path)
        #expect(refused.status == 401 && refused.headers["WWW-Authenticate"] == "Bearer", "\(path)")
        #expect(refused.headers["Content-Type"] == "application/problem+json")
      }
      for wrong in ["Bearer wrong", "Bearer", "Basic \(AdminBench.token)", "Bearer \(AdminBench.token)x"] {
        let refused = try await bench.send("GET", bench.base + "/admin/v1/status", nil, ["Authorization": wrong])
        #expect(refused.status == 401, "\(wrong)")
      }
      #expect(try await bench.send("GET", bench.base + "/healthz").status == 200)
      #expect(try await bench.admin("GET", "status").status == 200)
      #expect(try await bench.admin("DELETE", "status").headers["Allow"] == "GET, HEAD")
      for path in ["/", "/metrics", "/healthz"] {
        let refused = try await bench.send(
          "POST", bench.base + path, [:], ["Authorization": "Bearer \(AdminBench.token)"])
        #expect(refused.status == 405 && refused.headers["Allow"] == "GET, HEAD", "\(path)")
      }
    }
  }

  @Test("without a token only a loopback name is let in, and no write that another site asks for")
  func host() async throws {
    try await AdminBench.with(hasToken: false) { bench in
      let url = bench.base + "/admin/v1/status"
      for host in ["localhost", "127.0.0.1:\(bench.service.adminPort)", "[::1]:9090"] {
        let answer = try await bench.send("GET", url, nil, ["Host": host])
        #expect(answer.status == 200, "\(host)")
      }
      for host in ["example.com", "evil.example:9090", "127.0.0.1.example.com"] {
        let answer = try await bench.send("GET", url, nil, ["Host": host])
        #expect(answer.status == 403, "\(host)")
      }
      let pause = bench.base + "/admin/v1/sides/pms/pause"
      #expect(try await bench.send("POST", pause, [:], ["Origin": "https://evil.example"]).status == 403)
      #expect(try await bench.send("POST", pause, [:]).status == 200)
    }
  }

  @Test("the token opens a session, as a form and as JSON")
  func login() async throws {
    try await AdminBench.with { bench in
      let url = bench.base + "/login"
      #expect(try await bench.send("POST", url, ["token": "wrong"]).status == 401)
      #expect(try await bench.send("POST", url, [:]).status == 400)
      #expect(try await bench.send("POST", url, .null, ["Content-Type": "text/plain"]).status == 415)
      let json = try await bench.send("POST", url, ["token": .string(AdminBench.token)])
      #expect(json.status == 200)
      let parts = try #require(json.headers["Set-Cookie"]).split(separator: ";").map { $0.drop { $0 == " " } }
      #expect(parts.dropFirst().sorted() == ["HttpOnly", "Path=/", "SameSite=Strict"])
      let cookie = String(parts[0])
      #expect(try await bench.send("GET", bench.base + "/admin/v1/status", nil, ["Cookie": cookie]).status == 200)
      #expect(try await bench.send("GET", bench.base + "/metrics", nil, ["Cookie": "a=b; " + cookie]).status == 200)
      let forged = "customer_sync_session=0123456789abcdef0123456789abcdef"
      #expect(try await bench.send("GET", bench.base + "/metrics", nil, ["Cookie": forged]).status == 401)

      let page = try await bench.send("GET", bench.base + "/", nil, ["Cookie": cookie, "Accept": "text/html"])
      #expect(page.status == 200 && page.text.contains("<h2>Flows</h2>") && page.text.contains("companies"))
      let asked = try await bench.send("GET", bench.base + "/", nil, ["Accept": "text/html"])
      #expect(asked.status == 401 && asked.text.contains("<form method=\"post\" action=\"/login\">"))
      let secure = try await bench.send(
        "POST", url, ["token": .string(AdminBench.token)], ["X-Forwarded-Proto": "https"])
      #expect(secure.headers["Set-Cookie"]?.contains("; Secure") == true)
    }
  }

  @Test(
    "a write with the session that another site asks for is refused",
    arguments: [
      (["Origin": "https://evil.example"], 403), (["Origin": "null"], 403), (["Sec-Fetch-Site": "cross-site"], 403),
      (["Sec-Fetch-Site": "same-origin"], 200), ([:], 200),
    ] as [([String: String], Int)])
  func forgery(_ sent: [String: String], _ status: Int) async throws {
    try await AdminBench.with { bench in
      let login = try await bench.send("POST", bench.base + "/login", ["token": .string(AdminBench.token)])
      let cookie = try #require(login.headers["Set-Cookie"]).prefix { $0 != ";" }
      var headers = HTTPHeaders(sent.map { ($0.key, $0.value) })
      headers["Cookie"] = String(cookie)
      let url = bench.base + "/admin/v1/sides/pms/pause"
      #expect(try await bench.send("POST", url, [:], headers).status == status)
      #expect(try await bench.send("GET", bench.base + "/admin/v1/status", nil, headers).status == 200)
      headers["Cookie"] = nil
      headers["Authorization"] = "Bearer \(AdminBench.token)"
      #expect(try await bench.send("POST", url, [:], headers).status == 200)
      var own = HTTPHeaders(["Origin": bench.base].map { ($0.key, $0.value) })
      own["Cookie"] = String(cookie)
      #expect(try await bench.send("POST", url, [:], own).status == 200)
    }
  }

  @Test("a person's pause holds pushes up, outlives a restart, and ends with resume")
  func pause() async throws {
    try await AdminBench.with { bench in
      #expect(try await bench.admin("POST", "sides/nobody/pause").status == 404)
      let paused = try await bench.admin("POST", "sides/pms/pause", ["reason": "stocktaking"])
      #expect(paused.status == 200 && paused.json["state"] == "paused")
      let customer = try bench.sandbox.invoiced.create(["name": "Acme", "number": "C-7", "type": "company"])
      let event = try await bench.wait { try await bench.items("events?state=retrying").first }
      #expect(event["invoiced_id"]?.string == customer["id"]?.identifier)
      #expect(event["reason"]?.string?.contains("stocktaking") == true)
      #expect(try await bench.items("links").isEmpty)
      await bench.service.drain(within: .seconds(2))

      let again = try await AdminBench.start(in: bench.directory)
      let side = try await again.admin("GET", "status").json["sides"]?["pms"]
      #expect(side?["state"] == "paused" && side?["by_person"] == true)
      #expect(side?["since"] == paused.json["at"] && side?["reason"]?.string?.contains("stocktaking") == true)
      #expect(try await again.admin("POST", "sides/pms/resume").json["state"] == "up")
      #expect(try await again.admin("GET", "status").json["sides"]?["pms"]?["state"] == "up")
      await again.stop()
    }
  }

  @Test("lists page, filter and refuse what they don't know")
  func lists() async throws {
    try await AdminBench.with { bench in
      for number in 1...3 {
        _ = try bench.sandbox.invoiced.create(["name": "A", "number": .string("N-\(number)"), "type": "person"])
      }
      _ = try await bench.wait { try await bench.items("events?state=done&side=invoiced").count == 3 ? true : nil }
      let first = try await bench.admin("GET", "events?side=invoiced&limit=2").json
      let next = try #require(first["next"]?.string)
      let second = try await bench.admin("GET", "events?side=invoiced&limit=2&after=\(next)").json
      #expect(first["items"]?.array?.count == 2 && second["items"]?.array?.count == 1 && second["next"] == .null)
      let event = try #require(first["items"]?.array?.first)
      let record = try #require(event["invoiced_id"]?.string)
      #expect(try await bench.items("events?record=\(record)").count == 1)
      #expect(try await bench.items("events?type=customer.created").count == 3)
      #expect(try await bench.items("events?type=customer.deleted").isEmpty)
      #expect(try await bench.items("events?side=pms").isEmpty)
      #expect(try await bench.items("events?until=2001-01-01T00:00:00Z").isEmpty)
      #expect(try await bench.items("events?since=2001-01-01T00:00:00Z").count == 3)
      for id in [event["id"], event["event"], event["invoiced_id"]] {
        let shown = try await bench.admin("GET", "events/" + (id?.identifier ?? ""))
        #expect(shown.json["id"] == event["id"] && shown.json["body"]?["type"] == "customer.created")
      }
      for bad in ["colour=red", "limit=0", "limit=x", "side=left", "state=unknown", "since=yesterday", "after=x"] {
        #expect(try await bench.admin("GET", "events?" + bad).status == 400, "\(bad)")
      }
      for list in ["links", "parked", "conflicts"] {
        #expect(try await bench.admin("GET", list + "?state=unknown").status == 400, "\(list)")
      }
      #expect(try await bench.admin("GET", "links?state=ended").status == 200)
      #expect(try await bench.admin("GET", "events/99999999").status == 404)
      let replayed = try await bench.admin("POST", "events/\(event["id"]?.identifier ?? "")/replay")
      #expect(replayed.status == 200 && replayed.json["replayed"] == 1)
    }
  }

  @Test(
    "a body with a member that isn't known is refused, not passed over: nobody gets more than was asked for",
    arguments: [
      ("backfill", ["dry_run": true]), ("reconcile", ["full": false, "flow": "companies"]),
      ("sides/pms/pause", ["resaon": "x"]), ("sides/pms/pause", ["reason": 5]), ("links", ["invoiced": 1, "pms": 2]),
      ("forget", ["pms_id": "C-1", "dry_run": true]), ("deletes/approve", ["id": 5]),
      ("events/replay", ["since": "2026-01-01T00:00:00Z", "side": "pms"]),
      ("events/replay", ["since": "2026-01-01T00:00:00Z", "until": 5]),
      ("events/replay", ["since": "2026-01-01T00:00:00Z", "type": ["customer.deleted"]]),
      ("events/replay", ["ids": [1], "since": "2026-01-01T00:00:00Z"]), ("events/replay", ["ids": "1"]),
    ] as [(String, JSONValue)])
  func unknownMembers(_ path: String, _ body: JSONValue) async throws {
    try await AdminBench.with { bench in
      let answer = try await bench.admin("POST", path, body)
      #expect(answer.status == 400, "\(answer.text)")
      #expect(try await bench.admin("GET", "status").json["sides"]?["pms"]?["state"] == "up")
      #expect(try await bench.admin("GET", "backfill").status == 404, "none was begun")
    }
  }

  @Test("a walk is followed by its number, whatever others ask for meanwhile")
  func walks() async throws {
    try await AdminBench.with { bench in
      func state(_ path: String) async throws -> JSONValue? { try await bench.admin("GET", path).json["state"] }
      var ids: [String] = []
      for body in [["full": false], ["full": true], ["full": false], ["full": true]] as [JSONValue] {
        let begun = try await bench.admin("POST", "reconcile", body)
        #expect(begun.status == 202)
        let id = try #require(begun.json["id"]?.identifier)
        let found = try await bench.admin("GET", "reconcile?id=\(id)").json
        #expect(found["id"] == begun.json["id"] && found["full"] == begun.json["full"])
        ids.append(id)
      }
      for id in ids {
        _ = try await bench.wait { try await state("reconcile?id=\(id)") == "done" ? true : nil }
      }
      #expect(try await bench.admin("GET", "reconcile").json["id"]?.identifier == ids.last)
      #expect(try await bench.admin("GET", "backfill?id=\(ids[0])").status == 404, "that one is no backfill")
      #expect(try await bench.admin("GET", "reconcile?id=4711").status == 404)
      #expect(try await bench.admin("GET", "reconcile?id=x").status == 400)
    }
  }

  @Test("metrics have every name that the contract has")
  func metrics() async throws {
    try await AdminBench.with { bench in
      let answer = try await bench.send(
        "GET", bench.base + "/metrics", nil, ["Authorization": "Bearer \(AdminBench.token)"])
      #expect(answer.headers["Content-Type"]?.hasPrefix("text/plain") == true)
      for name in [
        "events_received_total", "inbox_depth", "inbox_oldest_seconds", "pushes_total", "push_seconds", "lag_seconds",
        "parked", "conflicts", "links", "breaker_open", "last_reconcile_timestamp_seconds", "commit_seconds",
        "commit_batch",
      ] {
        #expect(answer.text.contains("# TYPE customer_sync_\(name) "), "\(name)")
        #expect(answer.text.contains("\ncustomer_sync_\(name)"), "\(name) has a sample from the start")
      }
    }
  }
}
