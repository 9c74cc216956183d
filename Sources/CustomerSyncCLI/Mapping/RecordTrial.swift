import Connectors
import JSON
import Mapping
import Sync

/// What a record becomes on the other side, and what that becomes on the way back.
struct RecordTrial {
  struct Row {
    let pair: PropertyPair
    /// As it stands in the record; nil when absent.
    let found: JSONValue?
    var sent: JSONValue?
    var back: JSONValue?
    /// Why nothing is sent, or what is wrong with the value.
    var remark: String?
    var isMisfit = false
  }

  let side: Side
  let flow: Flow
  let id: String?
  let rows: [Row]
  let constants: [Assignment]
  /// The record as it would be created; nil where a value doesn't fit.
  let created: JSONValue?

  var hasMisfits: Bool { rows.contains(where: \.isMisfit) }

  init(_ record: JSONValue, side: Side, flow: Flow, idPath: JSONPath) {
    self.side = side
    self.flow = flow
    id = record[idPath]?.identifier
    var rows = flow.properties.map { Self.row($0, record, side) }
    constants = flow.constants(on: side.other)
    if rows.contains(where: \.isMisfit) {
      created = nil
    } else {
      var flow = flow
      // Nothing to store there.
      if id == nil { (flow.invoicedReference, flow.pmsReference) = (nil, nil) }
      let source = Observation(
        key: RecordKey(side, RecordID(id ?? "")), record: record, version: nil, source: .fetch,
        seenAt: Timestamp(milliseconds: 0))
      created = try? Planner.creation(of: source, flow: flow, idPath: idPath).record
      if let created { for index in rows.indices { Self.carryBack(&rows[index], created, to: side) } }
    }
    self.rows = rows
  }

  private static func row(_ pair: PropertyPair, _ record: JSONValue, _ side: Side) -> Row {
    var row = Row(pair: pair, found: pair.raw(on: side, in: record))
    guard pair.direction.carries(from: side) else {
      row.remark = "not carried this way (direction: \(pair.direction.rawValue))"
      return row
    }
    do throws(Misfit) {
      _ = try pair.canonical(on: side, raw: row.found)
      let sent = try pair.translated(from: side, raw: row.found)
      // Nothing is not sent with a new record; the rest of what Invoiced refuses is found before it is sent.
      if side == .pms, !sent.isNull, let misfit = InvoicedLimits.misfits(in: [Assignment(pair.invoiced, sent)]).first {
        throw misfit
      }
      row.sent = sent
    } catch {
      row.isMisfit = true
      row.remark = "\(error.reason); \(error.nextStep)"
    }
    return row
  }

  private static func carryBack(_ row: inout Row, _ created: JSONValue, to side: Side) {
    let pair = row.pair
    guard row.remark == nil else { return }
    guard pair.direction.carries(from: side.other) else {
      row.remark = "not carried back (direction: \(pair.direction.rawValue))"
      return
    }
    do throws(Misfit) {
      row.back = try pair.translated(from: side.other, raw: pair.raw(on: side.other, in: created))
      let (before, after) = (
        try pair.canonical(on: side, raw: row.found), try pair.canonical(on: side, raw: row.back)
      )
      if before != after { row.remark = "comes back as another value" }
    } catch {
      row.isMisfit = true
      row.remark = "\(error.reason); \(error.nextStep)"
    }
  }
}

extension RecordTrial {
  /// The table for people, with a newline at its end.
  var text: String {
    let whose = id.map { "\(side.rawValue):\($0)" } ?? "the record of \(side.title)"
    var lines = ["\(whose) in flow '\(flow.name)'", ""]
    if flow.properties.isEmpty {
      lines.append("The flow has no properties: add rows to its `properties`.")
    } else {
      let header = [side.columnTitle, "value", side.other.columnTitle, "becomes", "back"]
      lines += Self.aligned([header] + rows.map(cells))
    }
    for constant in constants {
      lines.append("\(side.other.columnTitle) \(constant.path) = \(ShownValue.text(constant.value)) (constant)")
    }
    if let created {
      lines += ["", "As it would be created on \(side.other.title):", created.pretty]
    } else {
      lines += ["", "A record with a value that doesn't fit is parked whole: nothing of it is sent."]
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func cells(_ row: Row) -> [String] {
    let back = [row.back.map { ShownValue.text($0) }, row.remark.map { row.isMisfit ? "MISFIT: \($0)" : $0 }]
    return [
      row.pair.path(on: side).description, row.found.map { ShownValue.text($0) } ?? "absent",
      row.pair.path(on: side.other).description, row.sent.map { ShownValue.text($0) } ?? "-",
      back.compactMap { $0 }.joined(separator: ", "),
    ]
  }

  private static func aligned(_ rows: [[String]]) -> [String] {
    let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { cells in
      var line = ""
      for (cell, width) in zip(cells.dropLast(), widths) {
        line += cell + String(repeating: " ", count: width - cell.count + 2)
      }
      line += cells.last ?? ""
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// The object for `--json`.
  var json: JSONValue {
    let properties = rows.map { row in
      JSONValue.object(
        JSONObject([
          (key: "property", value: .string(row.pair.path(on: side).description)),
          (key: "becomes", value: .string(row.pair.path(on: side.other).description)),
          (key: side.rawValue, value: row.found ?? .null), (key: side.other.rawValue, value: row.sent ?? .null),
          (key: "back", value: row.back ?? .null),
          (key: "state", value: .string(row.isMisfit ? "misfit" : row.sent == nil ? "not carried" : "carried")),
          (key: "reason", value: row.remark.map { .string($0) } ?? .null),
        ]))
    }
    return [
      "flow": .string(flow.name), "side": .string(side.rawValue),
      "\(side.rawValue)_id": id.map { .string($0) } ?? .null, "properties": .array(properties),
      "record": created ?? .null,
    ]
  }
}

extension Side {
  /// The head of a column.
  var columnTitle: String { self == .invoiced ? "Invoiced" : "PMS" }
}

enum ShownValue {
  /// A value as JSON, cut off where it is long.
  static func text(_ value: JSONValue) -> String {
    let text = value.text
    return text.count > 60 ? text.prefix(59) + "…" : text
  }
}
