import HTTP
import JSON
import Sandbox
import Testing

@Suite("Invoiced requests") struct InvoicedRequestTests {
  @Test(
    "the key is taken in its three forms",
    arguments: [
      "Basic c2FuZGJveC1rZXk6", "basic c2FuZGJveC1rZXk6", "Basic YWNtZTpzYW5kYm94LWtleQ==", "Bearer sandbox-key",
    ])
  func accepted(header: String) throws {
    #expect(try invoiced().answer("GET", "/customers", headers: ["Authorization": header]).status == 200)
  }

  @Test(
    "any other key is 401, and only its ends are shown",
    arguments: [
      ("Basic d3Jvbmcta2V5Og==", "API key not accepted: wro***key"),
      ("Bearer wrong-key", "API key not accepted: wro***key"),
      ("Basic !!", "API key not accepted: "), ("Digest x", "API key not accepted: "),
      ("Basic c2FuZGJveC1rZXk6eA==", "API key not accepted: san*****key"),
    ])
  func unauthorized(header: String, message: String) throws {
    let answer = try invoiced().answer("GET", "/customers", headers: ["Authorization": header])
    #expect(answer.status == 401)
    #expect(answer.json == ["type": "invalid_request", "message": .string(message)])
    #expect(answer.headers["WWW-Authenticate"] == #"Basic realm="Invoiced""#)
  }

  @Test("no key at all is 401")
  func keyless() {
    let answer = invoiced().handle(HTTPRequest(method: "GET", target: "/customers"), now: noon)
    #expect(answer.response?.status == 401)
  }

  @Test("answers are compact with PHP's escapes, and plain for curl")
  func escapes() throws {
    let side = invoiced()
    let id = try create(side, ["name": "Zoë/🚀", "address1": "a\"b\\c\n\u{1}"])
    let compact = try side.answer("GET", "/customers/\(id)").text
    #expect(compact.contains(#""name":"Zo\u00eb\/\ud83d\ude80""#))
    #expect(compact.contains(#""address1":"a\"b\\c\n\u0001""#))
    #expect(!compact.contains("\n"))
    let pretty = try side.answer("GET", "/customers/\(id)", headers: ["User-Agent": "curl/8.1"]).text
    #expect(pretty.contains("    \"name\": \"Zoë/🚀\""))
    #expect(pretty.contains("    \"taxes\": []"))
  }

  @Test("every answer has the application's headers")
  func headers() throws {
    let answer = try invoiced().answer("GET", "/customers", headers: ["X-Request-Id": "mine"])
    #expect(answer.headers["Date"] == "Sun, 01 Mar 2026 12:00:00 GMT")
    #expect(answer.headers["Cache-Control"] == "no-cache, no-store")
    #expect(answer.headers["Content-Type"] == "application/json")
    #expect(answer.headers["X-Request-Id"] == "mine")
    #expect(answer.headers["X-Correlation-Id"]?.isEmpty == false)
  }

  @Test(
    "what isn't there is 404 or 405",
    arguments: [
      ("GET", "/custommers", 404), ("GET", "/", 404), ("GET", "/customers/abc", 404),
      ("GET", "/customers/99999999", 404),
      ("PUT", "/customers/1", 405), ("PUT", "/customers", 405), ("DELETE", "/customers", 405),
      ("GET", "/customers/1/merge", 405),
      ("GET", "/webhooks/1", 405), ("GET", "/events/5", 404), ("POST", "/events", 405),
    ])
  func notThere(method: String, path: String, status: Int) throws {
    let answer = try invoiced().answer(method, path)
    #expect(answer.status == status)
    #expect(answer.json?["type"] == "invalid_request")
  }

  @Test("JSON needs its content type, and broken JSON gets a message alone")
  func bodies() throws {
    let side = invoiced()
    #expect(try side.answer("POST", "/customers", ["name": "A"], headers: ["Content-Type": "text/plain"]).status == 400)
    let id = try create(side, ["name": "A"])
    let ignored = try side.answer("PATCH", "/customers/\(id)", ["name": "B"], headers: ["Content-Type": ""])
    #expect(ignored.status == 200 && ignored.json?["name"] == "A")
    var request = HTTPRequest(
      method: "POST", target: "/customers",
      headers: ["Authorization": "Basic c2FuZGJveC1rZXk6", "Content-Type": "application/json; charset=utf-8"],
      body: Array(#"{"name":"#.utf8))
    let broken = try #require(side.handle(request, now: noon).response)
    #expect(broken.status == 400)
    #expect(broken.json?.object?.members.map(\.key) == ["message"])
    request.headers["Content-Type"] = "application/x-www-form-urlencoded"
    request.body = Array("name=A+%26+B&metadata%5Bk%5D=v".utf8)
    let form = try #require(side.handle(request, now: noon).response?.json)
    #expect(form["name"] == "A & B" && form["metadata"] == ["k": "v"])
  }

  @Test(
    "an idempotency key has 6 to 64 bytes, on POST and PATCH only",
    arguments: [
      ("POST", 5, 400), ("POST", 6, 201), ("POST", 64, 201), ("POST", 65, 400), ("PATCH", 6, 404), ("GET", 10, 400),
      ("DELETE", 10, 400),
    ])
  func keyFormat(method: String, length: Int, status: Int) throws {
    let key = String(repeating: "k", count: length)
    let path = method == "POST" ? "/customers" : "/customers/5"
    let body: JSONValue? = method == "GET" || method == "DELETE" ? nil : ["name": "A"]
    #expect(try invoiced().answer(method, path, body, headers: ["Idempotency-Key": key]).status == status)
  }

  @Test("a key replays the stored answer whatever is asked, for a day; its bearer form has none")
  func replay() throws {
    let side = invoiced()
    let key: HTTPHeaders = ["Idempotency-Key": "key-00001"]
    let first = try side.answer("POST", "/customers", ["name": "A"], headers: key)
    let again = try side.answer("POST", "/customers", ["name": "B"], headers: key)
    let elsewhere = try side.answer("PATCH", "/nowhere", ["name": "C"], headers: key)
    #expect(first.status == 201)
    #expect(again.body == first.body && elsewhere.body == first.body && elsewhere.status == 201)
    #expect(side.stats.records == 1)
    #expect(
      try side.answer("POST", "/customers", ["name": "B"], headers: key, at: noon + 86_400_000).body != first.body)
    var bearer = key
    bearer["Authorization"] = "Bearer sandbox-key"
    for _ in 0..<2 { #expect(try side.answer("POST", "/customers", ["name": "C"], headers: bearer).status == 201) }
    #expect(side.stats.records == 4)
  }

  @Test("refusals and 500s are stored under the key too")
  func storedRefusals() throws {
    let side = invoiced()
    for (key, body, status): (String, JSONValue, Int) in [
      ("key-400", [:], 400), ("key-500", ["name": "A", "chase": nil], 500),
    ] {
      #expect(try side.answer("POST", "/customers", body, headers: ["Idempotency-Key": key]).status == status)
      #expect(try side.answer("POST", "/customers", ["name": "A"], headers: ["Idempotency-Key": key]).status == status)
    }
    #expect(side.stats.records == 0)
  }

  @Test("beyond the limit of requests in flight comes 429, which nothing was done for")
  func concurrency() throws {
    let side = invoiced {
      $0.concurrency = 2
      $0.latency = 100
    }
    let key: HTTPHeaders = ["Idempotency-Key": "key-00001"]
    for _ in 0..<2 { #expect(try side.answer("GET", "/customers").status == 200) }
    let refused = try side.answer("POST", "/customers", ["name": "A"], headers: key, at: noon + 99)
    #expect(refused.status == 429)
    #expect(refused.json?["type"] == "rate_limit_error")
    #expect(refused.headers["Retry-After"] == nil)
    #expect(try side.answer("POST", "/customers", ["name": "A"], headers: key, at: noon + 100).status == 201)
  }
}
