/// Why a loop could not do what it was asked for.
public enum EventLoopError: Error, Equatable, CustomStringConvertible {
  case cannotStart(String)
  case cannotWatchSignal(Int32)

  public var description: String {
    switch self {
    case .cannotStart(let reason):
      "The event loop can't start: \(reason). Free memory or raise the limit of open files (ulimit -n)."
    case .cannotWatchSignal(let signal):
      "Signal \(signal) can't be watched. Watch signals that can be caught, and on one loop of the process only."
    }
  }
}
