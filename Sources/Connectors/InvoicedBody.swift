import JSON
import Mapping
import Sync

/// The query parameter that finds customers by a property.
struct InvoicedFilter {
  let name: String
  let value: String

  /// Properties that no filter takes.
  private static let unfiltered: Set<String> = ["notes", "taxes", "metadata", "payment_source"]

  init(_ path: JSONPath, _ value: JSONValue, _ text: String) throws(ConnectorError) {
    switch (path.components.first, path.components.count) {
    case (.key("metadata"), 2):
      // Invoiced ignores other keys, and answers with everything.
      guard case .key(let key) = path.components[1], !key.isEmpty, key.utf8.allSatisfy(Self.isKeyByte) else { break }
      name = "metadata[\(key)]"
      self.value = text
      return
    case (.key(let key), 1) where !Self.unfiltered.contains(key) && key.utf8.allSatisfy(Self.isKeyByte):
      name = "filter[\(key)]"
      self.value = value.bool.map { $0 ? "1" : "0" } ?? text
      return
    default: break
    }
    throw .unsendable(.invoiced, property: "\(path)", reason: "it can't find customers by '\(path)'")
  }

  private static func isKeyByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
    default: false
    }
  }
}

/// What is sent to Invoiced: never a key that it refuses, metadata as text and whole.
enum InvoicedBody {
  private static let metadata = JSONPath.Component.key("metadata")

  /// Nothing is sent for what is nothing: Invoiced fills it in by itself.
  static func creating(_ record: JSONValue) throws(ConnectorError) -> JSONValue {
    var body = JSONObject()
    for (key, value) in record.object?.members ?? [] where !isNothing(value) {
      try refuseReadOnly(JSONPath([.key(key)]))
      body[key] = key == "metadata" ? texts(value) : value
    }
    return .object(body)
  }

  /// - Parameter fresh: The record as it is now; its metadata is what the changes are laid into.
  static func updating(_ changes: [Assignment], fresh: JSONValue) throws(ConnectorError) -> JSONValue {
    for change in changes { try refuseReadOnly(change.path) }
    let plain = changes.filter { $0.path.components.first != metadata }
      .map { Assignment($0.path, isNothing($0.value) ? .null : $0.value) }
    var body = JSONValue.mergePatch(setting: plain, base: fresh)
    let entries = changes.filter { $0.path.components.first == metadata }
    guard !entries.isEmpty else { return body }
    var map = whole(fresh["metadata"])
    #if SABOTAGE
      if Sabotage.breaks(.replacesMetadata) { map = JSONObject() }
    #endif
    for entry in entries {
      switch (entry.path.components.count, entry.path.components.last) {
      case (1, _): map = texts(entry.value).object ?? JSONObject()
      case (2, .key(let key)?): map[key] = isNothing(entry.value) ? JSONValue?.none : text(entry.value)
      default: throw refusal(of: entry.path, "metadata has no levels below its keys")
      }
    }
    if map.count > InvoicedLimits.metadataKeys, map.count > (fresh["metadata"]?.object?.count ?? 0) {
      throw refusal(
        of: JSONPath([metadata]), "metadata takes \(InvoicedLimits.metadataKeys) keys, and this makes \(map.count)")
    }
    body.set(.object(map), at: JSONPath([metadata]))
    return body
  }

  /// What stands there, as it can be sent back: Invoiced refuses a null there.
  private static func whole(_ metadata: JSONValue?) -> JSONObject {
    // Old customers have `[]` for an empty map.
    JSONObject((metadata?.object?.members ?? []).filter { !$0.value.isNull })
  }

  private static func texts(_ map: JSONValue) -> JSONValue {
    .object(
      JSONObject(
        (map.object?.members ?? []).filter { !isNothing($0.value) }.map { (key: $0.key, value: text($0.value)) }))
  }

  private static func text(_ value: JSONValue) -> JSONValue {
    if case .string = value { value } else { .string(value.text) }
  }

  private static func isNothing(_ value: JSONValue) -> Bool { value.isNull || value == "" }

  private static func refuseReadOnly(_ path: JSONPath) throws(ConnectorError) {
    guard case .key(let key)? = path.components.first, InvoicedLimits.readOnly.contains(key) else { return }
    throw refusal(of: path, "'\(key)' is read-only on Invoiced")
  }

  private static func refusal(of path: JSONPath, _ reason: String) -> ConnectorError {
    .unsendable(.invoiced, property: "\(path)", reason: reason)
  }
}
