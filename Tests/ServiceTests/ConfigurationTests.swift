import Connectors
import Documents
import Foundation
import HTTPServer
import JSON
import Mapping
import Service
import Signatures
import Testing

@Suite("customer-sync.yaml") struct ConfigurationTests {
  private static let environment = [
    "INVOICED_API_KEY": "key-one", "INVOICED_WEBHOOK_SECRET": "secret-two", "PMS_TOKEN": "token-three",
    "PMS_CALLBACK_SECRET": "whsec_c2VjcmV0LWZvdXItc2VjcmV0LWZvdXI=", "CUSTOMER_SYNC_ADMIN_TOKEN": "token-five",
    "EMPTY": "",
    "PORT": "0.0.0.0:80", "NOTHING": "null",
  ]
  private static let required = """
    mapping: mapping.yaml
    invoiced: { api_key: "${INVOICED_API_KEY}", webhook: { secrets: ["${INVOICED_WEBHOOK_SECRET}"] } }
    pms: { url: "https://pms.example.com/api/v1/", callback: { signature: { secrets: ["${PMS_CALLBACK_SECRET}"] } } }

    """

  private func read(_ text: String) -> (Configuration?, [String]) {
    let (configuration, diagnostics) = Configuration.read(
      text: text, file: "/etc/sync/customer-sync.yaml", environment: Self.environment)
    return (configuration, lines(diagnostics))
  }

  private func lines(_ diagnostics: [Diagnostic]) -> [String] {
    diagnostics.map { diagnostic in
      let place = diagnostic.position.map { "\($0.line):\($0.column) " } ?? ""
      return "\(diagnostic.severity) \(place)\(diagnostic.message)"
        + (diagnostic.advice.isEmpty ? "" : " -> \(diagnostic.advice)")
    }
  }

  @Test("the required keys are enough, and all else has the contract's default")
  func defaults() throws {
    let (read, problems) = read(Self.required)
    #expect(problems == [])
    let c = try #require(read)
    #expect(c.listen.description == "0.0.0.0:8080" && c.tls == nil && c.maxBody == 1_048_576)
    #expect(c.readTimeout == .seconds(10) && c.maxConnections == 10_000 && c.idleTimeout == .seconds(60))
    #expect(c.drain == .seconds(20) && c.store == .sqlite(path: "/etc/sync/customer-sync.db"))
    #expect(c.retention == .init(events: .seconds(30 * 86_400), history: .seconds(365 * 86_400)))
    #expect(c.mapping == "/etc/sync/mapping.yaml" && c.log == .init(level: .info, format: .text))
    #expect(c.admin.listen.description == "127.0.0.1:9090" && c.admin.token == nil)
    #expect(c.invoiced.url == "https://api.invoiced.com" && c.invoiced.apiKey == Secret("key-one"))
    #expect(c.invoiced.webhookSecrets == [Secret("secret-two")] && c.invoiced.allowFrom.ranges == [])
    #expect(
      c.invoiced.timeout == .seconds(30) && c.invoiced.ca == nil && c.invoiced.concurrency == 4
        && c.invoiced.rate == nil)
    #expect(c.pms.url == "https://pms.example.com/api/v1" && c.pms.auth == .none && c.pms.concurrency == 8)
    #expect(c.pms.timeout == .seconds(30) && c.pms.rate == nil && c.pms.ca == nil)
    #expect(c.pms.callback.signature.scheme == .standardWebhooks && c.pms.callback.signature.tolerance == .seconds(300))
    #expect(c.pms.callback.eventID == .header("webhook-id"))
    #expect(c.pms.callback.type == .body(try #require(JSONPath("type"))))
    #expect(c.pms.callback.record == JSONPath("data"))
    #expect(c.pms.callback.recordID == .body(try #require(JSONPath("data.id"))))
    #expect(
      c.pms.callback.types
        == .init(created: ["customer.created"], updated: ["customer.updated"], deleted: ["customer.deleted"]))
    let entity = c.pms.entity
    #expect(c.pms.entityName == "customer" && c.pms.endpoint.url == "https://pms.example.com/api/v1")
    #expect(entity == PMSEntity())
    #expect(entity.id == JSONPath("id") && entity.updatedAt == JSONPath("updated_at") && entity.etag)
    #expect(entity.idempotencyHeader == "Idempotency-Key" && entity.envelope == nil)
    #expect(
      entity.list
        == .init(
          path: "/customers", items: JSONPath("data"),
          pagination: .page(page: "page", size: "per_page", perPage: 100), updatedSince: "updated_since"))
    #expect(
      entity.find
        == .init(path: "/customers", query: [.init(name: "{property}", value: "{value}")], items: JSONPath("data")))
    #expect(entity.get == .init(.get, "/customers/{id}"))
    #expect(entity.create == .init(.post, "/customers"))
    #expect(entity.update == .init(.patch, "/customers/{id}"))
    #expect(entity.delete == .init(.delete, "/customers/{id}"))
    #expect(c.reconcile == .init(every: .seconds(300), full: .seconds(86_400)))
    #expect(c.retry == .init(first: .seconds(1), most: .seconds(900), giveUp: .seconds(172_800)))
    #expect(c.breaker == .init(failures: 5, probe: .seconds(10)))
    #expect(c.deleteGuard == .init(most: 20, share: 0.05, window: .seconds(3600)))
    #expect(c.loopGuard == .init(pushes: 20, window: .seconds(600)) && c.confirm == .seconds(60))
  }

  @Test("the contract's own example reads without a word")
  func contractExample() throws {
    let (configuration, problems) = read(Self.example)
    #expect(problems == [])
    let c = try #require(configuration)
    #expect(c.admin.token == Secret("token-five"))
    #expect(c.pms.auth == .bearer(token: Secret("token-three")))
    #expect(c.store == .sqlite(path: "/etc/sync/customer-sync.db"))
  }

  @Test("what is written is read")
  func everything() throws {
    let (configuration, problems) = read(
      """
      listen: "[::1]:0"
      tls: { certificate: tls/cert.pem, key: /keys/key.pem, client_ca: ca.pem }
      max_body: 64KiB
      read_timeout: 500ms
      max_connections: 7
      idle_timeout: 2m
      drain: 1h
      store: postgres://user:password@host/db
      retention: { events: 1d, history: 2d }
      mapping: /elsewhere/m.yaml
      log: { level: debug, format: json }
      admin: { listen: 0.0.0.0:9090, token: "${CUSTOMER_SYNC_ADMIN_TOKEN}" }
      invoiced:
        url: http://127.0.0.1:8601/
        api_key: sandbox-key
        webhook: { secrets: [a, b], allow_from: [192.0.2.7, 10.0.0.0/8, "2001:db8::/32"] }
        timeout: 5s
        ca: ca.pem
        concurrency: 1
        rate: 20/s
      pms:
        url: http://localhost:8602
        auth: { type: oauth2, token_url: "https://pms.example.com/token", client_id: c, client_secret: s, scope: a b }
        timeout: 6s
        concurrency: 2
        rate: 100/m
        callback:
          signature: { scheme: hmac, header: X-S, algorithm: sha512, encoding: base64, prefix: "", timestamp_header: X-T, signed: "{timestamp}.{body}", secrets: [x], tolerance: 1m }
          event_id: body:event.id
          type: header:X-Type
          record: null
          record_id: header:X-Record
          types: { created: [], updated: changed, deleted: [gone, lost] }
          allow_from: ["::1"]
        entities:
          client:
            id: client_id
            updated_at: null
            etag: false
            idempotency_header: null
            envelope: client
            list: { path: /clients, items: null, pagination: { style: cursor, cursor: after, next: meta.next }, updated_since: null }
            find: { path: "/search", query: { field: "{property}", q: "{value}" }, items: hits }
            get: { path: "/clients/{id}?full=1" }
            create: { method: put, path: /clients }
            update: { method: PUT, path: "/clients/{id}", content_type: application/merge-patch+json }
            delete: { method: POST, path: "/clients/{id}/delete" }
      reconcile: { every: 1m, full: 2h }
      retry: { first: 2s, most: 3s, give_up: 4h }
      breaker: { failures: 3, probe: 1s }
      delete_guard: { most: 5, share: 0.5, window: 2h }
      loop_guard: { pushes: 3, window: 1m }
      confirm: 1s
      """)
    #expect(problems == [])
    let c = try #require(configuration)
    #expect(c.listen == ListenAddress(host: "::1", port: 0) && c.listen.description == "[::1]:0")
    #expect(c.tls == .init(certificate: "/etc/sync/tls/cert.pem", key: "/keys/key.pem", clientCA: "/etc/sync/ca.pem"))
    #expect(c.maxBody == 65_536 && c.readTimeout == .milliseconds(500) && c.maxConnections == 7)
    #expect(c.idleTimeout == .seconds(120) && c.drain == .seconds(3600))
    #expect(c.store == .postgres(url: Secret("postgres://user:password@host/db")))
    #expect(c.retention == .init(events: .seconds(86_400), history: .seconds(172_800)))
    #expect(c.mapping == "/elsewhere/m.yaml" && c.log == .init(level: .debug, format: .json))
    #expect(c.invoiced.url == "http://127.0.0.1:8601" && c.invoiced.webhookSecrets == [Secret("a"), Secret("b")])
    #expect(c.invoiced.allowFrom.admits("10.1.2.3") && !c.invoiced.allowFrom.admits("11.1.2.3"))
    #expect(c.invoiced.rate == Rate("20/s") && c.invoiced.ca == "/etc/sync/ca.pem" && c.invoiced.concurrency == 1)
    #expect(
      c.pms.auth
        == .oauth2(
          tokenURL: "https://pms.example.com/token", clientID: "c", clientSecret: Secret("s"), scope: "a b"))
    #expect(c.pms.rate?.per == .seconds(60) && c.pms.rate?.count == 100)
    #expect(
      c.pms.callback.signature.scheme
        == .hmac(
          HMACScheme(
            header: "X-S", algorithm: .sha512, encoding: .base64, prefix: "", timestampHeader: "X-T",
            signed: "{timestamp}.{body}")))
    #expect(c.pms.callback.eventID == .body(try #require(JSONPath("event.id"))))
    #expect(c.pms.callback.type == .header("X-Type") && c.pms.callback.recordID == .header("X-Record"))
    #expect(c.pms.callback.record == nil)
    #expect(c.pms.callback.types == .init(created: [], updated: ["changed"], deleted: ["gone", "lost"]))
    let entity = c.pms.entity
    #expect(c.pms.entityName == "client")
    #expect(entity.updatedAt == nil && !entity.etag && entity.idempotencyHeader == nil && entity.envelope == "client")
    #expect(
      entity.list
        == .init(
          path: "/clients", items: nil, pagination: .cursor(cursor: "after", next: try #require(JSONPath("meta.next"))),
          updatedSince: nil))
    #expect(entity.find.query == [.init(name: "field", value: "{property}"), .init(name: "q", value: "{value}")])
    #expect(entity.create.method == .put && entity.update.contentType == "application/merge-patch+json")
    #expect(entity.delete == .init(.post, "/clients/{id}/delete"))
    #expect(c.breaker.failures == 3 && c.deleteGuard.share == 0.5 && c.confirm == .seconds(1))
  }

  @Test(
    "each kind of authentication and pagination is read",
    arguments: [
      ("auth: { type: none }", PMSAuthentication.none),
      ("auth: { type: bearer, token: t }", .bearer(token: Secret("t"))),
      ("auth: { type: basic, user: u, password: p }", .basic(user: "u", password: Secret("p"))),
      ("auth: { type: header, name: X-Api-Key, value: v }", .header(name: "X-Api-Key", value: Secret("v"))),
      (
        "auth: { type: oauth2, token_url: https://a.example/t, client_id: i, client_secret: s, scope: null }",
        .oauth2(tokenURL: "https://a.example/t", clientID: "i", clientSecret: Secret("s"), scope: nil)
      ),
    ])
  func auth(_ piece: String, _ auth: PMSAuthentication) {
    let (configuration, problems) = read(Self.withPMS(piece))
    #expect(problems == [])
    #expect(configuration?.pms.auth == auth)
  }

  @Test(
    "each style of pagination is read",
    arguments: [
      (
        "{ style: page, page: p, size: s, per_page: 50 }",
        Pagination.page(page: "p", size: "s", perPage: 50)
      ),
      ("{ style: offset, offset: o, limit: l, per_page: 10 }", .offset(offset: "o", limit: "l", perPage: 10)),
      ("{ style: link }", .link), ("{ style: none }", .none), ("none", .none),
      ("{ style: cursor, next: n }", .cursor(cursor: "cursor", next: JSONPath([.key("n")]))),
    ])
  func pagination(_ piece: String, _ pagination: Pagination) {
    let (configuration, problems) = read(Self.withPMS("entities: { customer: { list: { pagination: \(piece) } } }"))
    #expect(problems == [])
    #expect(configuration?.pms.entity.list.pagination == pagination)
  }

  @Test(
    "each wrong setting is an error with its place and what to write",
    arguments: [
      ("lisen: a:1", "6:1 the configuration has no key 'lisen' -> did you mean 'listen'? its keys are ALL"),
      (
        "listen: 8080",
        "6:9 the configuration: 'listen' must be an address to listen on, and is '8080' -> write 'HOST:PORT', such as 127.0.0.1:8080 or [::1]:8080"
      ),
      (
        "read_timeout: 10",
        "6:15 the configuration: 'read_timeout' must be a duration, and is '10' -> write a whole number and a unit: 500ms, 10s, 5m, 48h or 30d"
      ),
      (
        "drain: 0s",
        "6:8 the configuration: 'drain' must be a duration, and is '0s' -> write a whole number and a unit: 500ms, 10s, 5m, 48h or 30d"
      ),
      (
        "max_body: 1Mib",
        "6:11 the configuration: 'max_body' must be a size, and is '1Mib' -> write bytes, or a number with KiB, MiB or GiB, such as 1MiB"
      ),
      (
        "max_connections: none",
        "6:18 the configuration: 'max_connections' must be a whole number of at least 1, and is 'none' -> write it in digits, such as 20"
      ),
      (
        "store: customer.db",
        "6:8 'store' is neither an SQLite file nor a PostgreSQL URL -> write 'sqlite:FILE' or 'postgres://user@host/db'"
      ),
      (
        "log: { level: loud }",
        "6:15 log: 'loud' is no value for 'level' -> allowed: trace, debug, info, notice, warning, error or critical"
      ),
      (
        "log: { format: jsn }", "6:16 log: 'jsn' is no value for 'format' -> did you mean 'json'? allowed: text or json"
      ),
      (
        "tls: { certificate: a }",
        "6:6 tls has no 'key', which a TLS listener needs -> give both 'certificate' and 'key', or leave out 'tls'"
      ),
      (
        "admin: { listen: 0.0.0.0:9090 }",
        "6:10 admin.listen is 0.0.0.0:9090, which other machines reach, and there is no admin.token -> write 'token: ${CUSTOMER_SYNC_ADMIN_TOKEN}', or listen on 127.0.0.1"
      ),
      (
        "admin: { token: \"${EMPTY}\" }",
        "6:17 admin: 'token' is empty: ${EMPTY} stands for nothing -> give it its value"
      ),
      (
        "admin: { token: \"${MISSING}\" }",
        "6:17 the environment variable MISSING is not set -> set it before starting, or write another value here"
      ),
      (
        "admin: { token: \"a${EMPTY}\" }",
        "6:17 '${...}' stands inside a longer text, and is only read as a whole value -> put the whole text into the variable or file, and write only '${NAME}' or '${file:/path}' here"
      ),
      (
        "admin: { token: \"${1A}\" }",
        "6:17 '${1A}' names no environment variable -> write '${NAME}' with letters, digits and _, or '${file:/path}'"
      ),
      ("admin: { token: \"${file:/nowhere/token}\" }", "6:17 there is no file '/nowhere/token' -> check the path"),
      (
        "confirm: ${PORT}",
        "6:10 the configuration: 'confirm' must be a duration, and is what ${PORT} stands for -> write a whole number and a unit: 500ms, 10s, 5m, 48h or 30d"
      ),
      ("retry: { first: 1h }", "6:8 retry.most is shorter than retry.first -> write 'retry: { first: 1s, most: 15m }'"),
      (
        "delete_guard: { share: 5 }",
        "6:24 delete_guard: 'share' must be a share, and is '5' -> write a number from 0 to 1, such as 0.05"
      ),
      (
        "reconcile: 5m",
        "6:12 reconcile must be a mapping of keys, and is a single value -> write its keys on the lines below it, indented further"
      ),
    ])
  func wrong(_ line: String, _ message: String) {
    let all =
      "listen, tls, max_body, read_timeout, max_connections, idle_timeout, drain, store, retention, mapping, log, admin, "
      + "invoiced, pms, reconcile, retry, breaker, delete_guard, loop_guard or confirm"
    let (configuration, problems) = read(Self.required + "\n\n\(line)\n".dropFirst(1))
    #expect(configuration == nil)
    #expect(problems == ["error " + message.replacing("ALL", with: all).replacing("6:", with: "5:")])
  }

  @Test(
    "each wrong setting of the PMS is an error with its place and what to write",
    arguments: [
      (
        "auth: { type: token }",
        "4:15 pms.auth: 'token' is no value for 'type' -> allowed: bearer, basic, header, oauth2 or none"
      ),
      (
        "auth: { token: x }",
        "4:7 pms.auth has no 'type', which is required -> write 'auth: { type: bearer, token: \"${PMS_TOKEN}\" }'"
      ),
      (
        "auth: { type: basic, user: 'a:b', password: p }",
        "4:22 pms.auth: 'user' holds a colon, which ends a user's name (RFC 7617) -> write the name alone, and the password under its own key"
      ),
      (
        "entities: { customer: { update: { content_type: \"a\\nb\" } } }",
        "4:49 pms.entities.customer.update: 'content_type' must be a header's value, and is 'a\nb' -> write it like application/json"
      ),
      ("auth: { type: bearer }", "4:7 pms.auth has no 'token', which is required -> write 'token: ${PMS_TOKEN}'"),
      ("auth: { type: none, token: x }", "4:21 pms.auth has no key 'token' -> its keys are type"),
      ("rate: 20", "4:7 pms: 'rate' must be a rate, and is '20' -> write it like 20/s or 100/m"),
      (
        "entities: { a: {}, b: {} }",
        "4:20 pms.entities has 2 entities, and one is supported for now -> keep 'a', and remove the others"
      ),
      (
        "entities: { a: { get: { path: /a } } }",
        "4:31 pms.entities.a.get: 'path' has no {id}, which stands for the record's id -> write it like '/customers/{id}'"
      ),
      (
        "entities: { a: { list: { path: a } } }",
        "4:32 pms.entities.a.list: 'path' must begin with a slash and hold no blanks, and is 'a' -> write the path below pms.url, such as '/customers'"
      ),
      (
        "entities: { a: { update: { method: GET } } }",
        "4:36 pms.entities.a.update: 'GET' is no value for 'method' -> allowed: PATCH, PUT or POST"
      ),
      (
        "entities: { a: { list: { pagination: { style: cursor } } } }",
        "4:38 pms.entities.a.list.pagination has no 'next', which is required -> write where an answer holds the next cursor: 'next: PATH'"
      ),
      (
        "entities: { a: { find: { query: { q: x } } } }",
        "4:24 pms.entities.a.find: nothing holds {value}, so that every search would find the same -> write 'query: { \"{property}\": \"{value}\" }'"
      ),
      (
        "auth: { type: header, name: X Key, value: v }",
        "4:29 pms.auth: 'name' must be a header's name, and is 'X Key' -> write letters, digits and -, such as X-Signature"
      ),
      (
        "entities: { a: { idempotency_header: \"\" } }",
        "4:38 pms.entities.a: 'idempotency_header' must be a header's name, and is '' -> write letters, digits and -, such as X-Signature"
      ),
      (
        "entities: { a: { create: { path: \"/a/{id}\" } } }",
        "4:34 pms.entities.a.create: 'path' has {id}, and no record's id is known there -> write it like '/customers'"
      ),
      (
        "entities: { a: { id: a..b } }",
        "4:22 pms.entities.a: 'a..b' is no path for 'id' -> write keys with dots between, and [0] for an element"
      ),
    ])
  func wrongPMS(_ piece: String, _ message: String) {
    let (configuration, problems) = read(Self.withPMS(piece))
    #expect(configuration == nil)
    #expect(problems == ["error " + message])
  }

  @Test(
    "each wrong setting of the callback is an error with its place and what to write",
    arguments: [
      (
        "event_id: webhook-id",
        "4:11 pms.callback: 'event_id' must say where a callback carries it, and is 'webhook-id' -> write 'header:NAME' or 'body:PATH'"
      ),
      (
        "record_id: \"body:\"",
        "4:12 pms.callback: 'record_id' must say where a callback carries it, and is 'body:' -> write 'header:NAME' or 'body:PATH'"
      ),
      (
        "record: header:X",
        "4:9 pms.callback: 'record' must say where a callback carries the record, and is 'header:X' -> write 'body:PATH', or null when callbacks carry only the id"
      ),
      (
        "types: { created: [a], updated: [a] }",
        "4:8 pms.callback.types: the type 'a' stands for more than one thing -> list each type once, under created, updated or deleted"
      ),
      (
        "allow_from: [10.0.0.0/33]",
        "4:14 pms.callback: 'allow_from' holds '10.0.0.0/33', which is no address and no CIDR -> write addresses such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
      ),
    ])
  func wrongCallback(_ piece: String, _ message: String) {
    let (configuration, problems) = read(
      """
      mapping: m
      invoiced: { api_key: a, webhook: { secrets: [b] } }
      pms: { url: https://pms.example, callback: { signature: { secrets: ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0"] },
      \(piece) } }
      """)
    #expect(configuration == nil)
    #expect(problems == ["error " + message])
  }

  @Test(
    "a signature that can't be checked is an error that shows no secret",
    arguments: [
      ("{ secrets: [whsec_kept-secret!] }", "a Standard Webhooks secret is not base64"),
      (
        "{ scheme: hmac, secrets: [kept-secret], signed: \"{timestamp}.{body}\" }",
        "needs the header that carries {timestamp}"
      ),
      ("{ scheme: hmac, secrets: [kept-secret], signed: \"x\" }", "leaves the body unsigned"),
      ("{ scheme: hmca, secrets: [kept-secret] }", "did you mean 'hmac'?"),
      ("{ secrets: [{ kept-secret: a }] }", "must be text, and is a mapping of keys"),
      ("kept-secret", "must be a mapping of keys, and is a single value"),
      ("{ scheme: hmac, secrets: [kept-secret], header: X Y }", "must be a header's name"),
      ("{ secrets: [] }", "is an empty list"), ("{ secrets: [\"\"] }", "is empty"),
      ("{ secrets: [\"kept-secret\\nb\"] }", "holds a line break"), ("{}", "has no 'secrets', which is required"),
    ])
  func signature(_ signature: String, _ message: String) {
    let (configuration, diagnostics) = Configuration.read(
      text: """
        mapping: m
        invoiced: { api_key: a, webhook: { secrets: [b] } }
        pms: { url: https://pms.example, callback: { signature: \(signature) } }
        """, file: "c.yaml", environment: [:])
    #expect(configuration == nil)
    let text = diagnostics.map(\.description).joined(separator: "\n")
    #expect(text.contains(message))
    #expect(!text.contains("kept-secret"))
  }

  @Test("all that is required and missing is listed at once")
  func missing() {
    let (configuration, problems) = read("pms: {}\n")
    #expect(configuration == nil)
    #expect(
      problems == [
        "error 1:1 the configuration has no 'mapping', which is required -> write 'mapping: mapping.yaml'",
        "error 1:1 invoiced has no 'api_key', which is required -> write 'api_key: ${INVOICED_API_KEY}'",
        "error 1:1 invoiced.webhook has no 'secrets', which is required -> write 'secrets: [\"${INVOICED_WEBHOOK_SECRET}\"]'",
        "error 1:6 pms has no 'url', which is required -> write 'url: https://pms.example.com/api/v1'",
        "error 1:6 pms.callback.signature has no 'secrets', which is required -> write 'secrets: [\"${PMS_CALLBACK_SECRET}\"]'",
      ])
  }

  @Test("a URL without encryption to another machine is warned of, one with a password refused")
  func urls() {
    func problems(_ url: String) -> [String] {
      read(
        """
        mapping: m
        invoiced: { api_key: a, webhook: { secrets: [b] } }
        pms: { url: "\(url)", callback: { signature: { secrets: ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0"] } } }
        """
      ).1
    }
    #expect(
      problems("http://127.0.0.1:1") == [] && problems("http://[::1]:1/x") == [] && problems("http://localhost") == [])
    #expect(
      problems("http://pms.example") == [
        "warning 3:13 pms: 'url' is not encrypted: credentials and customers' data can be read on the way -> write https://"
      ])
    #expect(
      problems("https://u:hidden@pms.example") == [
        "error 3:13 pms: 'url' holds a user or password -> give credentials under their own keys"
      ])
    for url in [
      "pms.example", "ftp://a", "https://", "https:///x", "https://a b", "https://a?x=1", "https://[::1", "https://a:x",
    ] {
      #expect(problems(url).first?.contains("which is no URL") == true, "\(url)")
    }
  }

  @Test("a value from a file loses its last newline only; a variable's text is never null")
  func files() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("configuration-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try Data("from-file\n".utf8).write(to: directory.appendingPathComponent("key"))
    try Data("pass word\r\n".utf8).write(to: directory.appendingPathComponent("crlf"))
    let file = directory.appendingPathComponent("customer-sync.yaml")
    try Data(
      """
      mapping: m.yaml
      invoiced: { api_key: "${file:\(directory.path)/key}", webhook: { secrets: ["${NOTHING}"] } }
      pms: { url: https://a, auth: { type: basic, user: "${NOTHING}", password: "${file:crlf}" }, callback: { signature: { secrets: "${PMS_CALLBACK_SECRET}" } } }
      """.utf8
    ).write(to: file)
    let (configuration, diagnostics) = Configuration.load(file: file.path, environment: Self.environment)
    #expect(lines(diagnostics) == [])
    #expect(configuration?.invoiced.apiKey == Secret("from-file"))
    #expect(configuration?.invoiced.webhookSecrets == [Secret("null")])
    #expect(configuration?.pms.auth == .basic(user: "null", password: Secret("pass word")))
    #expect(configuration?.mapping == directory.path + "/m.yaml")
    #expect(
      lines(Configuration.load(file: "/nowhere.yaml", environment: [:]).diagnostics) == [
        "error there is no file '/nowhere.yaml' -> check the path"
      ])
  }

  @Test("a flow of an entity that isn't configured is an error, and an edit that may be lost a warning")
  func withMapping() throws {
    func problems(_ piece: String, _ entity: String) throws -> [String] {
      let configuration = try #require(read(Self.withPMS(piece)).0)
      let flow = Flow(name: "a", invoiced: FlowSide(object: "customer"), pms: FlowSide(object: entity))
      return lines(configuration.problems(with: Mapping(flows: [flow])))
    }
    #expect(try problems("rate: null", "customer") == [])
    #expect(
      try problems("entities: { client: { etag: false } }", "customer") == [
        "error flow 'a' is about the entity 'customer', and pms.entities has 'client' -> write 'pms: { entity: client }', or rename the entity in /etc/sync/customer-sync.yaml"
      ])
    let (configuration, _) = read(
      """
      mapping: m
      invoiced: { api_key: a, webhook: { secrets: [b] } }
      pms:
        url: https://pms.example
        callback: { record: null, signature: { secrets: ["whsec_c2VjcmV0c2VjcmV0c2VjcmV0"] } }
        entities: { customer: { etag: false } }
      """)
    #expect(
      lines(try #require(configuration).problems(with: Mapping(flows: []))) == [
        "warning the PMS has no ETags and its callbacks carry no record: an edit made there between our read and our write can be lost without a trace -> let callbacks carry the record (pms.callback.record), or use ETags"
      ])
  }

  @Test("a dump of the configuration shows no secret")
  func redacted() throws {
    let (configuration, _) = read(
      Self.withPMS("auth: { type: basic, user: u, password: kept-secret }") + "store: postgres://u:kept-secret@h/d\n")
    var text = ""
    dump(try #require(configuration), to: &text)
    text += "\(try #require(configuration))"
    for secret in ["kept-secret", "key-one", "secret-two", "whsec_"] { #expect(!text.contains(secret)) }
  }

  private static func withPMS(_ piece: String) -> String {
    """
    mapping: m
    invoiced: { api_key: "${INVOICED_API_KEY}", webhook: { secrets: ["${INVOICED_WEBHOOK_SECRET}"] } }
    pms: { url: https://pms.example, callback: { signature: { secrets: ["${PMS_CALLBACK_SECRET}"] } },
    \(piece) }

    """
  }
}
