import JSON

extension Condition {
  /// Whether it holds for `record`. Absent, null and "" are one; a list stands for any of its values.
  public func holds(in record: JSONValue) -> Bool {
    let found = record[path]
    return switch test {
    case .oneOf(let values): values.contains { Self.matches(found, $0) }
    case .not(.array(let values)): !values.contains { Self.matches(found, $0) }
    case .not(let value): !Self.matches(found, value)
    case .exists(let exists): (found?.something(keepingEmpty: false) != nil) == exists
    }
  }

  private static func matches(_ found: JSONValue?, _ wanted: JSONValue) -> Bool {
    (found ?? .null).means(wanted)
  }

  /// The one value that the condition lets stand at its path; nil when there are several, or none.
  public var onlyValue: JSONValue? {
    guard case .oneOf(let values) = test, values.count == 1 else { return nil }
    return values[0].something(keepingEmpty: false)
  }
}

extension FlowSide {
  /// Whether all its conditions hold for `record`.
  public func fits(_ record: JSONValue) -> Bool { conditions.allSatisfy { $0.holds(in: record) } }

  /// What a record created here carries beside its rows: each single-valued condition, then `set`, which wins.
  public var constants: [Assignment] {
    let fromConditions = conditions.compactMap { condition in
      condition.onlyValue.map { Assignment(condition.path, $0) }
    }
    return fromConditions.filter { given in !set.contains { $0.path == given.path } } + set
  }
}

extension Flow {
  /// Whether a record of `side` fits the flow's `where` there. It is the flow's own only if no earlier flow's fits.
  public func covers(_ record: JSONValue, on side: Side) -> Bool { self.side(side).fits(record) }

  /// What a record created on `side` carries beside its rows, in the form that the side takes.
  public func constants(on side: Side) -> [Assignment] {
    self.side(side).constants.map { constant in
      guard side == .invoiced, let value = try? InvoicedCustomer.adapted(constant.value, to: constant.path) else {
        return constant
      }
      return Assignment(constant.path, value)
    }
  }

  /// The rows that carry edits from `side` to the other one.
  public func rows(from side: Side) -> [PropertyPair] { properties.filter { $0.direction.carries(from: side) } }
}

extension Mapping {
  /// The first flow whose conditions fit a record of `side`.
  public func flow(owning record: JSONValue, on side: Side) -> Flow? { flows.first { $0.covers(record, on: side) } }
}
