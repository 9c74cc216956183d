import JSON

/// What a row makes of the records' values. Every function here is total: a value or a `Misfit`.
extension PropertyPair {
  /// The side at whose end the list of converters begins: the source of a one-way row, Invoiced of a two-way one.
  var start: Side { direction == .toInvoiced ? .pms : .invoiced }

  private var keepsEmpty: Bool {
    converters.contains { converter in if case .keepEmpty = converter { true } else { false } }
  }

  /// What `record` holds for this row, as it is there; nil when absent. Where the row joins several properties, an
  /// array of theirs (null for a missing one), nil when all are absent.
  public func raw(on side: Side, in record: JSONValue) -> JSONValue? {
    if converters.isEmpty || side != start { return record[path(on: side)] }
    let joined = joinedPaths
    guard !joined.isEmpty else { return record[path(on: side)] }
    let values = ([path(on: side)] + joined).map { record[$0] }
    return values.contains { $0 != nil } ? .array(values.map { $0 ?? .null }) : nil
  }

  /// What `join` reads beside the row's own path, at `start`.
  var joinedPaths: [JSONPath] {
    converters.flatMap { converter in if case .join(_, let paths) = converter { paths } else { [] as [JSONPath] } }
  }

  /// What a raw value is compared as: both sides' values mean the same when these are equal.
  ///
  /// On the side that a one-way row only writes to, a value that doesn't fit is no misfit but just another value: it is
  /// to be overwritten.
  public func canonical(on side: Side, raw: JSONValue?) throws(Misfit) -> Canonical {
    do throws(Unfit) {
      return try meaning(on: side, raw)
    } catch {
      if !direction.carries(from: side) {
        return (raw ?? .null).canonical(Reading(keepsEmpty: keepsEmpty))
      }
      throw misfit(error, on: side, raw)
    }
  }

  /// A raw value of `side` as the other side is to be sent it; null for nothing, which clears.
  public func translated(from side: Side, raw: JSONValue?) throws(Misfit) -> JSONValue {
    do throws(Unfit) {
      let value = try translation(from: side, raw) ?? .null
      return side == .pms ? try InvoicedCustomer.adapted(value, to: invoiced) : value
    } catch {
      throw misfit(error, on: side, raw)
    }
  }

  private func translation(from side: Side, _ raw: JSONValue?) throws(Unfit) -> JSONValue? {
    guard direction.carries(from: side) else {
      throw Unfit("is not carried this way: the row has `direction: \(direction.rawValue)`")
    }
    if side == start { return try carried(raw).json }
    return try carriedBack(try type.read(raw, reading(side)).json)
  }

  private func meaning(on side: Side, _ raw: JSONValue?) throws(Unfit) -> Canonical {
    if side == start { return try carried(raw).meaning }
    let value = try endType.read(raw, reading(side))
    if direction == .both {
      // What Invoiced would have for it must be possible there, and what comes back from that is its meaning: another
      // case of a country's code, a number with more decimals than are kept, nothing for a default.
      let back = try carriedBack(value.json)
      if let back { _ = try InvoicedCustomer.adapted(back, to: invoiced) }
      return converters.isEmpty ? value.meaning : try roundTrip(converters, back: back)
    }
    // A one-way row's target: only the converters nearest to it can be undone, and nothing is nothing.
    let invertible = Array(converters.reversed().prefix { $0.keepsMeaning }.reversed())
    guard let json = value.json, !invertible.isEmpty else { return value.meaning }
    var back = Conversion(target: start, isInverse: true, keepsEmpty: keepsEmpty, value: json)
    try back.run(invertible)
    return try roundTrip(invertible, back: back.value)
  }

  private func roundTrip(_ converters: [Converter], back: JSONValue?) throws(Unfit) -> Canonical {
    var forth = Conversion(target: start.other, isInverse: false, keepsEmpty: keepsEmpty, value: back)
    try forth.run(converters)
    return try endType.read(forth.value, convertedReading).meaning
  }

  /// A value of `start` through the whole list.
  private func carried(_ raw: JSONValue?) throws(Unfit) -> TypedValue {
    var (first, additions) = (raw, [] as [JSONValue])
    if case .array(let items)? = raw, !joinedPaths.isEmpty {
      (first, additions) = (items.first, Array(items.dropFirst()))
    }
    if start == .pms { first = try type.read(first, reading(.pms)).json }
    if converters.isEmpty, start == .invoiced { return try type.read(first, reading(.invoiced)) }
    let value = first.flatMap { $0.something(keepingEmpty: keepsEmpty) }
    var conversion = Conversion(
      target: start.other, isInverse: false, keepsEmpty: keepsEmpty, additions: additions[...], value: value)
    try conversion.run(converters)
    if start == .pms, let sent = conversion.value {
      conversion.value = try InvoicedCustomer.adapted(sent, to: invoiced)
    }
    return try endType.read(conversion.value, convertedReading)
  }

  /// A typed value of the PMS through the list backwards.
  private func carriedBack(_ value: JSONValue?) throws(Unfit) -> JSONValue? {
    var conversion = Conversion(target: .invoiced, isInverse: true, keepsEmpty: keepsEmpty, value: value)
    try conversion.run(converters)
    return conversion.value
  }

  /// What the list's end is read as: the row's type at the PMS, at Invoiced what the last converter makes of it.
  private var endType: PropertyType {
    start == .invoiced ? type : converters.reduce(type) { $1.invoicedType(after: $0) }
  }

  private func reading(_ side: Side) -> Reading {
    Reading(
      isLenient: side == .invoiced && InvoicedCustomer.isMetadata(invoiced), keepsEmpty: keepsEmpty,
      comparesText: comparesText,
      unpacksText: side == .invoiced && InvoicedCustomer.isMetadata(invoiced))
  }

  /// Only values of any type are read by it.
  private var comparesText: Bool { endType == .any && InvoicedCustomer.holdsText(invoiced) }

  private var convertedReading: Reading {
    Reading(isLenient: true, keepsEmpty: keepsEmpty, comparesText: comparesText)
  }

  private func misfit(_ error: Unfit, on side: Side, _ raw: JSONValue?) -> Misfit {
    let text = raw?.text ?? "nothing"
    return Misfit(
      side: side, property: path(on: side), value: text.count > 80 ? text.prefix(79) + "\u{2026}" : text,
      reason: error.reason,
      nextStep: error.nextStep ?? "correct it in \(side.title), or change the row's type or converters")
  }
}

extension Converter {
  /// Whether undoing and doing it again gives the same meaning; `default` gives nothing another one.
  var keepsMeaning: Bool {
    switch self {
    case .not, .values, .country, .pattern, .scale, .unix, .keepEmpty: true
    case .trim, .upper, .lower, .default, .split, .join: false
    }
  }

  /// The type of what a `to_invoiced` row sends, where the converter is given a `type`.
  func invoicedType(after type: PropertyType) -> PropertyType {
    switch self {
    case .not: .boolean
    case .unix: .integer
    case .country, .pattern, .trim, .upper, .lower, .split, .join: .string
    case .scale, .default, .keepEmpty: type
    case .values: .any
    }
  }
}
