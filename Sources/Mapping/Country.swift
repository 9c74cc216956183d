/// The countries of ISO 3166-1.
struct Country: Sendable {
  let alpha2: String
  let alpha3: String
  let name: String

  static let all: [Country] = entries.map(\.country)

  /// The country that `text` names in `form`, in any case; a name also without "the" and with its words in another
  /// order ("Korea, Republic of" is the "Republic of Korea").
  init?(_ text: String, as form: Converter.CountryForm) {
    let found =
      switch form {
      case .alpha2: Self.byAlpha2[text.uppercased()]
      case .alpha3: Self.byAlpha3[text.uppercased()]
      case .name: Self.byName[Self.key(text)]
      }
    guard let found else { return nil }
    self = found
  }

  func text(as form: Converter.CountryForm) -> String {
    switch form {
    case .alpha2: alpha2
    case .alpha3: alpha3
    case .name: name
    }
  }

  private init(alpha2: String, alpha3: String, name: String) {
    self.alpha2 = alpha2
    self.alpha3 = alpha3
    self.name = name
  }

  private static let byAlpha2 = [String: Country](all.map { ($0.alpha2, $0) }) { first, _ in first }
  private static let byAlpha3 = [String: Country](all.map { ($0.alpha3, $0) }) { first, _ in first }
  private static let byName = [String: Country](
    entries.flatMap { entry in entry.names.map { (key($0), entry.country) } }
  ) { first, _ in first }

  // Split as bytes: at each start of the program a mapping with a country is checked, and its characters take ten times
  // as long to find.
  private static let entries: [(country: Country, names: [String])] = {
    func parts(_ text: Substring.UTF8View, at separator: UInt8, most: Int = .max) -> [Substring.UTF8View] {
      text.split(separator: separator, maxSplits: most)
    }
    return parts(table[...].utf8, at: UInt8(ascii: "\n")).map { line in
      let fields = parts(line, at: UInt8(ascii: " "), most: 2)
      let names = parts(fields[2], at: UInt8(ascii: "|")).map { String(Substring($0)) }
      let codes = fields.map { String(Substring($0)) }
      return (Country(alpha2: codes[0], alpha3: codes[1], name: names[0]), names)
    }
  }()

  /// A name's words, folded and in one order, without those that some write and some don't.
  private static func key(_ name: String) -> String {
    let words = name.lowercased().split { !($0.isLetter || $0 == "'" || $0 == "\u{2019}" || $0 == ".") }
    return words.filter { !["the", "of", "and"].contains($0) }.sorted().joined(separator: " ")
  }
}
