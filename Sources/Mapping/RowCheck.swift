import JSON

/// Finds what is wrong with one row.
struct RowCheck {
  let flow: Flow
  let row: Int
  let pair: PropertyPair

  func problems() -> [Diagnostic] {
    var found = pair.converters.indices.flatMap(problems(ofConverter:))
    if flow.invoiced.object == "customer" { found += invoicedProblems() }
    // A chain with a converter that is wrong by itself proves nothing more.
    if !found.hasErrors, let failure = ConverterProof(pair: pair).failure() {
      let severity: Diagnostic.Severity = pair.direction == .both || failure.isCounterexample ? .error : .warning
      found.append(problem(severity, failure.message, failure.advice))
    }
    return found
  }

  private func problem(_ severity: Diagnostic.Severity, _ message: String, _ advice: String = "") -> Diagnostic {
    Diagnostic(
      severity, at: pair.position ?? flow.position, flow: flow.name, row: row,
      "'\(pair.invoiced)' to '\(pair.pms)': \(message)", advice: advice)
  }

  private func invoicedProblems() -> [Diagnostic] {
    let isWritten = pair.direction.carries(from: .pms)
    var found: [Diagnostic] = []
    let joined = pair.start == .invoiced ? pair.joinedPaths : []
    for (path, isWritten) in [(pair.invoiced, isWritten)] + joined.map({ ($0, false) }) {
      if let problem = InvoicedCustomer.problem(with: path, isWritten: isWritten) {
        found.append(self.problem(problem.severity, problem.message, problem.advice))
      }
    }
    if pair.invoiced.components.first == .key("taxes"), pair.direction == .both {
      found.append(
        problem(
          .warning, "Invoiced takes 'taxes' as ids and shows them as objects, so the two sides never agree",
          "give the row a one-way direction"))
    }
    return found
  }

  private func problems(ofConverter index: Int) -> [Diagnostic] {
    let converter = pair.converters[index]
    let oneWay = "give the row `direction: to_pms` or `direction: to_invoiced`, or leave it out"
    switch converter {
    case .trim, .upper, .lower, .split, .join:
      var found: [Diagnostic] = []
      if pair.direction == .both {
        found.append(problem(.error, "`\(converter.name)` can't be undone, and the row goes both ways", oneWay))
      }
      if case .split(let separator, let part) = converter {
        if separator.isEmpty {
          found.append(problem(.error, "`split` has an empty separator", "write what to split at"))
        }
        if part < 0 { found.append(problem(.error, "`part` counts from 0", "write 0 for the first part")) }
      }
      if case .join(_, let paths) = converter, paths.isEmpty {
        found.append(problem(.warning, "`join` has nothing to join", "name the other properties in `with`"))
      }
      return found
    case .values(let pairs): return problems(ofValues: pairs)
    case .default(let value):
      guard pair.direction == .both, hides(value, before: index) else { return [] }
      return [
        problem(
          .error,
          "`default: \(value.text)` hides whether Invoiced has that value or nothing, and the row goes both ways",
          oneWay)
      ]
    case .scale(let places):
      guard !(0...ExactDecimal.maximumDigits ~= places) else { return [] }
      return [problem(.error, "`scale` takes 0 to \(ExactDecimal.maximumDigits) decimals", "write `scale: 2`")]
    case .unix(let form):
      let fitting: PropertyType = form == .date ? .date : .datetime
      if [fitting, .string, .any].contains(pair.type) { return [] }
      return [
        problem(
          .error, "`unix: \(form.rawValue)` makes no \(pair.type.rawValue) of UNIX seconds",
          "write `type: \(fitting.rawValue)`")
      ]
    case .not, .country, .pattern, .keepEmpty: return []
    }
  }

  private func problems(ofValues pairs: [Converter.ValuePair]) -> [Diagnostic] {
    if pairs.isEmpty { return [problem(.error, "`values` is empty: every value would be a misfit", "list the values")] }
    var found: [Diagnostic] = []
    if pair.direction.carries(from: .pms), let (first, second) = Self.repeated(pairs, \.pms) {
      let same =
        "`values` gives \(first.invoiced.text) and \(second.invoiced.text) the same counterpart \(first.pms.text)"
      found.append(
        pair.direction == .both
          ? problem(
            .error, same + ", which can't be undone",
            "give each a counterpart of its own, or the row `direction: to_pms`")
          : problem(
            .warning, same + ", which is always carried as \(first.invoiced.text)", "leave one of them out"))
    }
    if pair.direction.carries(from: .invoiced), let (first, second) = Self.repeated(pairs, \.invoiced) {
      found.append(
        problem(
          .error, "`values` gives \(first.invoiced.text) two counterparts, \(first.pms.text) and \(second.pms.text)",
          "leave one of them out"))
    }
    return found
  }

  private static func repeated(
    _ pairs: [Converter.ValuePair], _ end: KeyPath<Converter.ValuePair, JSONValue>
  ) -> (Converter.ValuePair, Converter.ValuePair)? {
    for (index, second) in pairs.enumerated() {
      if let first = pairs[..<index].first(where: { $0[keyPath: end].means(second[keyPath: end]) }) {
        return (first, second)
      }
    }
    return nil
  }

  /// Whether the converters before a `default` could have given its value for something.
  private func hides(_ value: JSONValue, before index: Int) -> Bool {
    var back = Conversion(target: .invoiced, isInverse: true, keepsEmpty: false, value: value)
    do throws(Unfit) { try back.run(pair.converters[..<index]) } catch { return false }
    return back.value != nil
  }
}
