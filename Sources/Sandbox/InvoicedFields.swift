import JSON

/// How a property of an Invoiced customer or contact is read from a body.
enum InvoicedField {
  /// 1 to 255 bytes, never null.
  case name
  case number
  case email
  case type
  case country
  case language
  case currency
  case paymentTerms
  /// Nullable text in a column of so many characters; what is longer, only the database refuses.
  case text(Int)
  /// A boolean that can't be null.
  case flag
  case decimal
  case integer(nullable: Bool)
  /// The id of another record, which is also shown under the second name.
  case relation(String)
  case parent
  case taxes
  case metadata
  /// Taken and never shown.
  case writeOnly

  /// Refused by name, wherever they are written (mass-assignment refusal).
  static let refused: Set<String> = [
    "client_id", "client_id_exp", "credit_balance", "object", "statement_pdf_url", "sign_up_url", "created_at",
    "updated_at",
  ]

  static let customer: [String: InvoicedField] = [
    "name": .name, "number": .number, "email": .email, "type": .type, "active": .flag, "attention_to": .text(255),
    "address1": .text(1000), "address2": .text(255), "city": .text(255), "state": .text(255),
    "postal_code": .text(255), "country": .country, "language": .language, "currency": .currency, "phone": .text(255),
    "notes": .text(65_535), "tax_id": .text(255), "taxable": .flag, "taxes": .taxes,
    "avalara_entity_use_code": .text(255), "avalara_exemption_number": .text(255), "payment_terms": .paymentTerms,
    "autopay": .flag, "autopay_delay_days": .integer(nullable: false), "payment_source": .writeOnly,
    "disabled_payment_methods": .writeOnly, "parent_customer": .parent, "bill_to_parent": .flag,
    "consolidated": .flag, "chase": .flag, "chasing_cadence": .integer(nullable: true),
    "next_chase_step": .integer(nullable: true), "credit_hold": .flag, "credit_limit": .decimal,
    "owner": .relation("owner_id"), "sign_up_page": .integer(nullable: true),
    "ach_gateway": .relation("ach_gateway_id"), "cc_gateway": .relation("cc_gateway_id"),
    "late_fee_schedule": .relation("late_fee_schedule_id"), "network_connection": .relation("network_connection_id"),
    "convenience_fee": .flag, "surcharging": .flag, "metadata": .metadata,
  ]

  static let contact: [String: InvoicedField] = [
    "name": .name, "email": .email, "primary": .flag, "title": .text(255), "department": .text(255),
    "phone": .text(255), "address1": .text(1000), "address2": .text(255), "city": .text(255), "state": .text(255),
    "postal_code": .text(255), "country": .country, "sms_enabled": .flag, "send_new_invoices": .flag,
    "role": .relation("role_id"),
  ]

  /// A new customer before anything is written to it: every key that a read shows, in alphabetical order.
  static let newCustomer: JSONObject = JSONObject([
    ("ach_gateway", nil), ("ach_gateway_id", nil), ("ach_gateway_object", nil), ("active", true), ("address1", nil),
    ("address2", nil), ("attention_to", nil), ("autopay", false), ("autopay_delay_days", -1),
    ("avalara_entity_use_code", nil), ("avalara_exemption_number", nil), ("bill_to_parent", false),
    ("cc_gateway", nil), ("cc_gateway_id", nil), ("cc_gateway_object", nil), ("chase", true),
    ("chasing_cadence", nil), ("city", nil), ("consolidated", false), ("convenience_fee", true), ("country", nil),
    ("created_at", 0), ("credit_hold", false), ("credit_limit", nil), ("currency", nil), ("email", nil), ("id", 0),
    ("language", nil), ("late_fee_schedule", nil), ("late_fee_schedule_id", nil), ("metadata", [:]), ("name", nil),
    ("network_connection", nil), ("network_connection_id", nil), ("next_chase_step", nil), ("notes", nil),
    ("number", nil), ("object", "customer"), ("owner", nil), ("owner_id", nil), ("parent_customer", nil),
    ("payment_source", nil), ("payment_terms", nil), ("phone", nil), ("postal_code", nil), ("sign_up_page", nil),
    ("sign_up_url", nil), ("state", nil), ("statement_pdf_url", nil), ("statement_url", nil), ("surcharging", true),
    ("tax_id", nil), ("taxable", true), ("taxes", []), ("type", "company"), ("updated_at", 0),
  ])

  static let newContact: JSONObject = JSONObject([
    ("address1", nil), ("address2", nil), ("city", nil), ("country", nil), ("created_at", 0), ("customer", nil),
    ("customer_id", nil), ("department", nil), ("email", nil), ("id", 0), ("name", nil), ("object", "contact"),
    ("phone", nil), ("postal_code", nil), ("primary", true), ("role", nil), ("role_id", nil),
    ("send_new_invoices", false), ("sms_enabled", false), ("state", nil), ("title", nil), ("updated_at", 0),
  ])

  /// Shown twice; `previous` knows the stored name only.
  static let shadows: Set<String> = [
    "ach_gateway", "ach_gateway_object", "cc_gateway", "cc_gateway_object", "late_fee_schedule", "network_connection",
    "owner", "role",
  ]

  static let customerTypes: Set<String> = ["company", "person", "government", "non_profit"]

  /// What a list may be filtered and sorted by.
  static let filterable: Set<String> = Set(
    newCustomer.members.map(\.key)
  ).subtracting([
    "notes", "taxes", "metadata", "object", "payment_source", "statement_url", "statement_pdf_url", "sign_up_url",
    "ach_gateway_object", "cc_gateway_object",
  ])
}

/// Reading single values as Invoiced does; `account` gives what the account's settings fill in.
struct InvoicedReader {
  let accountCountry: String

  /// The value to store. Parents, numbers in use and `writeOnly` fields are the caller's to check.
  func value(_ raw: JSONValue, _ field: InvoicedField, _ key: String) throws(Refusal) -> JSONValue {
    switch field {
    case .name: return .string(try sized(raw, 1...255, key))
    case .number: return .string(try sized(raw, 1...32, key))
    case .paymentTerms:
      guard let text = try text(raw, key) else { return .null }
      return .string(try sized(.string(text), 1...255, key))
    case .email:
      guard let address = try text(raw, key).map({ Self.trim($0).lowercased() }), !address.isEmpty else { return .null }
      guard Self.isAddress(address) else { throw .invalid(key, "Not an e-mail address: \(address)") }
      return .string(try column(address, 255, key))
    case .type:
      guard let type = try text(raw, key), InvoicedField.customerTypes.contains(type) else {
        throw .invalid(key, "Type: one of company, person, government, non_profit expected")
      }
      return .string(type)
    case .country:
      guard let country = try text(raw, key)?.uppercased() else {
        return .string(accountCountry)
      }
      guard Codes.countries.contains(country) else { throw .invalid(key, "No such country: \(country)") }
      return .string(country)
    case .language:
      guard let language = try text(raw, key)?.lowercased() else { return .null }
      guard language.utf8.count == 2 else { throw .invalid(key, "Language: exactly 2 bytes expected") }
      return .string(language)
    case .currency:
      guard let currency = try text(raw, key)?.lowercased() else { return .null }
      guard Codes.currencies.contains(currency) else { throw .invalid(key, "No such currency: \(currency)") }
      return .string(currency)
    case .text(let limit):
      guard let text = try text(raw, key) else { return .null }
      return .string(try column(text, limit, key))
    case .flag: return .bool(try flag(raw, key))
    case .decimal: return try decimal(raw, key)
    case .integer(nullable: false):
      let number = try integer(raw, key)
      if number.isNull { throw .broken("Column '\(key)' cannot be null") }
      return number
    case .integer(nullable: true), .relation, .parent: return try integer(raw, key)
    case .taxes: return try taxes(raw, key)
    case .metadata: return .object(try metadata(raw))
    case .writeOnly: return .null
    }
  }

  /// Text as PHP casts it; nil for null and "".
  func text(_ raw: JSONValue, _ key: String) throws(Refusal) -> String? {
    switch raw {
    case .null, .string(""): nil
    case .string(let text): text
    case .number(let number): number.text
    case .bool(let flag): flag ? "1" : nil
    case .array, .object: throw .invalid(key, "\(key): text expected")
    }
  }

  private func sized(_ raw: JSONValue, _ range: ClosedRange<Int>, _ key: String) throws(Refusal) -> String {
    let text = try text(raw, key) ?? ""
    guard range.contains(text.utf8.count) else {
      let name = key.prefix(1).uppercased() + key.dropFirst()
      throw .invalid(key, "\(name): \(range.lowerBound) to \(range.upperBound) bytes expected")
    }
    return text
  }

  private func column(_ text: String, _ limit: Int, _ key: String) throws(Refusal) -> String {
    guard text.unicodeScalars.count <= limit else { throw .broken("Data too long for column '\(key)'") }
    return text
  }

  private func flag(_ raw: JSONValue, _ key: String) throws(Refusal) -> Bool {
    switch raw {
    case .bool(let flag): flag
    case .null: throw .broken("Column '\(key)' cannot be null")
    case .number(let number) where number.text == "0" || number.text == "1": number.text == "1"
    case .string("1"), .string("true"): true
    case .string("0"), .string("false"), .string(""): false
    case .number, .string, .array, .object: throw .invalid(key, "\(key): true or false expected")
    }
  }

  private func integer(_ raw: JSONValue, _ key: String) throws(Refusal) -> JSONValue {
    guard let text = try text(raw, key) else { return .null }
    guard let number = Int64(text) else { throw .invalid(key, "\(key): a whole number expected") }
    return .number(JSONNumber(number))
  }

  /// DECIMAL(20,10), shown as PHP shows a float: the shortest digits, whole numbers without a fraction.
  private func decimal(_ raw: JSONValue, _ key: String) throws(Refusal) -> JSONValue {
    guard let text = try text(raw, key) else { return .null }
    guard let number = Double(text), number.isFinite else { throw .invalid(key, "\(key): a number expected") }
    guard abs(number) < 1e10 else { throw .broken("Out of range value for column '\(key)'") }
    let rounded = (number * 1e10).rounded() / 1e10
    let shown = "\(abs(number) < 900_000 ? rounded : number)"
    let trimmed = shown.hasSuffix(".0") ? String(shown.dropLast(2)) : shown
    return (try? JSONValue(parsing: trimmed == "-0" ? "0" : trimmed)) ?? .null
  }

  /// Written as ids, read as rate objects.
  private func taxes(_ raw: JSONValue, _ key: String) throws(Refusal) -> JSONValue {
    guard let items = raw.array else { throw .invalid(key, "taxes: a list of tax rate ids expected") }
    var rates: [JSONValue] = []
    for item in items {
      guard let id = item.identifier else { throw .invalid(key, "taxes: a list of tax rate ids expected") }
      rates.append([
        "currency": nil, "id": .string(id), "inclusive": false, "is_percent": true, "metadata": [:],
        "name": .string(id), "object": "tax_rate", "value": 0,
      ])
    }
    return .array(rates)
  }

  /// At most 10 keys of 40 bytes with values of 255 bytes; null values are refused. Types stay as they came.
  private func metadata(_ raw: JSONValue) throws(Refusal) -> JSONObject {
    let object: JSONObject
    switch raw {
    case .null, .string(""): object = JSONObject()
    case .array(let items) where items.isEmpty: object = JSONObject()
    case .object(let given): object = JSONObject(given.sorted)
    case .bool, .number, .string, .array: throw .invalid("metadata", "metadata: an object expected")
    }
    guard object.count <= 10 else { throw .invalid("metadata", "metadata: at most 10 keys") }
    for (key, value) in object.members {
      guard 1...40 ~= key.utf8.count else { throw .invalid("metadata", "metadata: keys of 1 to 40 bytes expected") }
      if value.isNull { throw .invalid("metadata", "metadata: null is no value (\(key))") }
      guard Self.stored(value).utf8.count <= 255 else {
        throw .invalid("metadata", "metadata: values of at most 255 bytes expected (\(key))")
      }
    }
    return object
  }

  /// The text that a metadata value is stored as.
  static func stored(_ value: JSONValue) -> String {
    switch value {
    case .null: ""
    case .bool(let flag): flag ? "1" : "0"
    case .number(let number): number.text
    case .string(let text): text
    case .array, .object: String(decoding: value.phpText, as: UTF8.self)
    }
  }

  static func trim(_ text: String) -> String {
    var scalars = text.unicodeScalars[...]
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars))
  }

  private static func isAddress(_ text: String) -> Bool {
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, parts[1].contains("."), !parts[1].hasPrefix("."),
      !parts[1].hasSuffix(".")
    else { return false }
    return !text.unicodeScalars.contains { $0.properties.isWhitespace || ",;<>()\"".unicodeScalars.contains($0) }
  }
}
