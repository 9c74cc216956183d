import JSON

/// The text that stands for a row in the store: 12 hexadecimal digits for its paths, a hyphen, 12 for the rest.
enum RowFingerprint {
  static func of(_ pair: PropertyPair) -> String {
    let rest: JSONValue = .array([.string(pair.type.rawValue)] + pair.converters.map(\.json))
    return "\(digits(pathText(pair)))-\(digits(rest.text))"
  }

  private static func pathText(_ pair: PropertyPair) -> String {
    JSONValue.array([.string(pair.invoiced.description), .string(pair.pms.description)]).text
  }

  /// FNV-1a, 64 bits, of which 48 are kept: rows are few, and Swift's own hashes differ from run to run.
  private static func digits(_ text: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let digits = String((hash ^ hash >> 48) & 0xFFFF_FFFF_FFFF, radix: 16)
    return String(repeating: "0", count: 12 - digits.utf8.count) + digits
  }
}

extension PropertyPair {
  /// The part of `fingerprint` that stands for the paths: a row with another type or other converters keeps it.
  public var pathFingerprint: String { Self.pathFingerprint(of: fingerprint) }

  public static func pathFingerprint(of fingerprint: String) -> String {
    String(fingerprint.prefix { $0 != "-" })
  }
}

extension Converter {
  /// The converter in JSON, as the mapping file has it.
  public var json: JSONValue {
    switch self {
    case .not: "not"
    case .trim: "trim"
    case .upper: "upper"
    case .lower: "lower"
    case .values(let pairs): ["values": .array(pairs.map { .array([$0.invoiced, $0.pms]) })]
    case .country(let form): ["country": .string(form.rawValue)]
    case .pattern(let prefix, let suffix): ["pattern": .string("\(prefix){}\(suffix)")]
    case .scale(let places): ["scale": .number(JSONNumber(places))]
    case .unix(let form): ["unix": .string(form.rawValue)]
    case .default(let value): ["default": value]
    case .split(let separator, let part): ["split": .string(separator), "part": .number(JSONNumber(part))]
    case .join(let separator, let paths):
      ["join": .string(separator), "with": .array(paths.map { .string($0.description) })]
    case .keepEmpty: ["empty": "keep"]
    }
  }

  /// The converter's key in the mapping file.
  public var name: String {
    switch self {
    case .not: "not"
    case .values: "values"
    case .country: "country"
    case .pattern: "pattern"
    case .scale: "scale"
    case .unix: "unix"
    case .trim: "trim"
    case .upper: "upper"
    case .lower: "lower"
    case .default: "default"
    case .split: "split"
    case .join: "join"
    case .keepEmpty: "empty"
    }
  }
}
