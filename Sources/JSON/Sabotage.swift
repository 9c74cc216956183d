#if SABOTAGE
  import Glibc

  /// Rules that a build for that purpose breaks, one at a time, to see that the simulation finds each of them out.
  /// No other build contains any of this: `deploy/test-sabotage`.
  public enum Sabotage: String, CaseIterable, Sendable {
    /// Rule 1: an event is answered before it is stored, and then isn't.
    case answersBeforeStoring
    /// Rule 5: an older snapshot counts as the newest.
    case believesOlderSnapshots
    /// Rule 8: Invoiced's value wins whatever changed.
    case ignoresTheAgreedPair
    /// Rule 8: of two edits the older one wins.
    case takesTheOlderEdit
    /// Rule 9: what was sent is agreed, not what was answered.
    case agreesWhatWasSent
    /// Rule 10: nothing counts as near.
    case writesNormalisedValuesBack
    /// Rule 11: nothing is looked for before a record is created.
    case createsWithoutMatching
    /// Rule 12: an unanswered create is sent again without a lookup.
    case repeatsCreatesBlindly
    /// Rule 12: an unanswered create is looked up at once.
    case looksCreatesUpAtOnce
    /// Rule 12: the echo of a create doesn't wait for it.
    case letsEchoesIn
    /// Rule 12: no id is written back.
    case forgetsReferences
    /// Rule 14: a delete is passed on whatever the policy says.
    case passesEveryDeleteOn
    /// Rule 17: a record may be in several hands.
    case sharesRecords
    /// Rule 18: writes are sent without `If-Match`, on whatever was seen last.
    case writesOnStaleReads
    /// Rule 18: Invoiced's metadata is replaced by just what changes.
    case replacesMetadata
    /// The one that this process breaks, by `CUSTOMER_SYNC_SABOTAGE`.
    public static let active = getenv("CUSTOMER_SYNC_SABOTAGE").flatMap { Sabotage(rawValue: String(cString: $0)) }

    public static func breaks(_ rule: Sabotage) -> Bool { active == rule }
  }
#endif
