import JSON
import Mapping
import Sync

extension SQLValue {
  static func int(_ value: Int) -> SQLValue { .integer(Int64(value)) }
  static func int(_ value: Int64?) -> SQLValue { value.map { .integer($0) } ?? .null }
  static func text(_ value: String?) -> SQLValue { value.map { .string($0) } ?? .null }
  static func bytes(_ value: [UInt8]) -> SQLValue { .blob(value) }
  static func exact(_ value: String?) -> SQLValue { value.map { .utf8($0) } ?? .null }
  static func id(_ value: RecordID?) -> SQLValue { exact(value?.text) }
  static func time(_ value: Timestamp?) -> SQLValue { int(value?.milliseconds) }
  static func side(_ value: Side?) -> SQLValue { value.map { int($0.code) } ?? .null }
  /// For `json_each`.
  static func numbers(_ values: [Int64]) -> SQLValue {
    .string(JSONValue.array(values.map { .number(JSONNumber($0)) }).text)
  }
  /// SQL's NULL for what is absent, `null` for JSON's null.
  static func json(_ value: JSONValue?) -> SQLValue { value.map { .blob($0.serialized) } ?? .null }
}

extension Side {
  var code: Int { self == .invoiced ? 0 : 1 }
}

extension Row {
  /// A column that is never NULL.
  subscript(_ index: Int) -> Int64 { int(index) ?? 0 }
  func number(_ index: Int) -> Int { Int(self[index]) }
  func time(_ index: Int) -> Timestamp? { int(index).map { Timestamp(milliseconds: $0) } }
  func side(_ index: Int) -> Side? { int(index).map { $0 == 0 ? .invoiced : .pms } }
  func id(_ index: Int) -> RecordID? { exact(index).map { RecordID($0) } }
  func json(_ index: Int) throws -> JSONValue? { try withBytes(index) { try JSONValue(parsing: $0) } }

  /// A value that a row of ours always has.
  func needed<T>(_ value: T?, _ what: String) throws -> T {
    guard let value else { throw Damage(what: what) }
    return value
  }
  func choice<T: RawRepresentable<String>>(_ index: Int, _ what: String) throws -> T {
    try needed(text(index).flatMap { T(rawValue: $0) }, what)
  }
}
