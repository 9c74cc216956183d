import JSON
import Mapping

/// A random bad day as a value: what people do and what goes wrong, all of it drawn from one seed before it begins.
///
/// Its items are independent of each other: taking one away leaves the others as they were. Times are milliseconds
/// from the day's start.
struct Scenario: Sendable {
  /// What the running of it draws from: the order of jobs, latencies, ids.
  var seed: UInt64
  var mapping: Mapping
  var surroundings = Surroundings()
  var edits: [Edit] = []
  var faults: [CallFault] = []
  var webhookFaults: [WebhookFault] = []
  var outages: [OutageWindow] = []
  var crashes: [Crash] = []
  var reconciles: [Int64] = []
  var decisions: [Decision] = []
  /// The commits of the store, counted over all runs of the service, that the disk has no room for.
  var storeFaults: [StoreFault] = []

  /// All mappings that the service runs by.
  var mappings: [Mapping] { [mapping] + crashes.compactMap(\.mapping) }

  /// From here on nobody edits anything and nothing fails.
  var calmAt: Int64 {
    let deeds = edits.map(\.at) + decisions.map(\.at) + reconciles
    let troubles = outages.map(\.until) + crashes.map { $0.at + $0.downtime }
    return ((deeds + troubles).max() ?? 0) + 1000
  }
}

/// What the two sides are like all day.
struct Surroundings: Sendable {
  /// The PMS trims text, rounds decimals and folds the case of e-mail addresses.
  var normalises = false
  var callbacksCarryOnlyID = false
  /// Milliseconds by which each side's clock is ahead.
  var skews: [Side: Int64] = [:]
  /// The most that a call takes each way, and that a webhook takes.
  var latency: Int64 = 40
  var webhookLatency: Int64 = 200
}

/// Something that a person does in one of the two systems.
struct Edit: Sendable {
  enum Action: Sendable {
    case create(body: JSONValue)
    /// Of properties and, for another type, of the constants of another flow.
    case update(changes: [Assignment])
    case delete
    /// The Invoiced customer of another subject is merged into this one's.
    case merge(loser: Int)
  }

  let number: Int
  var at: Int64
  var side: Side
  /// Which of the day's customers it is about.
  var subject: Int
  var action: Action
  /// No webhook tells of it.
  var isSilent = false
}

/// Something that the operator decides about what waits for a person by then.
struct Decision: Sendable {
  enum Kind: Sendable, Hashable {
    /// Lets the deletes go that the guard holds, or keeps what is left.
    case approveDeletes, rejectDeletes
    /// Tries again what is parked.
    case retryParked
    /// Takes one side in all that conflicts.
    case take(Side)
  }

  let number: Int
  var at: Int64
  var kind: Kind
}

/// What befalls one call to a side: the so-manieth read or write of it.
struct CallFault: Sendable {
  enum Kind: Sendable, Hashable {
    /// The connection is refused: nothing was sent.
    case refused
    /// The request is lost on its way.
    case lostRequest
    /// The request is carried out, and its answer is lost.
    case lostAnswer
    /// No answer within the caller's patience; the request arrives all the same, so many milliseconds late.
    case arrivesLate(Int64)
    /// An error of a gateway: the side never saw the request.
    case gateway(Int)
    /// 429, perhaps with a `Retry-After` in seconds.
    case tooMany(Int?)
    /// The side's own 500, after or without having done what was asked. Invoiced replays it under the same key.
    case serverError(carriedOut: Bool)
    /// The answer takes so many milliseconds more.
    case slow(Int64)
    /// A read shows what was there before the last write of the record, if that was just now.
    case stale
    /// A listing comes without one of its rows, with one twice, or empty.
    case missingRow(Int), doubledRow(Int), emptyPage
  }

  let number: Int
  var side: Side
  var isWrite: Bool
  var ordinal: Int
  var kind: Kind
}

/// What befalls one webhook: the so-manieth of its side.
struct WebhookFault: Sendable {
  enum Kind: Sendable, Hashable {
    case lost
    /// Sent again so many milliseconds later.
    case doubled(Int64)
    case delayed(Int64)
  }

  let number: Int
  var side: Side
  var ordinal: Int
  var kind: Kind
}

/// The so-manieth commit fails.
struct StoreFault: Sendable {
  let number: Int
  var ordinal: Int
}

/// A side is out.
struct OutageWindow: Sendable {
  let number: Int
  var side: Side
  var from: Int64
  var until: Int64
  /// No connection; else every request gets 503.
  var isRefusing: Bool
}

/// The service is killed, and started anew some time later.
struct Crash: Sendable {
  enum Moment: Sendable, Hashable {
    case time
    /// Right before or after the so-manieth commit after `at`.
    case commit(Int, after: Bool)
    /// While the so-manieth write to a side after `at` is on its way.
    case write(Int)
  }

  let number: Int
  var at: Int64
  var moment: Moment
  var downtime: Int64
  /// What it is started with, where that is another mapping.
  var mapping: Mapping?
}
