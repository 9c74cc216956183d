/// Header fields in their order; names are compared without regard to ASCII case (RFC 9110 section 5.1).
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
  public typealias Field = (name: String, value: String)
  public private(set) var fields: [Field]

  public init(_ fields: [Field] = []) { self.fields = fields }
  public init(dictionaryLiteral elements: (String, String)...) { fields = elements.map { (name: $0.0, value: $0.1) } }

  /// The first field of that name; setting replaces all of them, nil removes them.
  public subscript(name: String) -> String? {
    get { fields.first { Self.same($0.name, name) }?.value }
    set {
      fields.removeAll { Self.same($0.name, name) }
      if let newValue { fields.append((name, newValue)) }
    }
  }

  /// Every field of that name, in order.
  public func all(_ name: String) -> [String] { fields.compactMap { Self.same($0.name, name) ? $0.value : nil } }

  public mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

  /// Whether the text can be a field's name: a token (RFC 9110 section 5.6.2).
  public static func isName(_ text: String) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy {
        switch $0 {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d: true
        default: "!#$%&'*+.^_`|~".utf8.contains($0)
        }
      }
  }

  private static func same(_ a: String, _ b: String) -> Bool {
    a.utf8.count == b.utf8.count && a.isSameASCII(b[...])
  }
}

extension StringProtocol {
  /// Whether both are the same bytes but for the case of ASCII letters.
  public func isSameASCII(_ other: Substring) -> Bool {
    // For every field of every request: over the bytes themselves, since a view's iterator takes a call for each.
    var (own, other) = (Substring(self), other)
    return own.withUTF8 { own in
      other.withUTF8 { other in
        guard own.count == other.count else { return false }
        for index in 0..<own.count where lower(own[index]) != lower(other[index]) { return false }
        return true
      }
    }
  }

  private func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}
