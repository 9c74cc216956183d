import Documents
import HTTP
import HTTPServer
import JSON

/// The pages for people: plain HTML, made here, readable without scripts.
enum AdminPage {
  static func login(status: Int, note: String = "") -> HTTPResponse {
    let body = """
      <h1>customer-sync</h1>
      <p>\(HTMLText.escaped(note))</p>
      <form method="post" action="/login">
      <label>Admin token <input type="password" name="token" autocomplete="current-password" required></label>
      <button>Log in</button>
      </form>
      """
    var response = page("Log in", body, status: status)
    if status == 401 { response.headers["WWW-Authenticate"] = "Bearer" }
    return response
  }

  static func status(_ api: AdminAPI) async -> HTTPResponse {
    func get(_ path: String) async -> JSONValue? {
      let response = await api.answer(HTTPRequest(method: "GET", target: AdminAPI.root + path))
      return response.status == 200 ? try? JSONValue(parsing: response.body) : nil
    }
    guard let status = await get("status") else {
      return page("Out of order", "<h1>The store can't be read</h1>", status: 503)
    }
    let sides = (status["sides"]?.object?.members ?? []).map { side in
      [side.key, text(side.value["state"]), text(side.value["reason"])]
    }
    let flowNames = ["flow", "live", "links", "title"]
    let flows = (status["flows"]?.array ?? []).map { flow in flowNames.map { text(flow[$0]) } }
    var body = "<h1>customer-sync</h1>\n<p>\(HTMLText.escaped(text(status["at"])))</p>\n"
    body += table("Sides", ["Side", "State", "Reason"], sides)
    body += table("Flows", ["Flow", "Live", "Links", "Title"], flows)
    body += table(
      "Work", ["Waiting", "Oldest, seconds", "Parked", "Conflicts", "Held deletes"],
      [["inbox", "oldest_seconds", "parked", "conflicts", "held_deletes"].map { text(status[$0]) }])
    for (title, path) in [("Parked", "parked"), ("Conflicts", "conflicts"), ("Held deletes", "deletes")] {
      let names = ["id", "flow", "invoiced_id", "pms_id", "property", "reason", "next", "at"]
      body += table(title, names, rows(await get(path + "?limit=50"), names))
    }
    let names = ["id", "side", "type", "state", "invoiced_id", "pms_id", "reason", "at"]
    body += table("Latest events", names, rows(await get("events?limit=50"), names))
    return page("Status", body)
  }

  private static func rows(_ list: JSONValue?, _ names: [String]) -> [[String]] {
    (list?["items"]?.array ?? []).map { item in names.map { text(item[$0]) } }
  }

  private static func text(_ value: JSONValue?) -> String {
    guard let value, !value.isNull else { return "" }
    return value.string ?? value.text
  }

  private static func table(_ title: String, _ names: [String], _ rows: [[String]]) -> String {
    guard !rows.isEmpty else { return "<h2>\(title)</h2>\n<p>None.</p>\n" }
    let head = names.map { "<th scope=\"col\">\(HTMLText.escaped($0.replacing("_", with: " ")))</th>" }.joined()
    let lines = rows.map { row in "<tr>" + row.map { "<td>\(HTMLText.escaped($0))</td>" }.joined() + "</tr>" }
    return "<h2>\(title)</h2>\n<table>\n<tr>\(head)</tr>\n\(lines.joined(separator: "\n"))\n</table>\n"
  }

  private static func page(_ title: String, _ body: String, status: Int = 200) -> HTTPResponse {
    let html = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width">
      <title>\(title) - customer-sync</title>
      <style>
      body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem }
      table { border-collapse: collapse }
      td, th { padding: .2rem 1rem .2rem 0; text-align: left; vertical-align: top }
      </style>
      </head>
      <body>
      \(body)
      </body>
      </html>

      """
    return HTTPResponse(
      status: status,
      headers: [
        "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
        "Content-Security-Policy":
          "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
      ], body: Array(html.utf8))
  }
}
