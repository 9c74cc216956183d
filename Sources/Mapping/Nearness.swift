import JSON

extension PropertyPair {
  /// Whether `answered`, what `side` has after a push, is the same as `sent` or near it: trimmed, blanks collapsed,
  /// case or Unicode compatibility folded, rounded to fewer digits, or with its end cut off (rule 9). Both are raw
  /// values of `side`. Only for answers to our own pushes.
  public func isNear(sent: JSONValue?, answered: JSONValue?, on side: Side) -> Bool {
    #if SABOTAGE
      if Sabotage.breaks(.writesNormalisedValuesBack) { return false }
    #endif
    guard let sent = try? endMeaning(sent, on: side), let answered = try? endMeaning(answered, on: side) else {
      return false
    }
    return answered.isNear(to: sent)
  }

  /// The meaning of a value that was written to `side`. A source of a one-way row is never pushed to, so its values are
  /// taken as they are.
  private func endMeaning(_ raw: JSONValue?, on side: Side) throws(Misfit) -> Canonical {
    if direction.carries(from: side.other) { return try canonical(on: side, raw: raw) }
    return (raw ?? .null).canonical(Reading())
  }
}

extension Canonical {
  /// Whether a system that was sent `sent`, and now has this, may have normalised it.
  public func isNear(to sent: Canonical) -> Bool {
    if self == sent { return true }
    switch (self, sent) {
    case (.text(let answered), .text(let sent)): return Self.isNear(answered, to: sent)
    case (.nothing, .text(let sent)): return CompatibilityFolding.folded(sent).isEmpty
    case (.decimal(let answered), .decimal(let sent)), (.instant(let answered), .instant(let sent)):
      return Self.isRounded(answered, from: sent)
    case (.list(let answered), .list(let sent)):
      return answered.count == sent.count && zip(answered, sent).allSatisfy { $0.isNear(to: $1) }
    case (.object(let answered), .object(let sent)):
      return answered.count == sent.count
        && answered.allSatisfy { member in sent[member.key].map { member.value.isNear(to: $0) } ?? false }
    default: return false
    }
  }

  private static func isNear(_ answered: String, to sent: String) -> Bool {
    let (answered, sent) = (CompatibilityFolding.folded(answered), CompatibilityFolding.folded(sent))
    if answered == sent { return true }
    if answered.isEmpty { return false }
    // Systems cut at a byte or a scalar, and that may be inside of what Swift counts as one character.
    return sent.hasPrefix(answered) || sent.unicodeScalars.starts(with: answered.unicodeScalars)
  }

  /// Only digits after the point count: from 1999 to 1000 is a cap, not a rounding.
  private static func isRounded(_ answered: ExactDecimal, from sent: ExactDecimal) -> Bool {
    let places = answered.fractionDigits
    guard places < sent.fractionDigits else { return false }
    let ways: [ExactDecimal.Rounding] = [.halfEven, .halfUp, .down, .floor]
    return ways.contains { sent.rounded(toScale: places, $0) == answered }
  }
}

/// Folds what systems normalise away in a text: blanks, case, and Unicode's compatibility forms (NFKC).
enum CompatibilityFolding {
  static func folded(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      if scalar.value < 0xA0 {
        scalars.append(scalar)
      } else if let plain = plainForms[scalar] {
        scalars.append(contentsOf: plain.unicodeScalars)
      } else {
        scalars.append(scalar)
      }
    }
    // Upper case first: "ß" and "SS" fold alike.
    let words = String(scalars).uppercased().lowercased().split(whereSeparator: \.isWhitespace)
    return words.joined(separator: " ")
  }

  private static let plainForms: [Unicode.Scalar: String] = {
    var forms: [Unicode.Scalar: String] = [:]
    func scalar(_ digits: Substring) -> Unicode.Scalar { UInt32(digits, radix: 16).flatMap(Unicode.Scalar.init) ?? " " }
    for entry in table.split(separator: ";") {
      let mark = entry.firstIndex { $0 == "=" || $0 == "+" } ?? entry.startIndex
      let ends = entry[..<mark].split(separator: "-").map(scalar)
      let targets = entry[entry.index(after: mark)...].split(separator: " ").map(scalar)
      for (offset, value) in (ends[0].value...(ends.last ?? ends[0]).value).enumerated() {
        guard let from = Unicode.Scalar(value) else { continue }
        if entry[mark] == "+", let to = Unicode.Scalar(targets[0].value + UInt32(offset)) {
          forms[from] = String(Character(to))
        } else {
          forms[from] = String(String.UnicodeScalarView(targets))
        }
      }
    }
    return forms
  }()
}
