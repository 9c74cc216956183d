import Connectors
import Mapping
import Store

/// Why a walk over a side's records ends before its last page. What was done is kept; the next walk goes on from there.
enum WalkError: Error, CustomStringConvertible {
  case side(ConnectorError)
  case store(StoreError)
  /// The side lets no calls through.
  case closed(Side, String)
  /// The workers don't get on with what was found already.
  case stuck(waiting: Int)
  case cancelled

  var description: String {
    switch self {
    case .side(let error): "\(error)"
    case .store(let error): "\(error)"
    case .closed(_, let reason): reason
    case .stuck(let waiting): "\(waiting) events wait and don't get less: customer-sync status says what holds them up"
    case .cancelled: "it was interrupted, and goes on from there next time"
    }
  }
}
