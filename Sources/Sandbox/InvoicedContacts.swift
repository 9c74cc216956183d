import HTTP
import JSON
import SeededRandom

extension InvoicedState {
  func contact(_ id: Int64, of owner: Int64) throws(Refusal) -> JSONObject {
    guard customers[owner] != nil else { throw Refusal(404, "No such customer: \(owner)") }
    guard let contact = contacts[id], contact["customer_id"]?.int64 == owner else {
      throw Refusal(404, "No such contact: \(id)")
    }
    return contact
  }

  func listContacts(of owner: Int64, _ request: HTTPRequest, _ query: Query) throws(Refusal) -> Reply {
    guard customers[owner] != nil else { throw Refusal(404, "No such customer: \(owner)") }
    let rows = (contactsOf[owner] ?? []).compactMap { contacts[$0] }
    return Listing(request, query).reply(rows.map { .object($0) })
  }

  mutating func createContact(of owner: Int64, _ body: JSONObject, _ write: Write) throws(Refusal) -> JSONObject {
    guard let customer = customers[owner]?.object else { throw Refusal(404, "No such customer: \(owner)") }
    guard (contactsOf[owner] ?? []).count < 100 else { throw Refusal(400, "At most 100 contacts per customer") }
    if body["name"] == nil { throw .invalid("name", "Name: 1 to 255 bytes expected") }
    var object = InvoicedField.newContact
    object["country"] = customer["country"]
    try apply(body, to: &object, fields: InvoicedField.contact, of: nil)
    lastContact += generator.number(in: 1...7)
    for key in ["created_at", "updated_at"] { object[key] = .number(JSONNumber(write.stamp)) }
    object["id"] = .number(JSONNumber(lastContact))
    for key in ["customer", "customer_id"] { object[key] = .number(JSONNumber(owner)) }
    contacts[lastContact] = object
    contactsOf[owner, default: []].append(lastContact)
    record("contact.created", object: expanded(object, owner), previous: nil, write)
    return object
  }

  mutating func updateContact(
    _ id: Int64, of owner: Int64, _ body: JSONObject, _ write: Write
  ) throws(Refusal) -> JSONObject {
    let old = try contact(id, of: owner)
    var object = old
    var body = body
    // A contact's country may be cleared; a customer's goes back to the account's.
    let clearsCountry = body["country"].map(Self.isEmpty) ?? false
    if clearsCountry { body["country"] = nil }
    let count = try apply(body, to: &object, fields: InvoicedField.contact, of: nil)
    if clearsCountry { object["country"] = .null }
    guard count > 0 || clearsCountry else { return old }
    object["updated_at"] = .number(JSONNumber(write.stamp))
    contacts[id] = object
    recordUpdate("contact.updated", from: expanded(old, owner), to: expanded(object, owner), write)
    return object
  }

  mutating func deleteContact(_ id: Int64, of owner: Int64, _ write: Write) throws(Refusal) {
    let old = try contact(id, of: owner)
    contacts[id] = nil
    contactsOf[owner]?.removeAll { $0 == id }
    record("contact.deleted", object: expanded(old, owner), previous: nil, write)
  }

  /// Events show the whole customer in place of its id.
  private func expanded(_ contact: JSONObject, _ owner: Int64) -> JSONObject {
    var object = contact
    if let customer = customers[owner]?.object { object["customer"] = .object(customer) }
    return object
  }
}
