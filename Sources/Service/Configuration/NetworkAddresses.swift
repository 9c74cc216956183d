import Glibc
import HTTPServer

/// An IPv4 or IPv6 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// 4 or 16 bytes in network order; an IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`) counts as IPv4.
  public let bytes: [UInt8]
  private let text: String

  public init?(_ text: String) {
    var four = [UInt8](repeating: 0, count: 4)
    var sixteen = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = four
    } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
      let mapped = sixteen[..<10].allSatisfy { $0 == 0 } && sixteen[10] == 0xFF && sixteen[11] == 0xFF
      bytes = mapped ? Array(sixteen[12...]) : sixteen
    } else {
      return nil
    }
    self.text = text
  }

  public var isLoopback: Bool {
    bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }

  public var description: String { text }

  public static func == (a: Self, b: Self) -> Bool { a.bytes == b.bytes }
  public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

/// Addresses that share their first bits: `192.0.2.0/24`, `2001:db8::/32`, or a single address.
public struct AddressRange: Sendable, Hashable {
  public let network: IPAddress
  public let prefixLength: Int

  /// Nil for what is no address or has a prefix length out of range.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let network = IPAddress(String(parts[0])) else { return nil }
    let bits = network.bytes.count * 8
    guard parts.count == 2 else {
      (self.network, prefixLength) = (network, bits)
      return
    }
    guard parts[1].utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let written = Int(parts[1]) else { return nil }
    // A mapped network counts its prefix in IPv6's 128 bits.
    let length = parts[0].contains(":") && bits == 32 ? written - 96 : written
    guard 0...bits ~= length else { return nil }
    (self.network, prefixLength) = (network, length)
  }

  public func contains(_ address: IPAddress) -> Bool {
    guard address.bytes.count == network.bytes.count else { return false }
    let (whole, rest) = prefixLength.quotientAndRemainder(dividingBy: 8)
    guard address.bytes[..<whole] == network.bytes[..<whole] else { return false }
    guard rest > 0 else { return true }
    let mask = UInt8(truncatingIfNeeded: 0xFF00 >> rest)
    return address.bytes[whole] & mask == network.bytes[whole] & mask
  }
}

/// `allow_from`: who may call. An empty list lets everyone.
public struct AddressList: Sendable, Hashable {
  public var ranges: [AddressRange]

  public init(_ ranges: [AddressRange] = []) { self.ranges = ranges }

  public func contains(_ address: IPAddress) -> Bool { ranges.contains { $0.contains(address) } }

  /// Whether a caller at `address`, as text, is let in; what is no address only where everyone is.
  public func admits(_ address: String) -> Bool {
    ranges.isEmpty || IPAddress(address).map(contains) ?? false
  }
}

extension ListenAddress {
  /// Only reachable from this machine.
  public var isLoopback: Bool { host.lowercased() == "localhost" || IPAddress(host)?.isLoopback == true }
}
