import JSON
import Mapping
import Sync

/// Whether the two sides agree now, flow by flow and row by row (contract section 6).
public struct AuditReport: Sendable, Hashable {
  public struct Example: Sendable, Hashable {
    public var invoicedID: RecordID
    public var pmsID: RecordID
    public var invoiced: JSONValue?
    public var pms: JSONValue?
  }

  public struct Property: Sendable, Hashable {
    public var row: PropertyPair
    /// Pairs whose values mean the same.
    public var agreeing = 0
    /// Pairs that differ in form and are agreed: one side trims, rounds or folds.
    public var equivalent = 0
    public var differing = 0
    /// The first few that differ.
    public var examples: [Example] = []
    static let mostExamples = 3
  }

  public struct FlowReport: Sendable, Hashable {
    public var flow: Flow
    public var records: [Side: Int] = [:]
    public var linked = 0
    /// Linked pairs without a row that differs.
    public var agreeing = 0
    /// Pairs and records that the workers have in hand.
    public var inFlight = 0
    public var properties: [Property]
    /// Covered by the flow and without a counterpart.
    public var unlinked: [Side: [RecordID]] = [:]
    public var apart: [Side: [RecordID]] = [:]
    public var parked = 0
    public var conflicts = 0

    init(_ flow: Flow) {
      self.flow = flow
      properties = flow.properties.map { Property(row: $0) }
    }

    public var agrees: Bool {
      inFlight == 0 && parked == 0 && conflicts == 0 && unlinked.values.allSatisfy(\.isEmpty)
        && properties.allSatisfy { $0.differing == 0 }
    }
  }

  public var at: Timestamp
  public var flows: [FlowReport]
  public var agrees: Bool { flows.allSatisfy(\.agrees) }

  public var json: JSONValue {
    ["at": .string(at.rfc3339), "agrees": .bool(agrees), "flows": .array(flows.map(\.json))]
  }
}

extension AuditReport.FlowReport {
  fileprivate var json: JSONValue {
    func ids(_ lists: [Side: [RecordID]]) -> JSONValue {
      .object(
        JSONObject(
          Side.allCases.map { ($0.rawValue, .array((lists[$0] ?? []).sorted().map { .string($0.text) })) }
            as [JSONObject.Member]))
    }
    return .object(
      JSONObject([
        ("name", .string(flow.name)), ("title", flow.title.map { .string($0) } ?? .null),
        ("records", ["invoiced": .count(records[.invoiced] ?? 0), "pms": .count(records[.pms] ?? 0)]),
        ("linked", .count(linked)), ("agreeing", .count(agreeing)), ("in_flight", .count(inFlight)),
        ("properties", .array(properties.map(\.json))), ("unlinked", ids(unlinked)), ("apart", ids(apart)),
        ("parked", .count(parked)), ("conflicts", .count(conflicts)),
      ]))
  }
}

extension AuditReport.Property {
  fileprivate var json: JSONValue {
    [
      "invoiced": .string(row.invoiced.description), "pms": .string(row.pms.description),
      "type": .string(row.type.rawValue), "agreeing": .count(agreeing), "equivalent": .count(equivalent),
      "differing": .count(differing),
      "examples": .array(
        examples.map { example in
          [
            "invoiced_id": .string(example.invoicedID.text), "pms_id": .string(example.pmsID.text),
            "invoiced": example.invoiced ?? .null, "pms": example.pms ?? .null,
          ]
        }),
    ]
  }
}

extension JSONValue {
  fileprivate static func count(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }
}
