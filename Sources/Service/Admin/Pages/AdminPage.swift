import HTTP
import HTTPServer
import JSON

/// What all pages for people have in common: plain HTML, readable without scripts, that fetches nothing.
enum AdminPage {
  static let sections: [(path: String, title: String)] = [
    ("/", "Status"), ("/events", "Events"), ("/links", "Links"), ("/parked", "Parked"),
    ("/conflicts", "Conflicts"), ("/deletes", "Held deletes"), ("/history", "History"), ("/mapping", "Mapping"),
  ]

  static func login(status: Int, note: String = "") -> HTTPResponse {
    let body: HTML = """
      <div class="login">
      <h1>customer-sync</h1>
      <form method="post" action="/login">
      <p class="bad">\(note)</p>
      <label>Admin token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
      <button>Log in</button>
      </form>
      </div>
      """
    var response = document("Log in", body, status: status)
    if status == 401 { response.headers["WWW-Authenticate"] = "Bearer" }
    return response
  }

  /// - Parameters:
  ///   - path: The section that the page belongs to.
  ///   - canLogOut: Whether it is a session that asks.
  ///   - refreshes: Whether a browser asks again by itself.
  static func page(
    _ title: String, at path: String, _ body: HTML, status: Int = 200, canLogOut: Bool, refreshes: Bool = false
  ) -> HTTPResponse {
    let links = sections.map { section -> HTML in
      let mark: HTML = section.path == path ? " aria-current=\"page\"" : ""
      return "<a href=\"\(section.path)\"\(mark)>\(section.title)</a>\n"
    }
    let logOut: HTML = canLogOut ? "<form method=\"post\" action=\"/logout\"><button>Log out</button></form>" : ""
    let whole: HTML = """
      <header><strong>customer-sync</strong><nav>
      \(links)</nav>\(logOut)</header>
      <main>
      <h1>\(title)</h1>
      \(body)
      </main>
      """
    return document(title, whole, status: status, refreshes: refreshes)
  }

  private static func document(_ title: String, _ body: HTML, status: Int, refreshes: Bool = false) -> HTTPResponse {
    let refresh: HTML = refreshes ? "<meta http-equiv=\"refresh\" content=\"15\">\n" : ""
    let html: HTML = """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      \(refresh)<title>\(title) - customer-sync</title>
      <style>
      \(style)
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
        "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
      ], body: Array(html.text.utf8))
  }

  private static let style: HTML = """
    :root { color-scheme: light dark; --line: #d5d9de; --soft: #f4f6f8; --text: #1d2126; --dim: #616b76;
      --link: #0b5cad; --good: #1a7f37; --fair: #9a6700; --bad: #c4261d }
    @media (prefers-color-scheme: dark) { :root { --line: #3a424b; --soft: #1e242a; --text: #e4e8ec; --dim: #98a2ad;
      --link: #74b4f5; --good: #56c271; --fair: #e0b040; --bad: #ff8078 } body { background: #14181c } }
    body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--text) }
    header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: center; padding: .6rem 1.5rem;
      background: var(--soft); border-bottom: 1px solid var(--line) }
    nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; flex: 1 }
    nav a { text-decoration: none } nav a[aria-current] { color: var(--text); font-weight: 600 }
    a { color: var(--link) }
    main { padding: 0 1.5rem 3rem; max-width: 90rem }
    h1 { font-size: 1.5rem; margin: 1.2rem 0 .6rem } h2 { font-size: 1.1rem; margin: 1.8rem 0 .4rem }
    .wide { overflow-x: auto }
    table { border-collapse: collapse; min-width: 30rem }
    th, td { padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top;
      border-bottom: 1px solid var(--line) }
    th { color: var(--dim); font-weight: 600; white-space: nowrap }
    td { overflow-wrap: break-word; min-width: 2rem; max-width: 28rem }
    td span.value, td details { display: inline-block; min-width: 6rem; max-width: 24rem;
      overflow-wrap: anywhere }
    time { white-space: nowrap }
    td form { display: inline }
    .cards { display: flex; flex-wrap: wrap; gap: .8rem }
    .cards a { display: block; min-width: 7rem; padding: .6rem 1rem; border: 1px solid var(--line);
      border-radius: .4rem; text-decoration: none; color: inherit }
    .cards b { display: block; font-size: 1.5rem; line-height: 1.2 }
    .good { color: var(--good) } .fair { color: var(--fair) } .bad { color: var(--bad) } .dim { color: var(--dim) }
    form.filter { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; margin: .5rem 0 1rem }
    form.filter label { display: block; color: var(--dim); font-size: .85rem }
    form.filter input, form.filter select { display: block }
    .login { max-width: 20rem; margin: 15vh auto; padding: 0 1.5rem }
    .login input { display: block; width: 100%; box-sizing: border-box; margin: .3rem 0 1rem }
    input, select, button { font: inherit; padding: .2rem .6rem }
    button { cursor: pointer; white-space: nowrap; margin: 0 .2rem .2rem 0 }
    pre { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem; padding: .8rem;
      overflow-x: auto }
    dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem }
    dt { color: var(--dim) } dd { margin: 0; overflow-wrap: anywhere }
    """
}
