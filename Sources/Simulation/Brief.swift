import JSON
import Mapping

/// Shows bodies as a reader of a trace wants them: of each record what the mapping is about, and nothing that is empty.
struct Brief: Sendable {
  private let keys: Set<String>
  private static let most = 600

  init(_ mapping: Mapping) {
    var keys: Set<String> = ["id", "updated_at", "data", "object", "previous", "original_customer", "error", "detail"]
    keys.formUnion(["message", "param", "customer"])
    for flow in mapping.flows {
      for side in Side.allCases {
        for row in flow.properties { Self.add(row.path(on: side), to: &keys) }
        for key in flow.match { Self.add(key.path(on: side), to: &keys) }
        for condition in flow.side(side).conditions { Self.add(condition.path, to: &keys) }
        flow.reference(on: side).map { Self.add($0, to: &keys) }
      }
    }
    self.keys = keys
  }

  private static func add(_ path: JSONPath, to keys: inout Set<String>) {
    if case .key(let key)? = path.components.first { keys.insert(key) }
  }

  func text(_ body: [UInt8]) -> String {
    guard let value = try? JSONValue(parsing: body) else {
      return String(decoding: body.prefix(200), as: UTF8.self)
    }
    let text = shown(value, isTop: true).text
    return text.count > Self.most ? text.prefix(Self.most - 1) + "\u{2026}" : text
  }

  private func shown(_ value: JSONValue, isTop: Bool) -> JSONValue {
    switch value {
    case .array(let items): return .array(items.map { shown($0, isTop: isTop) })
    case .object(let object):
      var members: [JSONObject.Member] = []
      for (key, member) in object.members where !isTop || keys.contains(key) || key == "type" {
        if isTop, member.isNull || member.object?.isEmpty ?? false { continue }
        members.append((key, shown(member, isTop: isTop && (key == "data" || key == "object"))))
      }
      return .object(JSONObject(members))
    case .null, .bool, .number, .string: return value
    }
  }
}
