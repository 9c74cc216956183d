import ArgumentParser
import Glibc
import HTTP
import JSON
import Signatures

struct Sign: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Print the headers that sign a body.",
    discussion: """
      Signs the bytes of FILE, or of standard input, exactly as they are: a newline at the end counts.

      EXAMPLE
        customer-sync sign --scheme invoiced --secret "$SECRET" event.json
        customer-sync sign --scheme hmac --secret "$SECRET" --prefix '' \\
          --signed '{timestamp}.{body}' event.json
        customer-sync sign --scheme standard-webhooks --secret "$SECRET" event.json \\
          > headers
        curl -H @headers -H 'Content-Type: application/json' \\
          --data-binary @event.json http://127.0.0.1:8080/callbacks/pms
      """)

  enum Scheme: String, ExpressibleByArgument, CaseIterable {
    case invoiced
    case standardWebhooks = "standard-webhooks"
    case hmac
  }

  @Option(help: ArgumentHelp("How the sender signs.", valueName: "scheme"))
  var scheme: Scheme

  @Option(help: ArgumentHelp("The shared secret, as the sender's settings show it.", valueName: "secret"))
  var secret: String

  @Option(help: ArgumentHelp("The event's id; made up unless given.", valueName: "id"))
  var id: String?

  @Option(help: ArgumentHelp("When it is signed, in UNIX seconds; now unless given.", valueName: "seconds"))
  var timestamp: Int64?

  @Option(help: ArgumentHelp("hmac: the header of the signature. (default: X-Signature)", valueName: "name"))
  var header: String?

  @Option(help: ArgumentHelp("hmac: sha1, sha256, sha384 or sha512. (default: sha256)", valueName: "algorithm"))
  var algorithm: HMACScheme.Algorithm?

  @Option(help: ArgumentHelp("hmac: hex, base64 or base64url. (default: hex)", valueName: "encoding"))
  var encoding: HMACScheme.Encoding?

  @Option(
    help: ArgumentHelp("hmac: what stands before the signature. (default: sha256=)", valueName: "text"))
  var prefix: String?

  @Option(
    help: ArgumentHelp("hmac: what is signed, of {body}, {timestamp} and {id}. (default: {body})", valueName: "form"))
  var signed: String?

  @Option(
    help: ArgumentHelp(
      "hmac: the header of the timestamp. (default: X-Timestamp, where it is signed)", valueName: "name"))
  var timestampHeader: String?

  @Option(
    help: ArgumentHelp("hmac: the header of the id. (default: webhook-id, where it is signed)", valueName: "name"))
  var idHeader: String?

  @Argument(help: ArgumentHelp("The body; standard input unless given.", valueName: "file"))
  var file: String?

  func validate() throws {
    let ofHMAC = [
      ("--header", header), ("--algorithm", algorithm?.rawValue), ("--encoding", encoding?.rawValue),
      ("--prefix", prefix), ("--signed", signed), ("--timestamp-header", timestampHeader), ("--id-header", idHeader),
    ]
    if scheme != .hmac, let option = ofHMAC.first(where: { $0.1 != nil }) {
      throw ValidationError("\(option.0) goes with --scheme hmac only: \(scheme.rawValue) says how it signs.")
    }
    if let timestamp, timestamp < 0 { throw ValidationError("--timestamp takes UNIX seconds, from 0.") }
    for text in [id, header, prefix, timestampHeader, idHeader].compactMap({ $0 })
    where text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
      throw ValidationError("a header can't hold control characters: \(text.debugDescription)")
    }
    for (option, name) in [
      ("--header", header), ("--timestamp-header", timestampHeader), ("--id-header", idHeader),
    ] {
      guard let name, !HTTPHeaders.isName(name) else { continue }
      throw ValidationError("\(option) takes a header's name, such as X-Signature; '\(name)' is none.")
    }
    if id == "" { throw ValidationError("--id is empty: give the event's id, or leave it out.") }
    do throws(SignatureError) {
      _ = try SignatureVerifier(scheme: signatureScheme, secrets: [Secret(secret)], tolerance: .seconds(1))
    } catch {
      throw ValidationError("\(error).")
    }
  }

  func run() throws {
    let body = try CommandFailure.reporting { () throws(FileFailure) in try Files.bytes(of: file) }
    let headers: [(name: String, value: String)]
    do throws(SignatureError) {
      headers = try signatureHeaders(
        scheme: signatureScheme, secret: Secret(secret), id: id ?? Self.madeUpID(),
        timestamp: timestamp ?? Int64(time(nil)), body: body)
    } catch {
      throw ValidationError("\(error).")
    }
    for header in headers { Console.print("\(header.name): \(header.value)") }
  }

  private var signatureScheme: SignatureScheme {
    switch scheme {
    case .invoiced: return .invoiced
    case .standardWebhooks: return .standardWebhooks
    case .hmac:
      var format = HMACScheme()
      if let header { format.header = header }
      if let algorithm { format.algorithm = algorithm }
      if let encoding { format.encoding = encoding }
      if let prefix { format.prefix = prefix }
      if let signed { format.signed = signed }
      format.timestampHeader = timestampHeader ?? (format.signed.contains("{timestamp}") ? "X-Timestamp" : nil)
      format.idHeader = idHeader ?? (format.signed.contains("{id}") ? "webhook-id" : nil)
      return .hmac(format)
    }
  }

  private static func madeUpID() -> String {
    let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
    return "evt_" + String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension HMACScheme.Algorithm: ExpressibleByArgument {}
extension HMACScheme.Encoding: ExpressibleByArgument {}
