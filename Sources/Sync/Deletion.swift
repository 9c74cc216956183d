import JSON
import Mapping

/// Whether the survivor of a delete was edited since both records last agreed (rule 14).
public enum Deletion {
  /// The rows whose value in `record` is another than what was agreed: passing the delete on would lose an edit.
  /// A row that was never agreed has nothing to be told by.
  /// - Parameter own: What archives the record: where that stands already, it is no edit.
  public static func edits(
    in record: JSONValue, on side: Side, of link: Link, flow: Flow, besides own: [Assignment] = []
  ) -> [PropertyPair] {
    flow.properties.filter { row in
      guard let agreed = link.agreed[row.key] else { return false }
      let value = row.raw(on: side, in: record)
      if row.same(value, agreed[side], on: side) { return false }
      return !own.contains { $0.path == row.path(on: side) && row.same(value, $0.value, on: side) }
    }
  }

  /// What a person decides on: another edit later is another question.
  public static func basis(of edits: [PropertyPair], in record: JSONValue, on side: Side) -> String {
    edits.map { "\($0.path(on: side))=\($0.raw(on: side, in: record)?.text ?? "nothing")" }.joined(separator: "; ")
  }
}

/// How many deletes go through by themselves (`delete_guard`, rule 14).
public struct DeletionLimits: Sendable, Hashable {
  public var most: Int
  /// Of the flow's links, from 0 to 1.
  public var share: Double
  public var window: Duration
  /// As few as this never count as too many.
  public static let least = 3

  public init(most: Int = 20, share: Double = 0.05, window: Duration = .seconds(3600)) {
    self.most = most
    self.share = share
    self.window = window
  }

  /// How many deletes a flow with so many links lets through within the window.
  public func allowed(links: Int) -> Int {
    // 0.29 of 100 is 28.999999999999996.
    let share = (Double(links) * self.share + 1e-9).rounded(.down)
    return max(Self.least, share < Double(most) ? Int(share) : most)
  }
}

/// The mass-delete guard of one flow: counts the deletes that it lets through, and once there are too many holds every
/// delete not yet sent until a person decides (rule 14).
public struct DeletionGuard: Sendable, Hashable {
  /// When each link's delete was let through, within the window.
  public private(set) var passed: [Int64: Timestamp] = [:]
  /// The links whose delete is held.
  public private(set) var held: Set<Int64> = []
  /// How many links the flow had at most while `passed` was filled: those that ended since count too.
  public private(set) var links = 0

  public init(passed: [Int64: Timestamp] = [:], held: Set<Int64> = [], links: Int = 0) {
    self.passed = passed
    self.held = held
    self.links = links
  }

  /// Whether the guard has tripped and no person has decided since.
  public var isTripped: Bool { !held.isEmpty }

  /// Asks for one link's delete; true lets it through, and counts it once however often it is tried.
  public mutating func lets(_ link: Int64, links now: Int, limits: DeletionLimits, at time: Timestamp) -> Bool {
    let start = time.adding(.zero - limits.window)
    passed = passed.filter { $0.value > start }
    links = passed.isEmpty ? now : max(links, now)
    if !isTripped {
      if passed[link] != nil { return true }
      if passed.count < limits.allowed(links: links) {
        passed[link] = time
        return true
      }
    }
    held.insert(link)
    return false
  }

  /// A link's delete is held no more: decided by a person, or dropped since its record is back. With the last one the
  /// count starts anew.
  public mutating func release(_ link: Int64) {
    guard held.remove(link) != nil, held.isEmpty else { return }
    passed = [:]
    links = 0
  }
}
