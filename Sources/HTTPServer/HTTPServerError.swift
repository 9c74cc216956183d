/// Why a server could not start, or not take its new settings.
public enum HTTPServerError: Error, Equatable, CustomStringConvertible {
  case addressInUse(String)
  case cannotListen(String, reason: String)
  case tls(file: String, reason: String)

  public var description: String {
    switch self {
    case .addressInUse(let address):
      "\(address) is already in use: another process listens there. Stop it, or listen on another port."
    case .cannotListen(let address, let reason):
      "Can't listen on \(address): \(reason). Check that the address is one of this machine's."
    case .tls(let file, let reason):
      "\(file) can't be used for TLS: \(reason). Give PEM files, and the key that belongs to the certificate."
    }
  }
}
