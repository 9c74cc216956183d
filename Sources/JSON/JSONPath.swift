/// A path into a JSON value: dotted keys, `[n]` for an array's element, `\.` for a dot in a key.
public struct JSONPath: Sendable, Hashable, CustomStringConvertible {
  public enum Component: Sendable, Hashable {
    case key(String)
    case index(Int)

    /// Keys are compared as bytes, as in an object.
    public static func == (a: Self, b: Self) -> Bool {
      switch (a, b) {
      case (.key(let x), .key(let y)): x.isIdentical(to: y)
      case (.index(let x), .index(let y)): x == y
      case (.key, .index), (.index, .key): false
      }
    }
  }
  /// The largest index of an element: laying a value in there makes all the elements before it.
  public static let maximumIndex = 9999

  public let components: [Component]

  public init(_ components: [Component]) { self.components = components }

  /// Reads the written form; nil for an empty path, an empty key, or a bracket that holds no index
  /// up to `maximumIndex`.
  public init?(_ text: String) {
    var components: [Component] = []
    var key = ""
    var started = false  // a key has begun (it may still be empty)
    var characters = Array(text.unicodeScalars)[...]
    var expectsKey = true
    while let scalar = characters.popFirst() {
      switch scalar {
      case "\\":
        guard started || expectsKey, let next = characters.popFirst(), "\\.[]".unicodeScalars.contains(next) else {
          return nil
        }
        key.unicodeScalars.append(next)
        started = true
        expectsKey = false
      case ".":
        if started {
          components.append(.key(key))
          key = ""
          started = false
        } else if expectsKey {
          return nil
        }
        expectsKey = true
      case "[":
        if started {
          components.append(.key(key))
          key = ""
          started = false
        } else if expectsKey && !components.isEmpty {
          return nil
        }
        var digits = ""
        while let digit = characters.first, digit != "]" {
          digits.unicodeScalars.append(digit)
          characters.removeFirst()
        }
        guard characters.popFirst() == "]", digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let index = Int(digits),
          index <= Self.maximumIndex
        else { return nil }
        components.append(.index(index))
        expectsKey = false
      default:
        guard started || expectsKey else { return nil }
        key.unicodeScalars.append(scalar)
        started = true
        expectsKey = false
      }
    }
    if started { components.append(.key(key)) } else if expectsKey { return nil }
    self.components = components
  }

  public var description: String {
    var text = ""
    for component in components {
      switch component {
      case .key(let key):
        if !text.isEmpty { text += "." }
        for scalar in key.unicodeScalars {
          if "\\.[]".unicodeScalars.contains(scalar) { text += "\\" }
          text.unicodeScalars.append(scalar)
        }
      case .index(let index): text += "[\(index)]"
      }
    }
    return text
  }

  /// Whether this path is the other's beginning, or the same.
  public func isPrefix(of other: JSONPath) -> Bool { other.components.starts(with: components) }
}

extension JSONValue {
  /// The value at `path`; nil when it, or anything on the way to it, is absent.
  public subscript(path: JSONPath) -> JSONValue? {
    if case .object(let object) = self { return path.components.isEmpty ? self : object.value(at: path.components) }
    var value = self
    for component in path.components {
      switch (component, value) {
      case (.key(let key), .object(let object)):
        guard let next = object[key] else { return nil }
        value = next
      case (.index(let index), .array(let items)):
        guard items.indices.contains(index) else { return nil }
        value = items[index]
      default: return nil
      }
    }
    return value
  }

  /// Lays `newValue` in at `path`; objects and array elements on the way are made where there are none
  /// (gaps in an array become null). An index beyond `JSONPath.maximumIndex` leaves the array as it is.
  public mutating func set(_ newValue: JSONValue, at path: JSONPath) { set(newValue, at: path.components[...]) }

  private mutating func set(_ newValue: JSONValue, at components: ArraySlice<JSONPath.Component>) {
    guard let first = components.first else {
      self = newValue
      return
    }
    switch first {
    case .key(let key):
      var object = object ?? JSONObject()
      var member = object[key] ?? .null
      member.set(newValue, at: components.dropFirst())
      object[key] = member
      self = .object(object)
    case .index(let index):
      guard 0...JSONPath.maximumIndex ~= index else { return }
      var items = array ?? []
      while items.count <= index { items.append(.null) }
      items[index].set(newValue, at: components.dropFirst())
      self = .array(items)
    }
  }
}
