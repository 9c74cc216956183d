import HTTP
import JSON
import Sync

/// A list of the API as a page: which columns, which filters, which buttons.
struct AdminList: Sendable {
  var title: String
  var path: String
  var columns: [Column]
  var filters: [Filter]
  /// What stands where the list is empty.
  var none: String
  /// Above the list, where it isn't empty.
  var above: HTML = ""

  struct Column: Sendable {
    var title: String
    var cell: @Sendable (JSONValue) -> HTML

    init(_ title: String, _ cell: @escaping @Sendable (JSONValue) -> HTML) { (self.title, self.cell) = (title, cell) }

    /// A member as it is.
    init(_ title: String, _ name: String) { self.init(title) { Cell.text($0[name]) } }
  }

  struct Filter: Sendable {
    var name: String
    var title: String
    /// What can be chosen; any text where there is nothing.
    var choices: [String] = []
  }

  private static let at = Column("At") { Cell.time($0["at"]) }
  private static let invoiced = Column("Invoiced") { Cell.record($0["invoiced_id"]) }
  private static let pms = Column("PMS") { Cell.record($0["pms_id"]) }
  private static let side = Filter(name: "side", title: "Side", choices: ["invoiced", "pms"])
  private static let record = Filter(name: "record", title: "Record")
  private static let flow = Filter(name: "flow", title: "Flow")

  static let all = [events, links, parked, conflicts, deletes, history]

  static let events = AdminList(
    title: "Events", path: "/events",
    columns: [
      Column("Event") { "<a href=\"/events/\(Cell.plain($0["id"]))\">\(Cell.plain($0["id"]))</a>" },
      Column("Side", "side"), Column("Type", "type"), Column("State") { Cell.state($0["state"]) }, invoiced, pms,
      Column("Tries", "attempts"), Column("Reason", "reason"), at,
    ],
    filters: [
      side, Filter(name: "state", title: "State", choices: EventState.allCases.map(\.rawValue)),
      Filter(name: "type", title: "Type"), record, flow,
    ], none: "No events.")

  static let links = AdminList(
    title: "Links", path: "/links",
    columns: [
      Column("Link") { "<a href=\"/links/\(Cell.plain($0["id"]))\">\(Cell.plain($0["id"]))</a>" },
      Column("Flow", "flow"), Column("State") { Cell.state($0["state"]) }, Column("Invoiced", "invoiced_id"),
      Column("PMS", "pms_id"), Column("Reason", "reason"), at,
    ],
    filters: [Filter(name: "state", title: "State", choices: ["active", "asleep", "ended"]), record, flow],
    none: "No links.")

  static let parked = AdminList(
    title: "Parked", path: "/parked",
    columns: [Column("Entry", "id"), Column("Flow", "flow"), invoiced, pms] + Self.held + [
      Column("What to do", "next"), at,
      Column("") { entry in
        let id = Cell.plain(entry["id"])
        let retry: HTML =
          entry["cause"] == "unreadable" ? "" : Cell.button("Try again", "/parked/\(Cell.segment(id))/retry")
        return "\(retry) \(Cell.button("Discard", "/parked/\(Cell.segment(id))/discard"))"
      },
    ], filters: [side, record, flow], none: "Nothing is parked.")

  static let conflicts = AdminList(
    title: "Conflicts", path: "/conflicts",
    columns: [Column("Conflict", "id"), Column("Flow", "flow"), invoiced, pms] + Self.held + [
      at,
      Column("") { entry in
        let path = "/conflicts/\(Cell.segment(Cell.plain(entry["id"])))/resolve"
        return """
          \(Cell.button("Take Invoiced's", path, ("take", "invoiced"))) \
          \(Cell.button("Take the PMS's", path, ("take", "pms")))
          """
      },
    ], filters: [side, record, flow], none: "There are no conflicts.")

  static let deletes = AdminList(
    title: "Held deletes", path: "/deletes",
    columns: [
      Column("Delete", "id"), Column("Flow", "flow"), Column("Deleted on", "side"), invoiced, pms,
      Column("Reason", "reason"), at,
      Column("") { entry in
        let id = Cell.plain(entry["id"])
        return """
          \(Cell.button("Approve", "/deletes/approve", ("id", id))) \
          \(Cell.button("Reject", "/deletes/reject", ("id", id)))
          """
      },
    ], filters: [record, flow], none: "No deletes are held.",
    above: """
      <p>\(Cell.button("Approve all", "/deletes/approve")) \(Cell.button("Reject all", "/deletes/reject"))</p>
      """)

  static let history = AdminList(
    title: "History", path: "/history",
    columns: [
      at, Column("What", "kind"), Column("Flow", "flow"), invoiced, pms, Column("Written to", "side"),
      Column("Property", "property"), Column("Before") { Cell.value($0["old"]) },
      Column("After") { Cell.value($0["new"]) }, Column("Rule", "rule"), Column("Why", "reason"),
    ], filters: [side, Filter(name: "type", title: "What"), record, flow], none: "Nothing has happened yet.")

  private static let held = [
    Column("Property", "property"), heldValue("In Invoiced", "invoiced"), heldValue("In the PMS", "pms"),
    Column("Reason", "reason"),
  ]

  private static func heldValue(_ title: String, _ name: String) -> Column {
    Column(title) { $0["property"]?.isNull == false ? Cell.value($0[name]) : "" }
  }
}

extension AdminSite {
  private static let pageSize = 50

  func list(_ page: AdminList, _ query: String) async throws(Trouble) -> HTTPResponse {
    guard let given = PercentDecoding.form(query) else {
      throw Trouble(status: 400, detail: "The query is not percent-encoded UTF-8.")
    }
    // A form sends the fields that are empty, too.
    let chosen = given.filter { pair in !pair.value.isEmpty }
    let filters = chosen.filter { $0.name != "after" }
    let asked = (chosen + [("limit", String(Self.pageSize))]).map { "\($0)=\(Cell.segment($1))" }
    let answer = try await get(page.path.dropFirst() + "?" + asked.joined(separator: "&"))
    let items = answer["items"]?.array ?? []
    var body = filter(page, filters)
    if items.isEmpty {
      body = "\(body)<p class=\"dim\">\(filters.isEmpty ? page.none : "Nothing fits.")</p>"
    } else {
      body = "\(body)\(page.above)\(Self.table(page.columns, items))"
    }
    if let next = answer["next"]?.string {
      let link = (filters + [("after", next)]).map { "\($0)=\(Cell.segment($1))" }.joined(separator: "&")
      body = "\(body)<p><a href=\"\(page.path)?\(link)\" rel=\"next\">Next page</a></p>"
    }
    return self.page(page.title, at: page.path, body)
  }

  private func filter(_ page: AdminList, _ chosen: [(name: String, value: String)]) -> HTML {
    let fields = page.filters.map { filter -> HTML in
      let value = chosen.first { $0.name == filter.name }?.value ?? ""
      if filter.choices.isEmpty {
        return "<label>\(filter.title)<input name=\"\(filter.name)\" value=\"\(value)\" size=\"14\"></label>"
      }
      let options = ([""] + filter.choices).map { choice -> HTML in
        let mark: HTML = choice == value ? " selected" : ""
        return "<option value=\"\(choice)\"\(mark)>\(choice.isEmpty ? "any" : choice)</option>"
      }
      return "<label>\(filter.title)<select name=\"\(filter.name)\">\(options)</select></label>"
    }
    let all: HTML = chosen.isEmpty ? "" : "<a href=\"\(page.path)\">Show all</a>"
    return "<form class=\"filter\" action=\"\(page.path)\">\(fields)<button>Filter</button>\(all)</form>\n"
  }

  static func table(_ columns: [AdminList.Column], _ rows: [JSONValue]) -> HTML {
    let head = columns.map { "<th scope=\"col\">\($0.title)</th>" as HTML }
    let lines = rows.map { row in "<tr>\(columns.map { "<td>\($0.cell(row))</td>" as HTML })</tr>\n" as HTML }
    return """
      <div class="wide"><table>
      <thead><tr>\(head)</tr></thead>
      <tbody>
      \(lines)</tbody>
      </table></div>

      """
  }
}
