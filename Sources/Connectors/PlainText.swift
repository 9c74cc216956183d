import Signatures

/// Turns a side's own words into something to show people: one line, short, without our credentials.
struct PlainText: Sendable {
  static let maximum = 200

  /// Shorter ones would blot out half of every message, and are no secrets.
  private static let shortestSecret = 4
  private let secrets: [String]

  init(hiding secrets: [Secret]) {
    // The longest first, so that no secret's end remains where another one is its beginning.
    self.secrets = secrets.map(\.revealedText).filter { $0.utf8.count >= Self.shortestSecret }
      .sorted { $0.utf8.count > $1.utf8.count }
  }

  func callAsFunction(_ text: String) -> String {
    var bytes = Array(text.utf8.prefix(16 << 10))
    for secret in secrets { Self.hide(Array(secret.utf8), in: &bytes) }
    var line = ""
    var gap = false
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .unassigned: gap = true
      default:
        if gap, !line.isEmpty { line += " " }
        gap = false
        line.unicodeScalars.append(scalar)
      }
    }
    return line.count <= Self.maximum ? line : line.prefix(Self.maximum - 1) + "\u{2026}"
  }

  private static func hide(_ secret: [UInt8], in bytes: inout [UInt8]) {
    var start = 0
    while start + secret.count <= bytes.count {
      if bytes[start..<start + secret.count].elementsEqual(secret) {
        bytes.replaceSubrange(start..<start + secret.count, with: Array("***".utf8))
        start += 3
      } else {
        start += 1
      }
    }
  }
}
