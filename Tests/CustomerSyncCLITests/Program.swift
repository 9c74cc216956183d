import Foundation
import Support
import Testing

/// The built program, run as people run it, in a fresh directory.
struct Program {
  struct Outcome: Equatable, CustomStringConvertible {
    var status: Int32
    var output: String
    var messages: String
    var description: String { "exit \(status)\n--- output\n\(output)--- messages\n\(messages)" }
  }

  let directory: URL

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("customer-sync-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private static var executable: URL {
    if let path = ProcessInfo.processInfo.environment["CUSTOMER_SYNC_BINARY"] { return URL(fileURLWithPath: path) }
    return Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent("customer-sync")
  }

  static func fixture(_ name: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Fixtures").appendingPathComponent(name).path
  }

  func write(_ text: String, to name: String) throws { try write(Array(text.utf8), to: name) }

  func write(_ bytes: [UInt8], to name: String) throws {
    try Data(bytes).write(to: directory.appendingPathComponent(name))
  }

  /// A configuration that reaches nobody, and a mapping beside it.
  func configure(
    mapping: String, invoiced: String = "http://127.0.0.1:1", pms: String = "http://127.0.0.1:1"
  ) throws {
    try write(
      """
      mapping: mapping.yaml
      invoiced: { url: "\(invoiced)", api_key: sandbox-key, webhook: { secrets: [s] }, timeout: 5s }
      pms:
        url: "\(pms)"
        auth: { type: bearer, token: sandbox-token }
        timeout: 5s
        callback: { signature: { scheme: standard-webhooks, secrets: [whsec_c2FuZGJveC1jYWxsYmFjay1zZWNyZXQ=] } }
      """, to: "customer-sync.yaml")
    try write(mapping, to: "mapping.yaml")
  }

  /// - Parameter output: Where standard output goes, if not to a file that the outcome is read from.
  func run(
    _ arguments: [String], input: String = "", output: String? = nil, columns: Int = 100
  ) throws -> Outcome {
    try write(input, to: ".stdin")
    let files = [".stdin", ".stdout", ".stderr"].map { directory.appendingPathComponent($0).path }
    let end = try Child(
      Self.executable.path, arguments, in: directory, environment: ["PATH": "/usr/bin:/bin", "COLUMNS": "\(columns)"],
      input: files[0], output: output ?? files[1], errors: files[2]
    ).wait()
    let status = try #require(end.code, "\(arguments): \(end)")
    return Outcome(
      status: status, output: output == nil ? try text(of: ".stdout") : "", messages: try text(of: ".stderr"))
  }

  func text(of name: String) throws -> String {
    String(decoding: try Data(contentsOf: directory.appendingPathComponent(name)), as: UTF8.self)
  }
}

enum Sample {
  /// A mapping with one of each kind of row.
  static let mapping = """
    flows:
      - name: companies
        title: Invoiced Customers (organisation data) to Custom PMS Customer
        invoiced: { object: customer, where: { type: company } }
        pms: { entity: customer, where: { kind: company } }
        match:
          - { invoiced: number, pms: customer_number }
        reference: { invoiced: metadata.pms_id, pms: invoiced_id }
        properties:
          - { invoiced: name, pms: name, type: string }
          - { invoiced: number, pms: customer_number, type: string }
          - { invoiced: country, pms: address.country, type: string, convert: { country: alpha3 } }
          - { invoiced: payment_terms, pms: payment_days, type: integer, convert: { pattern: "NET {}" } }
          - { invoiced: credit_limit, pms: credit.limit, type: decimal }
          - { invoiced: active, pms: archived, type: boolean, convert: not }
          - { invoiced: metadata.region, pms: region, type: string, direction: to_pms }
          - { invoiced: notes, pms: remarks, type: string, direction: to_invoiced }

    """
}
