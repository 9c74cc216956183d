/// The headers that sign a body, in the order to send them: for a sender's side, such as `sign` and the sandboxes.
///
/// - Parameters:
///   - id: The event's id, where the scheme has one.
///   - timestamp: UNIX seconds, where the scheme has one.
public func signatureHeaders(
  scheme: SignatureScheme, secret: Secret, id: String, timestamp: Int64, body: [UInt8]
) throws(SignatureError) -> [(name: String, value: String)] {
  let rule = try SigningRule(scheme)
  let time = String(timestamp)
  let content = rule.content(id: Array(id.utf8), timestamp: Array(time.utf8), body: body)
  guard let signature = try rule.key(of: secret).authenticate(content) else { throw .openSSL("out of memory") }
  var headers: [(name: String, value: String)] = []
  if let name = rule.format.idHeader { headers.append((name, id)) }
  if let name = rule.format.timestampHeader { headers.append((name, time)) }
  headers.append((rule.format.header, rule.encode(signature)))
  return headers
}
