/// Why the store could not do what it was asked.
public enum StoreError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It can't be opened, read or written now (a full disk, a locked file): the same call may work later.
  case unavailable(String)
  /// Another process writes it.
  case inUse(by: String)
  /// It is no store of ours, or newer than this program.
  case unusable(String)
  /// A create's claim is held by another create.
  case claimed

  public var description: String {
    switch self {
    case .unavailable(let reason): "the store can't be used now: \(reason)"
    case .inUse(let holder): "the store is in use by \(holder)"
    case .unusable(let reason): reason
    case .claimed: "another create is under way for the same match key"
    }
  }
}
