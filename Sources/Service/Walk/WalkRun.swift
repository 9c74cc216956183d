import JSON
import Mapping
import Sync
import Synchronization

/// What a walk over the sides' records is to do.
public struct WalkRequest: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable { case reconcile, backfill }
  public var kind: Kind
  /// All records, in place of those changed since the last walk. A backfill is always full.
  public var isFull: Bool
  /// Only this flow's records; nil for all.
  public var flow: String?

  public static func reconcile(full: Bool) -> WalkRequest { WalkRequest(kind: .reconcile, isFull: full, flow: nil) }
  public static func backfill(flow: String?) -> WalkRequest { WalkRequest(kind: .backfill, isFull: true, flow: flow) }
}

/// One walk: how far it is, and how it ended.
public final class WalkRun: Sendable {
  public enum State: String, Sendable {
    case queued
    /// Pages are being walked.
    case walking
    /// All pages are walked; the workers have what was found in hand.
    case working
    case done, failed
  }

  public struct Progress: Sendable {
    public var state = State.queued
    /// The side whose pages are being walked.
    public var side: Side?
    /// Rows looked at, and how many there are in all where the side says.
    public var rows: [Side: Int] = [:]
    public var totals: [Side: Int] = [:]
    /// Rows handed to the workers, since they were new, changed or not in order.
    public var changed = 0
    /// Records that are known as alive and weren't listed: looked at one by one.
    public var missing = 0
    /// Events that the side's log of events had, whether or not a webhook had brought them.
    public var events = 0
    /// Work received up to the walk's end that isn't done.
    public var waiting = 0
    public var pushes: [Side: [Push.Action: Int]] = [:]
    /// Open parked entries and conflicts at the end.
    public var parked = 0
    public var conflicts = 0
    public var startedAt: Timestamp?
    public var finishedAt: Timestamp?
    /// What went wrong.
    public var reasons: [String] = []
  }

  public let id: Int
  public let request: WalkRequest
  /// Asked for by a person, who waits for the work that it finds.
  let isAsked: Bool
  private let current = Mutex(Progress())

  public var progress: Progress { current.withLock { $0 } }
  public var isOver: Bool { [.done, .failed].contains(progress.state) }

  init(id: Int, request: WalkRequest, isAsked: Bool) {
    self.id = id
    self.request = request
    self.isAsked = isAsked
  }

  func update(_ change: (inout Progress) -> Void) { current.withLock { change(&$0) } }

  /// As the admin API shows it.
  public var json: JSONValue {
    let progress = progress
    func number(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
    func bySide(_ counts: [Side: Int]) -> JSONValue {
      .object(JSONObject(Side.allCases.map { ($0.rawValue, counts[$0].map(number) ?? .null) } as [JSONObject.Member]))
    }
    func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
    let pushes = Side.allCases.flatMap { side in
      Push.Action.allCases.compactMap { action -> JSONValue? in
        guard let count = progress.pushes[side]?[action], count > 0 else { return nil }
        return ["side": .string(side.rawValue), "action": .string(action.rawValue), "count": number(count)]
      }
    }
    return .object(
      JSONObject([
        ("id", number(id)), ("kind", .string(request.kind.rawValue)), ("full", .bool(request.isFull)),
        ("flow", text(request.flow)), ("state", .string(progress.state.rawValue)),
        ("side", text(progress.side?.rawValue)), ("rows", bySide(progress.rows)), ("totals", bySide(progress.totals)),
        ("changed", number(progress.changed)), ("missing", number(progress.missing)),
        ("events", number(progress.events)), ("waiting", number(progress.waiting)), ("pushes", .array(pushes)),
        ("parked", number(progress.parked)), ("conflicts", number(progress.conflicts)),
        ("reason", text(progress.reasons.isEmpty ? nil : progress.reasons.joined(separator: "; "))),
        ("at", text(progress.startedAt?.rfc3339)), ("finished_at", text(progress.finishedAt?.rfc3339)),
      ]))
  }
}
