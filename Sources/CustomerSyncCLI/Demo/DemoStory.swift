import JSON
import Mapping
import Sandbox

/// What happens on the stage, told line by line.
struct DemoStory {
  private let stage: DemoStage
  private let clock = ContinuousClock()
  /// What didn't go as it should.
  private(set) var failures: [String] = []

  init(_ stage: DemoStage) { self.stage = stage }

  mutating func tell() async throws {
    introduce()
    try await fill()
    try await edits()
    try await newcomer()
    try await bothAtOnce()
    try await conflict()
    try await lostWebhook()
    try await outage()
    try await compare()
  }

  // MARK: Scenes

  private func introduce() {
    say(
      """
      customer-sync keeps the customers of two systems in sync. Here both are simulated, and everything runs in this
      one process: real HTTP on loopback ports, real signatures, a real store in \(stage.directory.path).

        Invoiced   \(stage.sandbox.invoiced.url)
        PMS        \(stage.sandbox.pms.url)
        service    \(stage.publicURL)   ready after \(stage.startTime.inMilliseconds)
      """)
  }

  private mutating func fill() async throws {
    title(
      "Invoiced has 12 customers already, and `backfill` brings them to the PMS",
      "No webhook tells of them: every record of both sides is walked, matched, and created where it is missing.")
    for customer in DemoCustomers.all { _ = try stage.create(customer, on: .invoiced, silent: true) }
    let expected = DemoCustomers.all.count { stage.mapping.flow(owning: $0, on: .invoiced) != nil }
    let start = clock.now
    let walk = try await stage.walk("backfill", [:])
    let time = clock.now - start
    try await settle()
    let created = stage.records(.pms).count
    say("  \(created) of \(expected) created in the PMS after \(time.inMilliseconds), all of them together")
    say("  1 left alone: a private person, whom no flow of the mapping covers")
    say(
      "  \(stage.writes(to: .pms)) creates were sent to the PMS, and \(stage.writes(to: .invoiced)) times its id back")
    let isRight =
      walk["state"] == "done" && created == expected && stage.writes(to: .pms) == expected
      && stage.writes(to: .invoiced) == expected
    if !isRight { failures.append("the backfill took more or fewer writes than one per record and side") }
  }

  private mutating func edits() async throws {
    title(
      "Edits, one after the other, on either side",
      "Pushes are counted by the side that gets them; an echo would be a write coming back to where the edit was made.")
    say(Self.editTable.line(["edited in", "customer", "property there", "is now", "across in", "pushes", "echoes"]))
    for edit in DemoEdit.all { try await perform(edit) }
  }

  private mutating func perform(_ edit: DemoEdit) async throws {
    guard let (row, ids) = find(edit.customer, edit.property), let id = ids[edit.side],
      let partner = ids[edit.side.other]
    else { return failures.append("\(edit.customer) is not on both sides") }
    let before = counts()
    let start = clock.now
    try stage.set(row.path(on: edit.side), to: edit.value, of: id, on: edit.side)
    let wanted = try row.canonical(on: edit.side, raw: edit.value)
    let other = edit.side.other
    let isThere = try await wait { [stage] in
      let raw = stage.record(other, partner).flatMap { row.raw(on: other, in: $0) }
      return (try? row.canonical(on: other, raw: raw)) == wanted
    }
    let time = clock.now - start
    try await settle()
    let after = counts()
    let (pushes, echoes) = (
      after[other, default: 0] - before[other, default: 0],
      after[edit.side, default: 0] - before[edit.side, default: 0]
    )
    say(
      Self.editTable.line([
        edit.side.label, edit.customer, row.path(on: edit.side).description, edit.value.text,
        isThere ? time.inMilliseconds : "never", "\(pushes)", "\(echoes)",
      ]))
    if !isThere { failures.append("\(edit.property) of \(edit.customer) didn't get across") }
    if pushes != 1 || echoes != 0 {
      failures.append("\(edit.property) of \(edit.customer): \(pushes) pushes and \(echoes) echoes in place of 1 and 0")
    }
  }

  private mutating func newcomer() async throws {
    title(
      "A customer begins in the PMS",
      "It is created in Invoiced; back come the new id, and what Invoiced fills in by itself, such as `taxable`.")
    let name = "Kongsvinger Fiber AS"
    let before = counts()
    let start = clock.now
    _ = try stage.create(
      ["name": .string(name), "kind": "company", "customer_number": "CUST-2001", "address": ["city": "Kongsvinger"]],
      on: .pms)
    let isThere = try await wait { stage.records(.invoiced).contains { $0["name"]?.string == name } }
    let time = clock.now - start
    try await settle()
    let after = counts()
    let (there, back) = (
      after[.invoiced, default: 0] - before[.invoiced, default: 0],
      after[.pms, default: 0] - before[.pms, default: 0]
    )
    say("  \(name)  in Invoiced after \(time.inMilliseconds), \(there) create there, \(back) writes back")
    if !isThere || there != 1 || !(1...2 ~= back) {
      failures.append("the customer that began in the PMS isn't once on each side")
    }
  }

  private mutating func bothAtOnce() async throws {
    title("Both sides edit one customer at the same time", "Different properties: neither overwrites the other.")
    let customer = "Fjord Marine AS"
    guard let (email, ids) = find(customer, "email"), let (notes, _) = find(customer, "notes"),
      let invoiced = ids[.invoiced], let pms = ids[.pms]
    else { return failures.append("\(customer) is not on both sides") }
    let start = clock.now
    try stage.set(email.invoiced, to: "accounts@fjord.example", of: invoiced, on: .invoiced)
    try stage.set(notes.pms, to: "Call before delivery", of: pms, on: .pms)
    let isThere = try await wait { [stage] in
      stage.record(.pms, pms)?[email.pms]?.string == "accounts@fjord.example"
        && stage.record(.invoiced, invoiced)?[notes.invoiced]?.string == "Call before delivery"
    }
    say(
      "  \(customer)  email from Invoiced and notes from the PMS are on both sides after "
        + "\((clock.now - start).inMilliseconds)")
    if !isThere { failures.append("two edits of one customer didn't both get across") }
    try await settle()
  }

  private mutating func conflict() async throws {
    title(
      "Both sides edit the same property",
      "The newer edit wins; within two seconds of each other, Invoiced's. The value that lost stays in the history.")
    let customer = "Havn Logistics AS"
    guard let (phone, ids) = find(customer, "phone"), let invoiced = ids[.invoiced], let pms = ids[.pms] else {
      return failures.append("\(customer) is not on both sides")
    }
    let start = clock.now
    try stage.set(phone.pms, to: "+47 22 22 22 22", of: pms, on: .pms)
    try stage.set(phone.invoiced, to: "+47 11 11 11 11", of: invoiced, on: .invoiced)
    func values() -> [String?] {
      [stage.record(.invoiced, invoiced)?[phone.invoiced]?.string, stage.record(.pms, pms)?[phone.pms]?.string]
    }
    let isSame = try await wait { values().allSatisfy { $0 == "+47 11 11 11 11" } }
    say("  \(customer)  phone is \(values()[0] ?? "nothing") on both sides after \((clock.now - start).inMilliseconds)")
    if !isSame { failures.append("the conflict ended as \(values().map { $0 ?? "nothing" })") }
    try await settle()
  }

  private mutating func lostWebhook() async throws {
    title(
      "A webhook is lost on its way",
      "The reconciler asks both sides every five minutes what changed; here it is asked to do so now.")
    let customer = "Larkspur Foods Inc."
    guard let (city, ids) = find(customer, "city"), let invoiced = ids[.invoiced], let pms = ids[.pms] else {
      return failures.append("\(customer) is not on both sides")
    }
    func isThere() -> Bool { stage.record(.pms, pms)?[city.pms]?.string == "Spokane" }
    stage.system(.invoiced).loseNextWebhooks(1)
    try stage.set(city.invoiced, to: "Spokane", of: invoiced, on: .invoiced)
    try await Task.sleep(for: .milliseconds(300))
    let isEarly = isThere()
    let start = clock.now
    let walk = try await stage.walk("reconcile", [:])
    say("  \(customer)  not in the PMS after 300 ms, and there \((clock.now - start).inMilliseconds) after `reconcile`")
    if isEarly || !isThere() || walk["state"] != "done" { failures.append("the lost webhook wasn't made up for") }
    try await settle()
  }

  private mutating func outage() async throws {
    title("The PMS is down for a second", "Events are taken in and kept; the push is tried again until it is through.")
    let customer = "Skogen Timber AB"
    guard let (city, ids) = find(customer, "city"), let invoiced = ids[.invoiced], let pms = ids[.pms] else {
      return failures.append("\(customer) is not on both sides")
    }
    stage.system(.pms).setOutage(.unavailable)
    try stage.set(city.invoiced, to: "Lycksele", of: invoiced, on: .invoiced)
    try await Task.sleep(for: .seconds(1))
    let isEarly = stage.record(.pms, pms)?[city.pms]?.string == "Lycksele"
    stage.system(.pms).setOutage(nil)
    let start = clock.now
    let isThere = try await wait { [stage] in stage.record(.pms, pms)?[city.pms]?.string == "Lycksele" }
    say(
      "  \(customer)  edited in Invoiced meanwhile, in the PMS \((clock.now - start).inMilliseconds) after it was back")
    if isEarly || !isThere { failures.append("the edit during the outage didn't get across after it") }
    try await settle()
  }

  private mutating func compare() async throws {
    title("The audit: both sides compared, property by property", "Read from both systems now, by `audit`.")
    let audit = try await stage.audit()
    let summary = AuditSummary(audit)
    say(Self.comparisonTable.line(["Invoiced", "PMS", "type", "agreeing", "differing"]))
    for row in summary.rows {
      say(
        Self.comparisonTable.line([
          row.invoiced, row.pms, row.type, "\(row.agreeing)", row.differing == 0 ? "-" : "\(row.differing)",
        ]))
      for example in row.examples { say("      \(example)") }
    }
    for line in summary.remarks { say("  \(line)") }
    if audit["agrees"] != true { failures.append("the two sides differ") }
    let status = try await stage.status()
    for kind in ["parked", "conflicts", "held_deletes"] {
      if let count = status[kind]?.int64, count != 0 { failures.append("\(count) \(kind) in the service") }
    }
    say("")
    if failures.isEmpty {
      say("Both sides agree: \(summary.pairs) customers on each, \(summary.rows.count) properties.")
    } else {
      say("Not in order:")
      for failure in failures { say("  - \(failure)") }
    }
  }

  // MARK: Telling and waiting

  private static let editTable = TextTable([
    (9, .left), (22, .left), (16, .left), (22, .left), (9, .right), (6, .right), (6, .right),
  ])
  private static let comparisonTable = TextTable([
    (17, .left), (20, .left), (8, .left), (8, .right), (9, .right),
  ])

  private func say(_ text: String) { Console.print(text) }

  private func title(_ title: String, _ explanation: String) { say("\n\(title)\n  \(explanation)\n") }

  private func counts() -> [Side: Int] {
    [.invoiced: stage.writes(to: .invoiced), .pms: stage.writes(to: .pms)]
  }

  /// The table's row of that Invoiced property, and a customer's id on each side.
  private func find(_ name: String, _ property: String) -> (row: PropertyPair, ids: [Side: String])? {
    guard let record = stage.records(.invoiced).first(where: { $0["name"]?.string == name }),
      let flow = stage.mapping.flow(owning: record, on: .invoiced), let reference = flow.invoicedReference,
      let row = flow.properties.first(where: { $0.invoiced.description == property }),
      let id = record["id"]?.identifier, let partner = record[reference]?.identifier
    else { return nil }
    return (row, [.invoiced: id, .pms: partner])
  }

  /// Whether the condition came to hold within ten seconds.
  private func wait(until condition: () -> Bool) async throws -> Bool {
    let end = clock.now + .seconds(10)
    while clock.now < end {
      if condition() { return true }
      try await Task.sleep(for: .microseconds(200))
    }
    return condition()
  }

  /// Waits until no webhook is under way, the service has nothing to do, and neither side was written to for 200 ms.
  private func settle() async throws {
    let end = clock.now + .seconds(10)
    var (last, quietSince) = (counts(), clock.now)
    while clock.now < end {
      try await Task.sleep(for: .milliseconds(20))
      let inbox = try await stage.status()["inbox"]?.int64
      let isBusy = stage.webhooksUnderWay > 0 || inbox != 0
      if isBusy || counts() != last { (last, quietSince) = (counts(), clock.now) }
      if clock.now - quietSince >= .milliseconds(200) { return }
    }
  }
}

extension Side {
  /// As a column's entry.
  var label: String { self == .invoiced ? "Invoiced" : "PMS" }
}
