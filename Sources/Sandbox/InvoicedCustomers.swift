import JSON
import SeededRandom

extension InvoicedState {
  /// Uniqueness of a number doesn't look at case or outer blanks.
  static func folded(_ number: String) -> String { InvoicedReader.trim(number).lowercased() }

  private func missing(_ id: Int64) -> Refusal { Refusal(404, "No such customer: \(id)") }

  mutating func readCustomer(_ id: Int64, now: Int64) throws(Refusal) -> JSONObject {
    guard let customer = customers[id] else { throw missing(id) }
    if let former = customer.former, faults.readsStale(age: now - customer.changedAt) { return former }
    return customer.object
  }

  mutating func createCustomer(_ body: JSONObject, _ write: Write) throws(Refusal) -> JSONObject {
    var object = InvoicedField.newCustomer
    object["type"] = .string(options.defaultType)
    object["country"] = .string(options.accountCountry)
    var body = body
    if body["number"].map(Self.isEmpty) ?? true { body["number"] = nil }
    if body["name"] == nil { throw .invalid("name", "Name: 1 to 255 bytes expected") }
    try apply(body, to: &object, fields: InvoicedField.customer, of: nil)
    if body["number"] == nil { object["number"] = .string(generatedNumber()) }

    lastCustomer += generator.number(in: 1...7)
    let id = lastCustomer
    let url = "https://invoiced.com/statements/sandbox/\(generator.token(48))"
    object["id"] = .number(JSONNumber(id))
    object["statement_url"] = .string(url)
    object["statement_pdf_url"] = .string(url + "/pdf")
    object["created_at"] = .number(JSONNumber(write.stamp))
    object["updated_at"] = .number(JSONNumber(write.stamp))
    keep(object, id: id, now: write.now)
    order.append(id)
    if let number = object["number"]?.string { numbers[Self.folded(number)] = id }
    record("customer.created", object: object, previous: nil, write)
    return object
  }

  mutating func updateCustomer(_ id: Int64, _ body: JSONObject, _ write: Write) throws(Refusal) -> JSONObject {
    guard let old = customers[id]?.object else { throw missing(id) }
    var object = old
    let count = try apply(body, to: &object, fields: InvoicedField.customer, of: id)
    guard count > 0 else { return old }
    object["updated_at"] = .number(JSONNumber(write.stamp))
    keep(object, id: id, now: write.now)
    if let before = old["number"]?.string, let after = object["number"]?.string, before != after {
      numbers[Self.folded(before)] = nil
      numbers[Self.folded(after)] = id
    }
    recordUpdate("customer.updated", from: old, to: object, write)
    return object
  }

  mutating func deleteCustomer(_ id: Int64, _ write: Write) throws(Refusal) {
    guard let customer = customers[id] else { throw missing(id) }
    guard customer.invoices == 0 else {
      throw Refusal(400, "Customer \(id) has invoices and can't be deleted")
    }
    for contact in contactsOf.removeValue(forKey: id) ?? [] { contacts[contact] = nil }
    remove(id, customer.object)
    record("customer.deleted", object: customer.object, previous: nil, write)
  }

  /// Moves everything of the loser's to the survivor, and the loser is gone.
  mutating func mergeCustomers(survivor: Int64, _ body: JSONObject, _ write: Write) throws(Refusal) {
    guard let kept = customers[survivor] else { throw missing(survivor) }
    guard let loser = body["customer"]?.int64, let lost = customers[loser] else {
      throw .invalid("customer", "No such customer: \(body["customer"]?.identifier ?? "none given")")
    }
    if loser == survivor { throw .broken("A customer can't be merged with itself") }
    for customer in [kept, lost] where customer.object["active"] == false {
      throw .invalid("customer", "Inactive customers can't be merged: \(customer.object["id"]?.identifier ?? "")")
    }
    let moved = contactsOf.removeValue(forKey: loser) ?? []
    for contact in moved {
      contacts[contact]?["customer"] = .number(JSONNumber(survivor))
      contacts[contact]?["customer_id"] = .number(JSONNumber(survivor))
    }
    contactsOf[survivor, default: []] += moved
    customers[survivor]?.invoices += lost.invoices
    remove(loser, lost.object)
    absorbed[loser] = survivor

    var original = JSONObject(lost.object.members.filter { !InvoicedField.shadows.contains($0.key) })
    for key in ["ach_gateway_object", "cc_gateway_object"] { original[key] = .null }
    var object = kept.object
    object["original_customer"] = .object(original)
    record("customer.merged", object: object, previous: nil, write)
  }

  func balance(of id: Int64) throws(Refusal) -> JSONValue {
    guard let customer = customers[id] else { throw missing(id) }
    let owed = JSONValue.number(JSONNumber(customer.invoices * 100))
    return [
      "available_credits": 0, "currency": customer.object["currency"].flatMap { $0.isNull ? nil : $0 } ?? "usd",
      "due_now": owed, "history": [], "open_credit_notes": 0, "past_due": false, "total_outstanding": owed,
    ]
  }

  private mutating func remove(_ id: Int64, _ object: JSONObject) {
    customers[id] = nil
    let index = firstIndex(from: id)
    if order.indices.contains(index), order[index] == id { order.remove(at: index) }
    if let number = object["number"]?.string { numbers[Self.folded(number)] = nil }
  }

  /// The place in `order` of the first id that is at least `id`.
  func firstIndex(from id: Int64) -> Int {
    var (low, high) = (0, order.count)
    while low < high {
      let middle = (low + high) / 2
      if order[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Stores what later reads show: metadata as text.
  private mutating func keep(_ object: JSONObject, id: Int64, now: Int64) {
    var stored = object
    if let metadata = object["metadata"]?.object {
      stored["metadata"] = .object(
        JSONObject(metadata.members.map { (key: $0.key, value: .string(InvoicedReader.stored($0.value))) }))
    }
    let old = customers[id]
    customers[id] = InvoicedCustomer(
      object: stored, former: faults.has(.lying) ? old?.object : nil, changedAt: now, invoices: old?.invoices ?? 0)
  }

  private mutating func generatedNumber() -> String {
    while true {
      let digits = String(nextNumber)
      let number = "CUST-" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      nextNumber += 1
      if numbers[Self.folded(number)] == nil { return number }
    }
  }

  static func isEmpty(_ value: JSONValue) -> Bool { value.isNull || value == "" }

  /// Lays a body into an object and says how many of its keys are properties; unknown keys are passed over.
  /// - Parameter id: The customer that is written, for what must be unique or must not be a cycle; nil for a new one.
  @discardableResult
  mutating func apply(
    _ body: JSONObject, to object: inout JSONObject, fields: [String: InvoicedField], of id: Int64?
  ) throws(Refusal) -> Int {
    for (key, _) in body.members where InvoicedField.refused.contains(key) {
      throw .invalid(key, "Not to be written: \(key)")
    }
    var count = 0
    for (key, raw) in body.members {
      guard let field = fields[key] else { continue }
      count += 1
      let value = try reader.value(raw, field, key)
      switch field {
      case .writeOnly: continue
      case .number: try checkNumber(value, of: id)
      case .parent: try checkParent(value, of: id)
      case .relation(let stored): object[stored] = value
      case .flag where key == "autopay" && value == true && object["autopay"] != true: object["payment_terms"] = .null
      case .name, .email, .type, .country, .language, .currency, .paymentTerms, .text, .flag, .decimal, .integer,
        .taxes,
        .metadata:
        break
      }
      object[key] = value
    }
    return count
  }

  private func checkNumber(_ value: JSONValue, of id: Int64?) throws(Refusal) {
    guard let number = value.string, let taken = numbers[Self.folded(number)], taken != id else { return }
    throw .invalid("number", "Number in use: \(number)")
  }

  /// A parent exists, is another customer, makes no cycle, and stands under at most four others.
  private func checkParent(_ value: JSONValue, of id: Int64?) throws(Refusal) {
    guard var parent = value.int64 else { return }
    var depth = 1
    while true {
      guard let customer = customers[parent] else { throw .invalid("parent_customer", "No such customer: \(parent)") }
      guard parent != id else { throw .invalid("parent_customer", "A customer can't be its own ancestor") }
      depth += 1
      guard depth <= 5 else { throw .invalid("parent_customer", "At most 5 levels of customers") }
      guard let next = customer.object["parent_customer"]?.int64 else { return }
      parent = next
    }
  }
}
