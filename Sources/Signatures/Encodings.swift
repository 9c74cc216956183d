/// Bytes as pairs of hexadecimal digits.
public enum Hex {
  /// Lower-case digits.
  public static func encode(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { text in
      for (index, byte) in bytes.enumerated() {
        text[2 * index] = digit(byte >> 4)
        text[2 * index + 1] = digit(byte & 0xf)
      }
      return bytes.count * 2
    }
  }

  /// Digits in either case; nil for an odd number of them or for anything else.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var text = Substring(text)
    return text.withUTF8(decode)
  }

  private static func decode(_ digits: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    guard digits.count % 2 == 0 else { return nil }
    var isHex = true
    let bytes = [UInt8](unsafeUninitializedCapacity: digits.count / 2) { bytes, count in
      while isHex, 2 * count < digits.count {
        guard let high = value(of: digits[2 * count]), let low = value(of: digits[2 * count + 1]) else {
          isHex = false
          return
        }
        bytes[count] = high << 4 | low
        count += 1
      }
    }
    return isHex ? bytes : nil
  }

  private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }

  private static func value(of character: UInt8) -> UInt8? {
    switch character {
    case 0x30...0x39: character - 0x30
    case 0x41...0x46: character - 0x37
    case 0x61...0x66: character - 0x57
    default: nil
    }
  }
}

/// Bytes as RFC 4648 base64.
public enum Base64 {
  /// With padding; `urlSafe` takes `-` and `_` in place of `+` and `/` (section 5) and leaves the padding out.
  public static func encode(_ bytes: [UInt8], urlSafe: Bool = false) -> String {
    let alphabet = Array((common + (urlSafe ? "-_" : "+/")).utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
      for place in 0...group.count { text.append(alphabet[Int(bits >> (18 - 6 * UInt32(place)) & 63)]) }
      if !urlSafe { text.append(contentsOf: repeatElement(padding, count: 3 - group.count)) }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Either alphabet, with its padding or without; nil for any other character (blanks too) or an impossible length.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    let characters = Array(text.utf8)
    let digits = characters.prefix { $0 != padding }
    let rest = characters[digits.count...]
    guard digits.count % 4 != 1, rest.isEmpty || (rest.count < 3 && characters.count % 4 == 0),
      rest.allSatisfy({ $0 == padding })
    else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count * 3 / 4)
    var bits: UInt32 = 0
    var held: UInt32 = 0
    for character in digits {
      guard let value = value(of: character) else { return nil }
      bits = bits << 6 | UInt32(value)
      held += 6
      if held >= 8 {
        held -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> held))
      }
    }
    return bytes
  }

  private static let common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
  private static let padding = UInt8(ascii: "=")

  private static func value(of character: UInt8) -> UInt8? {
    switch character {
    case 0x41...0x5a: character - 0x41
    case 0x61...0x7a: character - 0x47
    case 0x30...0x39: character + 4
    case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
    case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
    default: nil
    }
  }
}
