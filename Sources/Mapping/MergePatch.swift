import JSON

extension JSONValue {
  /// An RFC 7396 merge patch that puts `changes` into a record, and nothing else.
  ///
  /// A merge patch can't name an array's element: the whole array is sent, as `base` (the record as last fetched) has
  /// it, with the element laid in. An object that is sent replaces the one in `base`: what it lacks is cleared.
  public static func mergePatch(setting changes: [Assignment], base: JSONValue?) -> JSONValue {
    var patch: JSONValue = .object(JSONObject())
    for change in changes {
      let components = change.path.components
      guard let index = components.firstIndex(where: { if case .index = $0 { true } else { false } }) else {
        patch.set(replacing(base?[change.path], with: change.value), at: change.path)
        continue
      }
      let arrayPath = JSONPath(Array(components[..<index]))
      let element = JSONPath(Array(components[index...]))
      var array = (patch[arrayPath] ?? base?[arrayPath])?.array.map(JSONValue.array) ?? .array([])
      if case .null = change.value {
        // Where nothing is, nothing is cleared; and no array grows by clearing.
        if array[element] != nil { array.set(.null, at: element) }
        array = array.droppingTrailingNulls
      } else {
        array.set(change.value, at: element)
      }
      patch.set(array, at: arrayPath)
    }
    return patch
  }

  /// `new`, with a null for each member that only `old` has, at every level.
  private static func replacing(_ old: JSONValue?, with new: JSONValue) -> JSONValue {
    guard case .object(let before)? = old, case .object(let after) = new else { return new }
    var members = after.members.map { (key: $0.key, value: replacing(before[$0.key], with: $0.value)) }
    for member in before.members where after[member.key] == nil { members.append((member.key, .null)) }
    return .object(JSONObject(members))
  }

  private var droppingTrailingNulls: JSONValue {
    guard case .array(var items) = self else { return self }
    while let last = items.last, last.isNull { items.removeLast() }
    return .array(items)
  }

  /// What becomes of this record by a merge patch (RFC 7396).
  public func merging(_ patch: JSONValue) -> JSONValue {
    guard case .object(let changes) = patch else { return patch }
    var result = object ?? JSONObject()
    for change in changes.members {
      result[change.key] = change.value.isNull ? Optional.none : (result[change.key] ?? .null).merging(change.value)
    }
    return .object(result)
  }
}
