/// Which connection has been longest at what: one list for each stage, in the order in which they entered it, so that
/// the oldest is found, and any one moved, at once.
struct ConnectionTable {
  enum Stage: Int, CaseIterable {
    /// Waiting for a request's first byte.
    case idle
    /// Waiting for the rest of a request.
    case reading
    /// The handler has it.
    case handling
    /// The response is on its way.
    case writing
    /// It was answered before all of its request had come. Closed at once, the kernel would reset it and the client lose
    /// the answer; so what still comes is read and thrown away, for a while.
    case lingering
  }

  private struct Slot {
    var stage = Stage.idle
    var since: UInt64 = 0
    var previous = -1
    var next = -1
  }

  private var slots: [Slot] = []
  private var free: [Int] = []
  private var first = [Int](repeating: -1, count: Stage.allCases.count)
  private var last = [Int](repeating: -1, count: Stage.allCases.count)
  private(set) var count = 0

  /// A new connection, idle from `now`; its slot is below the greatest count there has been.
  mutating func insert(now: UInt64) -> Int {
    let slot = free.popLast() ?? slots.count
    if slot == slots.count { slots.append(Slot()) }
    count += 1
    append(slot, to: .idle, now)
    return slot
  }

  mutating func remove(_ slot: Int) {
    unlink(slot)
    free.append(slot)
    count -= 1
  }

  mutating func move(_ slot: Int, to stage: Stage, now: UInt64) {
    unlink(slot)
    append(slot, to: stage, now)
  }

  /// The connection that has been longest in `stage`, and since when.
  func oldest(_ stage: Stage) -> (slot: Int, since: UInt64)? {
    let slot = first[stage.rawValue]
    return slot < 0 ? nil : (slot, slots[slot].since)
  }

  private mutating func append(_ slot: Int, to stage: Stage, _ now: UInt64) {
    let tail = last[stage.rawValue]
    slots[slot] = Slot(stage: stage, since: now, previous: tail, next: -1)
    if tail < 0 { first[stage.rawValue] = slot } else { slots[tail].next = slot }
    last[stage.rawValue] = slot
  }

  private mutating func unlink(_ slot: Int) {
    let (stage, previous, next) = (slots[slot].stage.rawValue, slots[slot].previous, slots[slot].next)
    if previous < 0 { first[stage] = next } else { slots[previous].next = next }
    if next < 0 { last[stage] = previous } else { slots[next].previous = previous }
  }
}
