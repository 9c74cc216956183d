import JSON

/// What is known of the properties of an Invoiced customer (reference/invoiced-api.md section 2).
enum InvoicedCustomer {
  enum Kind: Sendable { case text, number, boolean, other }

  struct Property: Sendable {
    var kind: Kind
    var isWritable = true
    /// It holds an unguessable token: a secret (rule 24).
    var isSecret = false
  }

  static let properties: [String: Property] = {
    var all: [String: Property] = [:]
    for name in texts { all[name] = Property(kind: .text) }
    for name in numbers { all[name] = Property(kind: .number) }
    for name in booleans { all[name] = Property(kind: .boolean) }
    for name in others { all[name] = Property(kind: .other) }
    for name in readOnly { all[name] = Property(kind: .other, isWritable: false) }
    for name in ["statement_url", "statement_pdf_url", "sign_up_url"] {
      all[name] = Property(kind: .text, isWritable: false, isSecret: true)
    }
    return all
  }()

  private static let texts = [
    "name", "number", "email", "type", "attention_to", "address1", "address2", "city", "state", "postal_code",
    "country",
    "language", "currency", "phone", "notes", "tax_id", "avalara_entity_use_code", "avalara_exemption_number",
    "payment_terms",
  ]
  private static let numbers = [
    "autopay_delay_days", "parent_customer", "chasing_cadence", "next_chase_step", "credit_limit", "owner",
    "sign_up_page", "ach_gateway", "cc_gateway", "late_fee_schedule", "network_connection",
  ]
  private static let booleans = [
    "active", "taxable", "autopay", "bill_to_parent", "consolidated", "chase", "convenience_fee", "surcharging",
    "credit_hold",
  ]
  private static let others = ["metadata", "taxes", "disabled_payment_methods"]
  /// Refused, ignored, or read in another form than they are written in.
  private static let readOnly = [
    "id", "object", "created_at", "updated_at", "payment_source", "owner_id", "ach_gateway_id", "cc_gateway_id",
    "late_fee_schedule_id", "network_connection_id", "ach_gateway_object", "cc_gateway_object", "address",
    "credit_balance", "collection_mode", "client_id",
  ]

  static func property(at path: JSONPath) -> Property? {
    guard case .key(let key)? = path.components.first else { return nil }
    return properties[key]
  }

  /// Whether `path` is a value in `metadata`, which Invoiced stores as text.
  static func isMetadata(_ path: JSONPath) -> Bool {
    path.components.count > 1 && path.components.first == .key("metadata")
  }

  /// Whether nothing but text is ever read at `path`.
  static func holdsText(_ path: JSONPath) -> Bool {
    isMetadata(path) || (path.components.count == 1 && property(at: path)?.kind == .text)
  }

  /// `value` in the form that Invoiced takes at `path`: metadata only as text (section 2.1), a known property in its
  /// own kind.
  static func adapted(_ value: JSONValue, to path: JSONPath) throws(Unfit) -> JSONValue {
    if case .null = value { return value }
    if isMetadata(path) { return .string(text(of: value)) }
    guard path.components.count == 1, let property = property(at: path) else { return value }
    switch property.kind {
    case .text: return .string(text(of: value))
    case .boolean: return .bool(try value.asBool(isLenient: true))
    case .number:
      guard let text = value.identifier, let number = ExactDecimal(text) else {
        throw Unfit("is no number, which Invoiced's '\(path)' takes")
      }
      return .number(JSONNumber(validating: text) ?? JSONNumber(number))
    case .other: return value
    }
  }

  private static func text(of value: JSONValue) -> String {
    if case .string(let text) = value { text } else { value.text }
  }

  /// Whether Invoiced may have `value` at `path`.
  static func mayHold(_ value: JSONValue, at path: JSONPath) -> Bool {
    if value.isNull { return true }
    if holdsText(path) { return value.string != nil }
    guard path.components.count == 1, let property = property(at: path) else { return true }
    return switch property.kind {
    case .text: value.string != nil
    case .number: value.isNumber
    case .boolean: value.bool != nil
    case .other: true
    }
  }

  /// Whether a search for a metadata key finds its customers; else Invoiced drops the condition (section 3.1).
  static func isSearchable(_ path: JSONPath) -> Bool {
    guard path.components.count == 2, case .key(let key) = path.components[1] else { return false }
    return key.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || "0123456789_-".contains(Character($0)))
    }
  }

  struct Problem {
    var severity: Diagnostic.Severity
    var message: String
    var advice: String
  }

  /// What is wrong with reading or writing `path`.
  static func problem(with path: JSONPath, isWritten: Bool) -> Problem? {
    guard case .key(let key)? = path.components.first else {
      return Problem(severity: .error, message: "'\(path)' is no property: a customer is an object", advice: "")
    }
    if let metadata = metadataProblem(with: path) { return metadata }
    guard let property = properties[key] else {
      return Problem(
        severity: .warning, message: "'\(key)' is not a property of an Invoiced customer",
        advice: nearestName(to: key, among: properties.keys.sorted()).map { "did you mean '\($0)'?" }
          ?? "properties of your own are under `metadata`: 'metadata.\(key)'")
    }
    if property.isSecret {
      return Problem(
        severity: .error, message: "'\(key)' holds a token that lets anyone in: it is not to be copied",
        advice: "leave it out")
    }
    if isWritten, !property.isWritable {
      return Problem(
        severity: .error, message: "Invoiced does not take '\(key)': it sets it itself",
        advice: "give the row `direction: to_pms`, or leave it out")
    }
    return nil
  }

  private static func metadataProblem(with path: JSONPath) -> Problem? {
    guard isMetadata(path) else { return nil }
    guard path.components.count == 2, case .key(let key) = path.components[1] else {
      return Problem(
        severity: .warning, message: "a value in Invoiced's metadata is text: there is nothing below '\(path)'",
        advice: "use a path such as 'metadata.KEY'")
    }
    guard key.utf8.count > 40 else { return nil }
    return Problem(
      severity: .error, message: "Invoiced takes metadata keys of at most 40 bytes, and '\(key)' has \(key.utf8.count)",
      advice: "use a shorter key")
  }
}
