import EventLoop
import Foundation
import HTTP
import HTTPClient
import HTTPServer
import JSON
import Sandbox
import Testing

@Suite("TLS", .serialized)
struct TLSTests {
  private let certificates: Certificates

  init() throws {
    certificates = try Certificates()
    try certificates.sign("first", for: "DNS:localhost,IP:127.0.0.1")
    try certificates.sign("second", for: "DNS:localhost,IP:127.0.0.1")
    try certificates.sign("elsewhere", for: "DNS:elsewhere.example")
    try certificates.sign("caller", for: "DNS:caller")
  }

  /// `curl` against the public listener: the status it got, 0 for none, and what it said.
  private func curl(
    _ installation: Installation, _ path: String = "/healthz", _ arguments: [String] = []
  ) async throws -> (status: Int, messages: String) {
    let run = try Program.Run(
      ["--noproxy", "*", "-sS", "-v", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", certificates.ca] + arguments
        + ["https://127.0.0.1:\(installation.publicPort)\(path)"],
      in: installation.folder.url, executable: "/usr/bin/curl")
    _ = try await run.exitCode()
    return (Int(run.standardOutput) ?? 0, run.standardError)
  }

  /// `serve` under TLS, up when its admin listener answers.
  private func serve(_ installation: Installation, tls: String) async throws -> Program.Run {
    try installation.folder.write(installation.configuration(extra: "tls: \(tls)"), "customer-sync.yaml")
    let run = try installation.launch()
    guard
      try await eventually({ run.standardError.contains(" ready ") || !run.isRunning }), run.isRunning
    else { throw EndToEndError("serve did not start: \(run.standardError)") }
    return run
  }

  @Test("callers are served under TLS 1.2 and 1.3, and not under 1.1 or in plain")
  func versions() async throws {
    let installation = try await Installation()
    let run = try await serve(
      installation, tls: "{ certificate: \(certificates.path("first.pem")), key: \(certificates.path("first.key")) }")
    for version in ["1.2", "1.3"] {
      let answer = try await curl(installation, "/healthz", ["--tlsv\(version)", "--tls-max", version])
      #expect(answer.status == 200, "TLS \(version): \(answer.messages)")
    }
    let old = try await curl(
      installation, "/healthz", ["--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"])
    #expect(old.status == 0, "\(old.messages)")
    #expect(old.messages.contains("protocol version"), "the server refuses it: \(old.messages)")
    let plain = try? await installation.get("http://127.0.0.1:\(installation.publicPort)/healthz")
    #expect(plain == nil)
    let ready = try await curl(installation, "/readyz")
    #expect(ready.status == 200)
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("with client_ca only callers with its certificate are let in")
  func mutual() async throws {
    let installation = try await Installation()
    let other = try Certificates()
    try other.sign("stranger", for: "DNS:caller")
    let run = try await serve(
      installation,
      tls: "{ certificate: \(certificates.path("first.pem")), key: \(certificates.path("first.key")), "
        + "client_ca: \(certificates.ca) }")
    let none = try await curl(installation)
    #expect(none.status == 0, "\(none.messages)")
    let stranger = try await curl(
      installation, "/healthz", ["--cert", other.path("stranger.pem"), "--key", other.path("stranger.key")])
    #expect(stranger.status == 0, "\(stranger.messages)")
    let known = try await curl(
      installation, "/healthz", ["--cert", certificates.path("caller.pem"), "--key", certificates.path("caller.key")])
    #expect(known.status == 200, "\(known.messages)")
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("SIGHUP swaps the certificate, and keeps the old one where the new is broken")
  func swap() async throws {
    let installation = try await Installation()
    try certificates.copy("first", over: "current")
    let run = try await serve(
      installation,
      tls: "{ certificate: \(certificates.path("current.pem")), key: \(certificates.path("current.key")) }")
    let first = try await curl(installation)
    #expect(first.messages.contains("CN=first"), "\(first.messages)")

    try certificates.folder.write("no certificate\n", "current.pem")
    run.signal(SIGHUP)
    #expect(try await eventually { run.standardError.contains("the old configuration stays in force") })
    #expect(run.standardError.contains("current.pem"), "\(run.standardError)")
    #expect(try await curl(installation).messages.contains("CN=first"))

    try certificates.copy("second", over: "current")
    run.signal(SIGHUP)
    #expect(try await eventually { run.standardError.contains("read anew") })
    #expect(try await curl(installation).messages.contains("CN=second"))
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    await installation.close()
  }

  @Test("a key that isn't the certificate's keeps it from starting, and is named")
  func wrongKey() async throws {
    let installation = try await Installation()
    let tls = "{ certificate: \(certificates.path("first.pem")), key: \(certificates.path("second.key")) }"
    try installation.folder.write(installation.configuration(extra: "tls: \(tls)"), "customer-sync.yaml")
    let run = try installation.launch()
    let code = try await run.exitCode()
    #expect(code == 1 || code == 78)
    #expect(run.standardError.contains("second.key"), "\(run.standardError)")
    await installation.close()
  }

  @Test("a side under TLS is believed by its ca, and by nothing else; why not is told")
  func trust() async throws {
    let installation = try await Installation()
    let loop = try EventLoop()
    let front = try TLSFront(
      installation, certificate: certificates.path("first.pem"), key: certificates.path("first.key"), loop: loop)
    let stranger = try TLSFront(
      installation, certificate: certificates.path("elsewhere.pem"), key: certificates.path("elsewhere.key"),
      loop: loop)
    func write(_ url: String, ca: String?) throws {
      let text = installation.configuration().replacing(
        "url: \(installation.sandbox.pms.url)", with: "url: \(url)" + (ca.map { "\n  ca: \($0)" } ?? ""))
      try installation.folder.write(text, "customer-sync.yaml")
    }
    try write(front.url, ca: certificates.ca)
    let run = try await installation.serve()
    try installation.sandbox.invoiced.create(["name": "Trusted AS", "number": "T-1", "type": "company"])
    #expect(try await eventually { installation.sandbox.pms.system.customers.count == 1 })

    for (url, ca, number) in [(front.url, nil, 2), (stranger.url, certificates.ca, 3)] {
      try write(url, ca: ca)
      let before = run.standardError.components(separatedBy: "read anew").count
      run.signal(SIGHUP)
      #expect(try await eventually { run.standardError.components(separatedBy: "read anew").count > before })
      try installation.sandbox.invoiced.create(
        ["name": .string("Trusted \(number)"), "number": .string("T-\(number)"), "type": "company"])
      let isTold = try await eventually {
        let events = try await installation.admin("events")["items"]?.array ?? []
        return events.contains { $0["reason"]?.string?.lowercased().contains("certificate") ?? false }
      }
      let events = try await installation.admin("events")
      #expect(isTold, "\(url): \(events.pretty)")
    }
    #expect(installation.sandbox.pms.system.customers.count == 1)

    try write(front.url, ca: certificates.path("ca.key"))
    run.signal(SIGHUP)
    #expect(try await eventually { run.standardError.contains("no certificates can be read from") })
    #expect(run.standardError.contains("the old configuration stays in force"))

    try write(front.url, ca: certificates.ca)
    run.signal(SIGHUP)
    #expect(
      try await eventually { installation.sandbox.pms.system.customers.count == 3 }, "what waited goes by itself")
    run.signal(SIGTERM)
    #expect(try await run.exitCode() == 0)
    stranger.server.close()
    front.server.close()
    await installation.close()
    loop.stop()
  }
}

/// The simulated PMS behind TLS.
private struct TLSFront {
  let server: HTTPServer
  var url: String { "https://127.0.0.1:\(server.port)" }

  init(_ installation: Installation, certificate: String, key: String, loop: EventLoop) throws {
    let (client, behind) = (installation.client, installation.sandbox.pms.url)
    server = try HTTPServer(
      configuration: HTTPServerConfiguration(
        address: ListenAddress(host: "127.0.0.1", port: 0),
        tls: TLSConfiguration(certificate: certificate, key: key)),
      loop: loop,
      asyncHandler: { request in
        var request = request
        request.target = behind + request.target
        for name in ["Host", "Content-Length", "Connection"] { request.headers[name] = nil }
        return (try? await client.send(request)) ?? HTTPResponse(status: 502)
      })
  }
}
