/// Why the store could not do what it was asked.
public enum StoreError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It can't be opened, read or written now (a full disk, a locked file): the same call may work later.
  case unavailable(String)
  /// Another process writes it.
  case inUse(by: String)
  /// It is no store of ours, or newer than this program.
  case unusable(String)
  /// A create's match key or source is another create's already, or a record is in another link.
  case claimed

  public var description: String {
    switch self {
    case .unavailable(let reason): "the store can't be used now: \(reason)"
    case .inUse(let holder): "the store is in use by \(holder)"
    case .unusable(let reason): reason
    case .claimed: "other work has the same record or match key in hand; it is tried again"
    }
  }
}
