import JSON
import Mapping

/// What Invoiced's documented limits refuse (reference/invoiced-api.md section 2). Lengths count UTF-8 bytes.
public enum InvoicedLimits {
  static let metadataKeys = 10
  private static let metadataKeyBytes = 40
  private static let metadataValueBytes = 255

  /// A body with one of these is answered 400, or the value is read in another form than it is written in.
  static let readOnly: Set<String> = [
    "id", "object", "created_at", "updated_at", "client_id", "client_id_exp", "credit_balance", "statement_url",
    "statement_pdf_url", "sign_up_url",
  ]

  private static let mostBytes: [String: Int] = [
    "name": 255, "number": 32, "email": 255, "attention_to": 255, "address1": 1000, "address2": 255, "city": 255,
    "state": 255, "postal_code": 255, "phone": 255, "tax_id": 255, "payment_terms": 255,
    "avalara_entity_use_code": 255, "avalara_exemption_number": 255,
  ]

  /// Null, or an empty text, is an error there.
  private static let neverEmpty: Set<String> = [
    "name", "number", "type", "active", "taxable", "autopay", "bill_to_parent", "consolidated", "chase", "credit_hold",
    "convenience_fee", "surcharging",
  ]

  private static let types: Set<String> = ["company", "person", "government", "non_profit"]

  /// What of these values, as they would be sent, Invoiced is known to refuse.
  public static func misfits(in changes: [Assignment]) -> [Misfit] {
    var misfits: [Misfit] = []
    var keys: Set<String> = []
    for change in changes {
      guard case .key(let key)? = change.path.components.first else { continue }
      if key == "metadata" {
        misfits += metadataMisfits(change, counting: &keys)
      } else if let problem = problem(key, change) {
        misfits.append(misfit(change.path, change.value, problem))
      }
    }
    if keys.count > metadataKeys {
      misfits.append(
        Misfit(
          side: .invoiced, property: JSONPath([.key("metadata")]), value: "\(keys.count) keys",
          reason: "is more than the \(metadataKeys) keys that Invoiced takes",
          nextStep: "map fewer properties to metadata"))
    }
    return misfits
  }

  private typealias Problem = (reason: String, nextStep: String)

  private static func problem(_ key: String, _ change: Assignment) -> Problem? {
    if readOnly.contains(key) {
      return ("is read-only on Invoiced", "give the row the direction to_pms, or take it out")
    }
    guard change.path.components.count == 1 else { return nil }
    guard !change.value.isNull, change.value != "" else {
      return neverEmpty.contains(key)
        ? ("is empty, which Invoiced refuses", "fill it in on the PMS, or give the row a default") : nil
    }
    guard let text = change.value.identifier else { return nil }
    if let most = mostBytes[key], text.utf8.count > most { return tooLong(text, most) }
    return form(key, text)
  }

  private static func tooLong(_ text: String, _ most: Int) -> Problem {
    ("has \(text.utf8.count) bytes, and Invoiced takes \(most)", "shorten it on the PMS")
  }

  /// What a text must look like.
  private static func form(_ key: String, _ text: String) -> Problem? {
    switch key {
    case "language" where text.utf8.count != 2:
      ("is no language of two letters", "write it like 'en', or map it with 'values'")
    case "country" where !isLetters(text, 2):
      ("is no ISO 3166-1 alpha-2 code", "write it like 'NO', or convert it with 'country'")
    case "currency" where !isLetters(text, 3): ("is no ISO 4217 code", "write it like 'eur'")
    case "type" where !types.contains(text):
      ("is no type of customer on Invoiced", "use company, person, government or non_profit, or map it with 'values'")
    case "email" where !isAddress(text): ("is no e-mail address", "correct it on the PMS")
    default: nil
    }
  }

  private static func isLetters(_ text: String, _ count: Int) -> Bool {
    text.utf8.count == count && text.utf8.allSatisfy { 0x41...0x5A ~= $0 & 0xDF }
  }

  /// One address; what no mail system takes is left to Invoiced.
  private static func isAddress(_ text: String) -> Bool {
    let parts = text.trimmed.split(separator: "@", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        !part.isEmpty
          && part.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && !",;<>".unicodeScalars.contains($0) }
      }
  }

  private static func metadataMisfits(_ change: Assignment, counting keys: inout Set<String>) -> [Misfit] {
    var entries: [(key: String, value: JSONValue)] = []
    switch (change.path.components.count, change.path.components.last) {
    case (1, _): entries = change.value.object?.members ?? []
    case (2, .key(let key)?): entries = [(key, change.value)]
    default:
      return [misfit(change.path, change.value, ("lies below a metadata key", "map it to a key of its own"))]
    }
    var misfits: [Misfit] = []
    for (key, value) in entries where !value.isNull && value != "" {
      keys.insert(key)
      let bytes = (value.string ?? value.text).utf8.count
      if bytes > metadataValueBytes {
        let problem = (
          "has \(bytes) bytes, and Invoiced's metadata takes \(metadataValueBytes)", "shorten it on the PMS"
        )
        misfits.append(misfit(change.path, value, problem))
      }
      if key.utf8.count > metadataKeyBytes || key.isEmpty {
        let problem = ("has a key of \(key.utf8.count) bytes, and Invoiced takes 1 to \(metadataKeyBytes)", "rename it")
        misfits.append(misfit(change.path, value, problem))
      }
    }
    return misfits
  }

  private static func misfit(_ path: JSONPath, _ value: JSONValue, _ problem: Problem) -> Misfit {
    let text = value.text
    return Misfit(
      side: .invoiced, property: path, value: text.count > 60 ? text.prefix(59) + "\u{2026}" : text,
      reason: problem.reason, nextStep: problem.nextStep)
  }
}
