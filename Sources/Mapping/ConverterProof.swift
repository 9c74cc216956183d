import JSON

/// Tries a row on sample values of its kind: each must come back as what it was, and some must fit at all.
struct ConverterProof {
  struct Failure {
    var isCounterexample: Bool
    var message: String
    var advice: String
  }

  let pair: PropertyPair

  func failure() -> Failure? {
    var fitting = 0
    var misfit: Misfit?
    for side in Side.allCases where pair.direction.carries(from: side) {
      for raw in samples(on: side) {
        do throws(Misfit) {
          let meaning = try pair.canonical(on: side, raw: raw)
          let sent = try pair.translated(from: side, raw: raw)
          if meaning != .nothing { fitting += 1 }
          if let failure = counterexample(side, raw, sent, meaning) { return failure }
        } catch {
          misfit = misfit ?? error
        }
      }
    }
    guard fitting == 0, let misfit else { return nil }
    return Failure(
      isCounterexample: false, message: "no sample value fits the row: \(misfit.value) \(misfit.reason)",
      advice: "compare its `type` and `convert` with what the two sides hold")
  }

  private func counterexample(_ side: Side, _ raw: JSONValue, _ sent: JSONValue, _ meaning: Canonical) -> Failure? {
    var back = "a misfit"
    if (try? pair.canonical(on: side.other, raw: sent)) == meaning {
      guard pair.direction == .both else { return nil }
      if let value = try? pair.translated(from: side.other, raw: sent) {
        back = value.text
        if (try? pair.canonical(on: side, raw: value)) == meaning { return nil }
      }
    }
    return Failure(
      isCounterexample: true,
      message: "\(raw.text) of \(side.title) becomes \(sent.text) in \(side.other.title), and comes back as \(back)",
      advice: "choose converters that can be undone, or a one-way direction")
  }

  /// What a side might hold: values of every type, and those that the converters name or would make.
  private func samples(on side: Side) -> [JSONValue] {
    var samples = Self.plain
    for converter in pair.converters.reversed() {
      switch converter {
      case .values(let pairs): samples += pairs.flatMap { [$0.invoiced, $0.pms] }
      case .country(let form):
        let ownForm = side == .invoiced ? Converter.CountryForm.alpha2 : form
        // That every country goes to each form and back is the table's own business, and tested there; among other
        // converters any of them may be the one that doesn't.
        let countries = pair.converters.count > 1 ? Country.all[...] : Country.all.prefix(3)
        samples += countries.map { .string($0.text(as: ownForm)) }
      case .pattern(let prefix, let suffix):
        samples += samples.compactMap { $0.identifier.map { .string(prefix + $0 + suffix) } }
      case .split(let separator, let part):
        samples += samples.compactMap { sample in
          sample.identifier.map { text in
            .string(Array(repeating: text, count: min(max(part, 0), 99) + 1).joined(separator: separator))
          }
        }
      case .default(let value): samples.append(value)
      case .not, .scale, .unix, .trim, .upper, .lower, .join, .keepEmpty: break
      }
    }
    return side == .invoiced ? samples.filter { InvoicedCustomer.mayHold($0, at: pair.invoiced) } : samples
  }

  private static let plain: [JSONValue] =
    [
      .null, .bool(true), .bool(false), .array(["a", 1]), .object(JSONObject([("a", [1]), ("b", "x")])), 0, 1, -1, 42,
      1_767_571_200, 1_767_607_261, .number(JSONNumber(Int64.max)),
    ]
    + ["1.10", "1.005", "-2.5", "12345678901234567890.12"].compactMap { JSONNumber(validating: $0) }.map { .number($0) }
    + [
      "Acme AS", "Zoe\u{308} & Sons", "x", "a, b", "12", "0", "-7", "12.50", "true", "false", "EN", "2026-03-01",
      "1969-12-31",
      "2026-03-01T12:00:00Z", "2026-03-01T12:00:00.5+02:00",
    ]
}
