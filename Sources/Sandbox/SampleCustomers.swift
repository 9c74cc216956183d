import JSON
import SeededRandom

/// Customers made up from a seed: all four types, names in several scripts, sparse and full addresses.
struct SampleCustomers {
  private var generator: SeededGenerator

  init(generator: SeededGenerator) { self.generator = generator }

  private static let places: [(country: String, city: String, state: String?, code: String, currency: String)] = [
    ("NO", "Trondheim", nil, "7011", "nok"), ("NO", "Tromsø", nil, "9008", "nok"),
    ("SE", "Malmö", nil, "211 43", "sek"),
    ("DK", "Århus", nil, "8000", "dkk"), ("DE", "Köln", "NW", "50667", "eur"), ("FR", "Besançon", nil, "25000", "eur"),
    ("US", "Tacoma", "WA", "98402", "usd"), ("US", "Portland", "OR", "97204", "usd"),
    ("GB", "Leeds", nil, "LS1 4AP", "gbp"),
    ("PL", "Łódź", nil, "90-001", "pln"), ("JP", "大阪市", "大阪府", "530-0001", "jpy"),
    ("GR", "Πάτρα", nil, "262 21", "eur"),
    ("IS", "Ísafjörður", nil, "400", "isk"), ("CZ", "Plzeň", nil, "301 00", "czk"),
  ]
  private static let heads = [
    "Fjord", "Harbor", "Nordlys", "Brygge", "Ångström", "Blåbær", "Granite", "Sølv", "Été", "Müller", "Kestrel", "Żubr",
    "山田", "Ωmega", "Larkspur", "Cedar", "Þór", "Quay", "O'Neill", "Saltvik",
  ]
  private static let middles = [
    "Marine", "Bygg", "Supply", "Design", "Kontor", "Data", "Freight", "& Søn", "Optik", "Timber", "Energi", "Papir",
    "Foods", "Elektro", "Glass",
  ]
  private static let forms = ["AS", "AB", "GmbH", "Ltd", "Inc.", "SARL", "ApS", "Co.", "S.A.", "KK"]
  private static let towns = ["Nidaros", "Vestmark", "Kings Hollow", "Östby", "Pierce", "Lundgård", "Saint-Éloi"]
  private static let offices = ["Kommune", "County", "Port Authority", "Water Board", "Ministry of Works"]
  private static let causes = ["Redningsselskap", "Food Bank", "Kunstforening", "Animal Shelter", "Choir Society"]
  private static let given = [
    "Zoë", "Åse", "Jürgen", "Siân", "太郎", "Ingrid", "Noël", "Maria", "Łukasz", "Eleni", "Ólafur",
  ]
  private static let family = ["Åström", "Delgado", "Bjørnsen", "O'Hara", "山田", "Müller", "Nowak", "Παππάς", "Lefèvre"]
  private static let streets = [
    "Dock Street", "Søndre gate", "Rue de l'Église", "Hauptstraße", "Kongens vei", "Quay Road",
  ]

  /// The body that creates customer number `index` (from 0). Numbers and tax ids are unique.
  mutating func body(_ index: Int) -> JSONObject {
    let place = generator.pick(Self.places)
    let head = generator.pick(Self.heads)
    let type = ["company", "company", "company", "government", "non_profit", "person"][index % 6]
    let name: String =
      switch type {
      case "government": "\(generator.pick(Self.towns)) \(generator.pick(Self.offices))"
      case "non_profit": "\(generator.pick(Self.towns)) \(generator.pick(Self.causes))"
      case "person": "\(generator.pick(Self.given)) \(generator.pick(Self.family))"
      default: "\(head) \(generator.pick(Self.middles)) \(generator.pick(Self.forms))"
      }
    let serial = String(index + 1)
    let padded = String(repeating: "0", count: max(0, 4 - serial.count)) + serial
    var body: JSONObject = JSONObject([
      (key: "name", value: .string(name)), (key: "number", value: .string("CUST-" + padded)),
      (key: "type", value: .string(type)), (key: "email", value: .string("billing\(serial)@customer.example")),
      (key: "country", value: .string(place.country)), (key: "city", value: .string(place.city)),
      (key: "postal_code", value: .string(place.code)), (key: "currency", value: .string(place.currency)),
      (key: "address1", value: .string("\(generator.pick(Self.streets)) \(generator.number(in: 1...240))")),
      (key: "active", value: .bool(!generator.chance(0.03))),
    ])
    if let state = place.state { body["state"] = .string(state) }
    if type != "person" { body["tax_id"] = .string("\(place.country)\(900_000_000 + index)") }
    if generator.chance(0.2) { body["address2"] = .string("Suite \(generator.number(in: 1...90))") }
    if generator.chance(0.6) { body["phone"] = .string("+47 5\(generator.number(in: 1_000_000...9_999_999))") }
    if generator.chance(0.7) { body["payment_terms"] = .string(generator.pick(["NET 14", "NET 30", "NET 45"])) }
    if generator.chance(0.5) { body["language"] = .string(place.country == "NO" ? "nb" : "en") }
    if generator.chance(0.4) {
      let cents = generator.pick(["", ".5", ".25", ".99"])
      let limit = try? JSONValue(parsing: "\(generator.number(in: 1...90) * 1000)\(cents)")
      body["credit_limit"] = limit
    }
    if generator.chance(0.2) { body["attention_to"] = "Accounts Payable / AP" }
    if generator.chance(0.3) { body["metadata"] = ["segment": .string(generator.pick(["gold", "silver", "pnw"]))] }
    return body
  }
}

extension InvoicedState {
  mutating func fill(_ count: Int, now: Int64) {
    var samples = SampleCustomers(generator: generator.stream(20))
    let write = Write(caller: .member, isSilent: true, now: now, stamp: stamp(now))
    for index in 0..<count {
      do throws(Refusal) { _ = try createCustomer(samples.body(index), write) } catch {
        assertionFailure("a sample customer was refused: \(error.message)")
      }
    }
    nextNumber = max(nextNumber, count + 1)
  }
}
