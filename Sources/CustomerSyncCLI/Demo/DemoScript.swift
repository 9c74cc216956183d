import JSON
import Mapping

/// The customers that the demo's Invoiced gets.
enum DemoCustomers {
  static let all: [JSONValue] = [
    customer(1, "Fjord Marine AS", "company", "NO", "Tromsø", terms: "NET 30", segment: "gold"),
    customer(2, "Havn Logistics AS", "company", "NO", "Bergen", terms: "NET 14"),
    customer(3, "Skogen Timber AB", "company", "SE", "Umeå", limit: "75000.50"),
    customer(4, "Müller Optik GmbH", "company", "DE", "Köln", terms: "NET 45", segment: "silver"),
    customer(5, "O'Neill & Sons Ltd", "company", "GB", "Leeds", limit: "12000"),
    customer(6, "Larkspur Foods Inc.", "company", "US", "Tacoma", segment: "pnw"),
    customer(7, "Été Design SARL", "company", "FR", "Besançon"),
    customer(8, "Nidaros Kommune", "government", "NO", "Trondheim", terms: "NET 30"),
    customer(9, "Pierce County", "government", "US", "Tacoma"),
    customer(10, "Østby Redningsselskap", "non_profit", "NO", "Østby"),
    customer(11, "Kings Hollow Food Bank", "non_profit", "US", "Portland", segment: "pnw"),
    customer(12, "Zoë Delgado", "person", "US", "Portland"),
  ]

  private static func customer(
    _ index: Int, _ name: String, _ type: String, _ country: String, _ city: String, terms: String? = nil,
    limit: String? = nil, segment: String? = nil
  ) -> JSONValue {
    var record: JSONObject = JSONObject([
      (key: "name", value: .string(name)), (key: "number", value: .string("CUST-\(1000 + index)")),
      (key: "type", value: .string(type)), (key: "country", value: .string(country)),
      (key: "city", value: .string(city)), (key: "email", value: .string("billing\(index)@customer.example")),
      (key: "phone", value: .string("+47 55 00 00 \(10 + index)")),
    ])
    if let terms { record["payment_terms"] = .string(terms) }
    if let limit { record["credit_limit"] = JSONNumber(validating: limit).map { .number($0) } }
    if let segment { record["metadata"] = ["segment": .string(segment)] }
    return .object(record)
  }
}

/// One edit of one property by a user of one side.
struct DemoEdit {
  let side: Side
  let customer: String
  /// The row, by its path in Invoiced.
  let property: String
  /// In that side's form; null clears.
  let value: JSONValue

  static let all: [DemoEdit] = [
    DemoEdit(side: .invoiced, customer: "Fjord Marine AS", property: "address1", value: "Dock Street 17"),
    DemoEdit(side: .pms, customer: "Fjord Marine AS", property: "attention_to", value: "Ingrid Åström"),
    DemoEdit(side: .invoiced, customer: "Skogen Timber AB", property: "credit_limit", value: 90_000),
    DemoEdit(side: .pms, customer: "Skogen Timber AB", property: "credit_hold", value: true),
    DemoEdit(side: .invoiced, customer: "Müller Optik GmbH", property: "metadata.segment", value: "gold"),
    DemoEdit(side: .pms, customer: "Müller Optik GmbH", property: "metadata.segment", value: nil),
    DemoEdit(side: .pms, customer: "Nidaros Kommune", property: "active", value: true),
    DemoEdit(side: .invoiced, customer: "Nidaros Kommune", property: "active", value: true),
    DemoEdit(side: .pms, customer: "Pierce County", property: "notes", value: "Grüße aus Łódź ✓"),
    DemoEdit(side: .invoiced, customer: "Kings Hollow Food Bank", property: "name", value: "Kings Hollow Pantry"),
  ]
}
