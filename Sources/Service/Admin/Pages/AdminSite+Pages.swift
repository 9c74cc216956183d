import HTTP
import JSON

/// The pages that are no lists.
extension AdminSite {
  func status() async throws(Trouble) -> HTTPResponse {
    let status = try await get("status")
    let cards = [
      ("Waiting", "inbox", "/events?state=waiting", "dim"), ("Parked", "parked", "/parked", "bad"),
      ("Conflicts", "conflicts", "/conflicts", "bad"), ("Held deletes", "held_deletes", "/deletes", "bad"),
    ].map { title, name, path, kind -> HTML in
      let count = Cell.plain(status[name])
      return "<a href=\"\(path)\"><b class=\"\(count == "0" ? "good" : kind)\">\(count)</b>\(title)</a>\n"
    }
    let sides = (status["sides"]?.object?.members ?? []).map { side -> JSONValue in
      var row = side.value.object ?? JSONObject()
      row["side"] = .string(side.key)
      return .object(row)
    }
    let latest = try await get("events?limit=10")["items"]?.array ?? []
    let oldest = Cell.plain(status["oldest_seconds"])
    let body: HTML = """
      <p class="dim">\(Cell.time(status["at"])) UTC. The oldest event that waits has done so for \(oldest) seconds.</p>
      <div class="cards">
      \(cards)</div>
      <h2>Sides</h2>
      \(Self.table(Self.sideColumns, sides))
      <h2>Flows</h2>
      \(Self.table(Self.flowColumns, status["flows"]?.array ?? []))
      <p>\(Cell.button("Reconcile now", "/reconcile"))</p>
      <p><a href="/admin/v1/audit?format=html">Audit</a>: compares every record of both sides, which takes a while.</p>
      <h2>Latest events</h2>
      \(latest.isEmpty ? "<p class=\"dim\">No events.</p>" : Self.table(AdminList.events.columns, latest))
      """
    return page("Status", at: "/", body, refreshes: true)
  }

  private static let sideColumns = [
    AdminList.Column("Side", "side"), AdminList.Column("State") { Cell.state($0["state"]) },
    AdminList.Column("Reason", "reason"), AdminList.Column("Since") { Cell.time($0["since"]) },
    AdminList.Column("Events a minute", "events_per_minute"), AdminList.Column("Pushes a minute", "pushes_per_minute"),
    AdminList.Column("Lag, ms", "lag_milliseconds"),
    AdminList.Column("") { side in
      let path = "/sides/\(Cell.plain(side["side"]))"
      return side["state"] == "paused"
        ? Cell.button("Resume", path + "/resume") : Cell.button("Pause", path + "/pause")
    },
  ]

  private static let flowColumns = [
    AdminList.Column("Flow") { flow in
      let name = Cell.plain(flow["flow"])
      return "<a href=\"/links?flow=\(Cell.segment(name))\">\(name)</a>"
    },
    AdminList.Column("Title", "title"), AdminList.Column("Live", "live"), AdminList.Column("Links", "links"),
    AdminList.Column("Held back", "held_back"),
  ]

  func event(_ id: String) async throws(Trouble) -> HTTPResponse {
    let event = try await get("events/" + id)
    let names = [
      ("Sender's id", "event"), ("Side", "side"), ("Type", "type"), ("Origin", "origin"), ("Invoiced", "invoiced_id"),
      ("PMS", "pms_id"), ("Tries", "attempts"), ("Reason", "reason"),
    ].map { title, name in "<dt>\(title)</dt><dd>\(Cell.text(event[name]))</dd>\n" as HTML }
    let times = [("Received", "at"), ("Due", "due_at"), ("Finished", "finished_at")].map { title, name in
      "<dt>\(title)</dt><dd>\(Cell.time(event[name]))</dd>\n" as HTML
    }
    let isReplayable = event["invoiced_id"]?.isNull == false || event["pms_id"]?.isNull == false
    let number = Cell.plain(event["id"])
    let replay: HTML =
      isReplayable ? "<p>\(Cell.button("Replay", "/events/\(Cell.segment(number))/replay"))</p>" : ""
    let shown = event["body"].map { $0.string ?? $0.pretty } ?? ""
    let body: HTML = """
      <dl>
      <dt>State</dt><dd>\(Cell.state(event["state"]))</dd>
      \(names)\(times)</dl>
      \(replay)
      <h2>What was sent</h2>
      <pre>\(event["body"]?.isNull == false ? shown : "Nothing of it was kept.")</pre>
      """
    return page("Event \(number)", at: "/events", body)
  }

  func link(_ id: String) async throws(Trouble) -> HTTPResponse {
    let link = try await get("links/" + id)
    let number = Cell.plain(link["id"])
    let isOver = link["state"] == "ended"
    let part: HTML = isOver ? "" : "<p>\(Cell.button("Unlink", "/links/\(Cell.segment(number))/unlink"))</p>"
    let history = link["history"]?.array ?? []
    let columns = AdminList.history.columns
    let body: HTML = """
      <dl>
      <dt>Flow</dt><dd>\(Cell.text(link["flow"]))</dd>
      <dt>State</dt><dd>\(Cell.state(link["state"])) \(Cell.text(link["reason"]))</dd>
      <dt>Invoiced</dt><dd>\(Cell.record(link["invoiced_id"]))</dd>
      <dt>PMS</dt><dd>\(Cell.record(link["pms_id"]))</dd>
      <dt>Since</dt><dd>\(Cell.time(link["at"]))</dd>
      </dl>
      \(part)
      <h2>Side by side</h2>
      \(Self.table(Self.rowColumns, link["properties"]?.array ?? []))
      <h2>History</h2>
      \(history.isEmpty ? "<p class=\"dim\">Nothing has happened yet.</p>" : Self.table(columns, history))
      """
    return page("Link \(number)", at: "/links", body)
  }

  private static let rowColumns = [
    AdminList.Column("Invoiced property", "property"), AdminList.Column("PMS property", "pms_property"),
    AdminList.Column("In Invoiced") { Cell.value($0["invoiced"]) },
    AdminList.Column("In the PMS") { Cell.value($0["pms"]) },
    AdminList.Column("Agreed") { row in
      guard let agreed = row["agreed"], !agreed.isNull else { return "<span class=\"fair\">not yet</span>" }
      if agreed["invoiced"] == row["invoiced"], agreed["pms"] == row["pms"] {
        return "<span class=\"good\">as it is</span>"
      }
      return "\(Cell.value(agreed["invoiced"])) = \(Cell.value(agreed["pms"]))"
    },
  ]

  func mapping() async throws(Trouble) -> HTTPResponse {
    let flows = (try await get("mapping")["flows"]?.array ?? []).map { flow -> HTML in
      let title = flow["title"]?.string ?? Cell.plain(flow["flow"])
      return """
        <h2>\(title)</h2>
        <p class="dim">Flow \(Cell.text(flow["flow"])), live: \(Cell.text(flow["live"]))</p>
        \(Self.table(Self.mappingColumns, flow["properties"]?.array ?? []))
        """
    }
    return page("Mapping", at: "/mapping", "\(flows)")
  }

  private static let mappingColumns = [
    AdminList.Column("Invoiced property", "invoiced"), AdminList.Column("PMS property", "pms"),
    AdminList.Column("PMS data type", "type"), AdminList.Column("Direction", "direction"),
  ]
}
