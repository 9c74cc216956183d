import ArgumentParser
import JSON

struct ReconcileCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reconcile", abstract: "Look now for what no webhook or callback told, on both sides.",
    discussion: """
      One pass of what the service does on a schedule: what changed since the last pass, or with --full all records, \
      also those that are missing. What isn't in order is put in order by the same rules as any event. While `serve` \
      runs, it does the work; else this command does it, and ends when nothing is left to do. Exits with 1 when a side \
      could not be walked to its end; the next pass goes on from there.

      EXAMPLE
        customer-sync reconcile
        customer-sync reconcile --full --json
      """)
  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var output: OutputOptions
  @Flag(help: "All records, in place of those changed since the last pass.") var full = false

  func run() async throws {
    try await WalkFollower.run(
      options, output, purpose: "reconcile", path: "reconcile", body: ["full": .bool(full)])
  }
}

struct BackfillCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backfill", abstract: "Match, link and sync all records that exist on both sides.",
    discussion: """
      Walks every record of both sides. A backfill that is interrupted goes on from there when it is run again. \
      With --dry-run nothing is written, neither to a side nor to the store: it prints what a backfill would create, \
      link, update and park, and exits with 2 when that is anything.

      EXAMPLE
        customer-sync backfill --dry-run
        customer-sync backfill --flow companies
      """)
  @OptionGroup var options: ConfigurationOptions
  @OptionGroup var output: OutputOptions
  @Option(help: "Only this flow's records.") var flow: String?
  @Flag(help: "Print what would be done, and write nothing.") var dryRun = false

  func run() async throws {
    if dryRun { return try await DryRun.run(options, output, flow: flow) }
    try await WalkFollower.run(
      options, output, purpose: "backfill", path: "backfill", body: ["flow": flow.map { .string($0) } ?? .null])
  }
}
