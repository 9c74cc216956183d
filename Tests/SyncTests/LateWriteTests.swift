import JSON
import Mapping
import Testing

@testable import Sync

private let limit = row("limit")

@Suite("rule 12: an update that was taken for lost")
struct LateWriteTests {
  /// "1" was agreed; "2" went unanswered at 100 s and was not taken; "3" was pushed and agreed since.
  private static func scene(invoiced: JSONValue, pms: JSONValue, edited: Double) -> Scene {
    Scene(limit, invoiced: ["limit": invoiced], pms: ["limit": pms]).agreed(["limit": "3"], ["limit": "3"])
      .edited(invoiced: edited, pms: nil).with {
        $0.link.expect(
          [LateWrite(side: .invoiced, row: limit.key, sent: "2", sentAt: at(100), until: at(160))], now: at(110))
      }
  }

  private static let table = [
    Case(
      "it arrives: what was agreed is written again", scene(invoiced: "2", pms: "3", edited: 130),
      "invoiced limit = \"3\" by 12"),
    Case(
      "it arrives in the side's own form", scene(invoiced: " 2 ", pms: "3", edited: 130),
      "invoiced limit = \"3\" by 12"),
    Case(
      "it arrives while the source was edited again: no conflict", scene(invoiced: "2", pms: "4", edited: 130),
      "invoiced limit = \"4\" by 12"),
    Case(
      "it arrives in the side's own form, and is due still: agreed",
      scene(invoiced: "2", pms: " 2 ", edited: 130).with {
        $0.link.late[0].sent = " 2 "
      },
      "agree limit=limit: \"2\" = \" 2 \""),
    Case("another value is the target's edit", scene(invoiced: "5", pms: "3", edited: 130), "pms limit = \"5\" by 8"),
    Case(
      "the same value long after is the target's edit", scene(invoiced: "2", pms: "3", edited: 163),
      "pms limit = \"2\" by 8"),
    Case(
      "the same value from before it was sent is the target's edit", scene(invoiced: "2", pms: "3", edited: 90),
      "pms limit = \"2\" by 8"),
    Case(
      "both sides have its value: agreed", scene(invoiced: "2", pms: "2", edited: 130),
      "agree limit=limit: \"2\" = \"2\""),
  ]

  @Test("its late arrival is no edit of the target's", arguments: table)
  func arrives(line: Case) { #expect(line.scene.outcome == line.outcome) }

  @Test("the write that it fell before lost no edit by overwriting it")
  func overwritten() {
    var scene = Self.scene(invoiced: "3", pms: "3", edited: 130)
    scene.link.remember([
      OwnWrite(
        side: .invoiced, row: limit.key, path: limit.invoiced, former: "1", sent: "3", stands: "3",
        read: Version(seconds: 120), left: Version(seconds: 140), readAt: at(120), isGuarded: false)
    ])
    for (shown, previous) in [("2", "1"), ("3", "2")] as [(JSONValue, JSONValue)] {
      let event = ShownByEvent(
        side: .invoiced, record: ["limit": shown], previous: ["limit": previous], version: Version(seconds: 130),
        receivedAt: at(131))
      #expect(Planner.findOverwritten(in: event, link: &scene.link, flow: scene.flow).isEmpty)
    }
  }

  @Test(
    "once it was seen, a read of the same version that shows something else lags behind",
    arguments: [
      ("2", "1", 130, true), ("2", nil, 130, true), ("2", "1", 131, false), ("2", "2", 130, false),
      ("5", "1", 130, false),
    ] as [(JSONValue, JSONValue?, Int64, Bool)])
  func lags(last: JSONValue, shown: JSONValue?, version: Int64, lags: Bool) {
    let scene = Self.scene(invoiced: "2", pms: "3", edited: 130)
    let before = observation(["limit": last], version: 130, on: .invoiced)
    let seen = observation(shown.map { ["limit": $0] } ?? [:], version: version, on: .invoiced)
    let rows = scene.link.rowsFromBefore(seen, last: before, flow: scene.flow)
    #expect(rows.map(\.key) == (lags ? [limit.key] : []))
  }

  @Test("a few are remembered, for a day")
  func forgets() {
    var link = Scene(limit).link
    for second in 0..<100 {
      link.expect(
        [LateWrite(side: .pms, row: "r", sent: "x", sentAt: at(Double(second)), until: at(Double(second + 60)))],
        now: at(Double(second)))
    }
    #expect(link.late.count == 24)
    link.expect([], now: at(200_000))
    #expect(link.late.isEmpty)
  }
}
