import ArgumentParser
import Glibc
import JSON
import Mapping
import Sandbox

struct Demo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the service at work between two simulated systems.",
    discussion: """
      Starts a simulated Invoiced, a simulated PMS and the service in this process, on free loopback ports and with a \
      temporary store; edits customers on both sides, measures how soon the other side has each edit, and compares both \
      sides at the end. Takes a few seconds, needs no configuration, and leaves nothing behind. Exits 0 only when both \
      sides agree, else 1.

      EXAMPLE
        customer-sync demo
        customer-sync demo --keep
      """)

  @Flag(help: "Leave everything running, and print what to try, until Ctrl-C.")
  var keep = false

  func run() async throws {
    let signals = try Signals([SIGINT, SIGTERM])
    let stage: DemoStage
    do { stage = try await DemoStage.open() } catch {
      Console.message("error: \(error)")
      throw ExitCode.failure
    }
    let telling = Task { () async throws -> [String] in
      var story = DemoStory(stage)
      try await story.tell()
      return story.failures
    }
    let interruption = Task {
      for await _ in signals.stream {
        telling.cancel()
        signals.exitOnNext()
        return
      }
    }
    let outcome = await telling.result
    let isInterrupted = telling.isCancelled
    if keep, !isInterrupted, case .success = outcome {
      Console.print(Self.whatToTry(stage))
      await interruption.value
    }
    await stage.close()
    interruption.cancel()
    if isInterrupted {
      // Also where the story was over before it came to look.
      Console.message("interrupted; everything temporary is removed")
      throw ExitCode(130)
    }
    switch outcome {
    case .success(let failures):
      if !failures.isEmpty { throw ExitCode.failure }
    case .failure(let error):
      Console.message("error: \(error)")
      throw ExitCode.failure
    }
  }

  private static func whatToTry(_ stage: DemoStage) -> String {
    let (invoiced, pms) = (stage.sandbox.invoiced.url, stage.sandbox.pms.url)
    let link = stage.records(.invoiced).lazy.compactMap { record -> (String, String)? in
      guard let id = record["id"]?.identifier, let partner = record["metadata"]?["pms_id"]?.identifier else {
        return nil
      }
      return (id, partner)
    }.first
    let (id, partner) = link ?? ("ID", "ID")
    return """

      Everything is still running. To try in another terminal:

        service    \(stage.publicURL)/readyz
        operator   \(stage.adminURL)/admin/v1/status

        # edit a customer in Invoiced, and read it in the PMS
        curl -u sandbox-key: -X PATCH -H 'Content-Type: application/json' \\
          -d '{"name": "Fjord Marine Group AS"}' \(invoiced)/customers/\(id)
        curl -H 'Authorization: Bearer sandbox-token' \(pms)/customers/\(partner)

        # the other way round
        curl -H 'Authorization: Bearer sandbox-token' -X PATCH -H 'Content-Type: application/json' \\
          -d '{"address": {"city": "Harstad"}}' \(pms)/customers/\(partner)
        curl -u sandbox-key: \(invoiced)/customers/\(id)

        # what was decided, and why
        curl '\(stage.adminURL)/admin/v1/history?record=\(id)'

        # how often each side was written to
        curl \(invoiced)/_sandbox/stats
        curl \(pms)/_sandbox/stats

      The service's configuration is \(stage.configurationFile). Ctrl-C ends it all and removes it.
      """
  }
}
