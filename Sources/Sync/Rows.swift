import JSON
import Mapping
@_spi(_Unicode) import Swift

extension PropertyPair {
  /// The side whose edits a one-way row carries; nil for a row of both directions.
  public var onlySource: Side? {
    switch direction {
    case .both: nil
    case .toPMS: .invoiced
    case .toInvoiced: .pms
    }
  }

  /// The row, made two-way where it doesn't carry from `side`: its converters then stand in the order from Invoiced.
  func carrying(from side: Side) -> PropertyPair {
    if direction.carries(from: side) { return self }
    var row = self
    row.direction = .both
    if direction == .toInvoiced { row.converters.reverse() }
    return row
  }

  /// Whether two raw values of one side mean the same; values that don't fit the row are compared as they are.
  public func same(_ a: JSONValue?, _ b: JSONValue?, on side: Side) -> Bool {
    if a == b { return true }
    guard let x = try? canonical(on: side, raw: a), let y = try? canonical(on: side, raw: b) else { return false }
    return x == y
  }
}

extension Canonical {
  public var isNothing: Bool { self == .nothing }

  /// A text that is equal exactly where the values are: for claims and for what a hold was planned from.
  public var key: String {
    switch self {
    case .nothing: "-"
    case .text(let text): "t:" + text.nfc
    case .integer(let value): "n:\(value)"
    case .decimal(let value): "n:\(value)"
    case .boolean(let value): value ? "b:1" : "b:0"
    case .date(let days): "d:\(days)"
    case .instant(let seconds): "i:\(seconds)"
    case .list(let items): "[" + items.map(\.key).joined(separator: ",") + "]"
    case .object(let members):
      "{"
        + members.map { (key: $0.key.nfc, value: $0.value.key) }
        .sorted { $0.key.precedes($1.key) }
        .map { "\($0.key)=\($0.value)" }.joined(separator: ",") + "}"
    }
  }
}

extension String {
  /// Unicode normalisation form C.
  var nfc: String {
    if utf8.allSatisfy({ $0 < 0x80 }) { return self }
    var scalars = UnicodeScalarView()
    for scalar in _nfc { scalars.append(scalar) }
    return String(scalars)
  }
}

extension JSONValue {
  /// Null or "".
  var isBlank: Bool { isNull || string == "" }
}

extension Flow {
  /// The row that pairs a match key's paths, where one does.
  public func row(of key: MatchKey) -> PropertyPair? {
    properties.first { $0.invoiced == key.invoiced && $0.pms == key.pms }
  }

  /// A match key's value in a record as a text that both sides share; nil where there is none (an empty key matches
  /// nothing).
  public func matchText(_ key: MatchKey, of record: JSONValue, on side: Side) -> String? {
    if let row = row(of: key) {
      guard let value = try? row.canonical(on: side, raw: row.raw(on: side, in: record)), !value.isNothing
      else { return nil }
      return value.key
    }
    guard let text = record[key.path(on: side)]?.identifier, !text.isEmpty else { return nil }
    return "t:" + text.nfc
  }

  /// The value to search the other side for, in that side's form; nil where there is none.
  public func searchValue(_ key: MatchKey, of record: JSONValue, on side: Side) -> JSONValue? {
    guard matchText(key, of: record, on: side) != nil else { return nil }
    let value = record[key.path(on: side)]
    guard let row = row(of: key) else {
      // Invoiced has its own form for a number that is text there.
      let plain = PropertyPair(invoiced: key.invoiced, pms: key.pms, type: .any)
      return side == .invoiced ? value : (try? plain.translated(from: side, raw: value)) ?? value
    }
    let sent = try? row.carrying(from: side).translated(from: side, raw: row.raw(on: side, in: record))
    if let sent, !sent.isNull { return sent }
    // Every candidate is compared again, so a search by the value as it is does no harm.
    return row.direction.carries(from: side) ? nil : value
  }

  /// The id of the other side's record that `record` names as its own; nil where it names none.
  public func reference(in record: JSONValue, on side: Side) -> RecordID? {
    guard let path = reference(on: side), let text = record[path]?.identifier, !text.isEmpty else { return nil }
    return RecordID(text)
  }
}

extension RecordKey {
  /// The id as it stands in JSON: Invoiced's ids are numbers, the PMS's whatever it used.
  public func json(in record: JSONValue?, idPath: JSONPath) -> JSONValue {
    if let value = record?[idPath], value.identifier != nil { return value }
    return .string(id.text)
  }
}
