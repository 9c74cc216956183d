import Connectors
import Documents
import JSON
import Mapping
import Signatures

/// Reads `invoiced` and `pms`.
struct SideReader {
  let directory: String
  /// The files that it names are read too.
  let looksIntoFiles: Bool
  let problems: ProblemList

  func invoiced(_ keys: KeyedReader) -> InvoicedConfiguration? {
    let url = keys.url("url", "https://api.invoiced.com", advice: "write 'url: https://api.invoiced.com'")
    let apiKey = keys.secret("api_key", advice: "write 'api_key: ${INVOICED_API_KEY}'")
    let webhook = keys.section("webhook")
    let secrets = webhook?.secrets("secrets", advice: "write 'secrets: [\"${INVOICED_WEBHOOK_SECRET}\"]'") ?? []
    let allowFrom = webhook?.addresses("allow_from") ?? AddressList()
    webhook?.finish()
    let timeout = keys.duration("timeout", .seconds(30))
    let ca = keys.certificates("ca", in: directory, looksInside: looksIntoFiles)
    let concurrency = keys.integer("concurrency", least: 1) ?? 4
    let rate = keys.rate("rate")
    keys.finish()
    guard let url, let apiKey else { return nil }
    return InvoicedConfiguration(
      url: url, apiKey: apiKey, webhookSecrets: secrets, allowFrom: allowFrom, timeout: timeout, ca: ca,
      concurrency: concurrency, rate: rate)
  }

  func pms(_ keys: KeyedReader) -> PMSConfiguration? {
    let url = keys.url("url", advice: "write 'url: https://pms.example.com/api/v1'")
    let auth = keys.optional("auth") == nil ? PMSAuthentication.none : keys.section("auth").flatMap(auth)
    let timeout = keys.duration("timeout", .seconds(30))
    let ca = keys.certificates("ca", in: directory, looksInside: looksIntoFiles)
    let concurrency = keys.integer("concurrency", least: 1) ?? 8
    let rate = keys.rate("rate")
    let callback = keys.section("callback").flatMap { CallbackReader(problems: problems).callback($0) }
    let entity = keys.section("entities").map { EntityReader(problems: problems).entity(among: $0) }
    keys.finish()
    guard let url, let auth, let callback, let entity else { return nil }
    return PMSConfiguration(
      url: url, auth: auth, timeout: timeout, ca: ca, concurrency: concurrency, rate: rate, callback: callback,
      entityName: entity.name, entity: entity.entity)
  }

  private enum AuthType: String, CaseIterable { case bearer, basic, header, oauth2, none }

  private func auth(_ keys: KeyedReader) -> PMSAuthentication? {
    guard keys.required("type", advice: "write 'auth: { type: bearer, token: \"${PMS_TOKEN}\" }'") != nil,
      let type = keys.choice("type", AuthType.self)
    else { return nil }
    defer { keys.finish() }
    switch type {
    case .none: return PMSAuthentication.none
    case .bearer:
      return keys.secret("token", advice: "write 'token: ${PMS_TOKEN}'").map { .bearer(token: $0) }
    case .basic:
      let user = word(keys, "user", advice: "write 'user: NAME'")
      let password = keys.secret("password", advice: "write 'password: ${PMS_PASSWORD}'")
      guard let user, let password else { return nil }
      guard !user.contains(":") else {
        problems.error(
          at: keys.position(of: "user"), "pms.auth: 'user' holds a colon, which ends a user's name (RFC 7617)",
          advice: "write the name alone, and the password under its own key")
        return nil
      }
      return .basic(user: user, password: password)
    case .header:
      let name = keys.required("name", advice: "write 'name: X-Api-Key'").flatMap { _ in keys.headerName("name", nil) }
      let value = keys.secret("value", advice: "write 'value: ${PMS_KEY}'")
      guard let name, let value else { return nil }
      return .header(name: name, value: value)
    case .oauth2:
      let tokenURL = keys.url("token_url", advice: "write 'token_url: https://pms.example.com/oauth/token'")
      let clientID = word(keys, "client_id", advice: "write 'client_id: ID'")
      let clientSecret = keys.secret("client_secret", advice: "write 'client_secret: ${PMS_CLIENT_SECRET}'")
      let scope = keys.text("scope")
      guard let tokenURL, let clientID, let clientSecret else { return nil }
      return .oauth2(tokenURL: tokenURL, clientID: clientID, clientSecret: clientSecret, scope: scope)
    }
  }

  private func word(_ keys: KeyedReader, _ key: String, advice: String) -> String? {
    keys.required(key, advice: advice).flatMap { keys.text(of: $0, key: key) }
  }
}
