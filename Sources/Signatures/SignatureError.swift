/// What is wrong with a signature's configuration. Found when a verifier or signer is made, never by a request.
public enum SignatureError: Error, Equatable, CustomStringConvertible {
  case noSecret
  case emptySecret
  /// A Standard Webhooks secret whose part after `whsec_` is no base64.
  case secretIsNotBase64
  /// `signed` has no `{body}`: the signature would say nothing about what was received.
  case bodyNotSigned(template: String)
  case unknownPlaceholder(String, template: String)
  /// `signed` names `{timestamp}` or `{id}`, and no header is configured to carry it.
  case headerMissing(placeholder: String, template: String)
  case emptyHeaderName
  case negativeTolerance
  case openSSL(String)

  public var description: String {
    switch self {
    case .noSecret: "no secret is given: give at least one under `secrets`"
    case .emptySecret: "a secret is empty: copy the one that the sender signs with"
    case .secretIsNotBase64:
      "a Standard Webhooks secret is not base64: copy it whole, as `whsec_` and what follows"
    case .bodyNotSigned(let template): "`signed: \"\(template)\"` leaves the body unsigned: put {body} into it"
    case .unknownPlaceholder(let name, let template):
      "`signed: \"\(template)\"` has \(name), which is none of {body}, {timestamp} and {id}"
    case .headerMissing(let placeholder, let template):
      "`signed: \"\(template)\"` needs the header that carries \(placeholder): "
        + (placeholder == "{timestamp}" ? "set `timestamp_header`" : "set `event_id: header:NAME`")
    case .emptyHeaderName: "the signature's `header` is empty: name the header that carries it"
    case .negativeTolerance: "`tolerance` is negative: give a duration such as 5m"
    case .openSSL(let cause): "OpenSSL can't compute this signature: \(cause)"
    }
  }
}
