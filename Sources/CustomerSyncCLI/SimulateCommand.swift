import ArgumentParser
import Documents
import Foundation
import Glibc
import Mapping
import Service
import Simulation

struct Simulate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Run the engine with your mapping through random bad days, and see whether it converges.",
    discussion: """
      Both systems are simulated, in this process and on virtual time: edits on both sides at once, lost and doubled \
      webhooks, timeouts, outages, crashes of the service. Nothing is asked of a real system, and nothing is stored. \
      Each day comes from a seed; one that fails is made as short as it can be, and printed. Exits with 1 then.

      EXAMPLE
        customer-sync simulate --mapping mapping.yaml --seeds 1000
        customer-sync simulate --mapping mapping.yaml --seed 17
      """)

  @Option(
    help: ArgumentHelp(
      "The mapping. (default: that of --config, else the one that is shipped)", valueName: "file"))
  var mapping: String?

  @Option(
    help: ArgumentHelp(
      "A configuration whose mapping is taken. (default: customer-sync.yaml, if there is one)",
      valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("How many days (default: 200).", valueName: "n"))
  var seeds: Int?

  @Option(help: ArgumentHelp("The first day's seed (default: 1); without --seeds, that day alone.", valueName: "n"))
  var seed: UInt64?

  func validate() throws {
    if mapping != nil, config != nil { throw ValidationError("Give one of --mapping FILE and --config FILE.") }
    if let seeds, seeds < 1 { throw ValidationError("--seeds: at least 1.") }
    if let seed, seed > UInt64(Int.max) { throw ValidationError("--seed: at most \(Int.max).") }
  }

  func run() async throws {
    let own = try ownMapping()
    let chosen = try own ?? shippedMapping()
    let simulator = try CommandFailure.reporting { () throws(SimulationError) in
      try Simulator(mapping: chosen, variesPolicies: own == nil)
    }
    let (first, count) = (seed ?? 1, seeds ?? (seed == nil ? 200 : 1))
    let progress = SimulationProgress(total: count)
    let start = ContinuousClock.now
    let campaign = await Campaign(simulator).run(from: first, count: count) { progress.finished($0) }
    progress.clear()
    let took = start.duration(to: .now)
    if let failure = campaign.failure {
      let given = mapping.map { "--mapping \($0) " } ?? config.map { "--config \($0) " } ?? ""
      Console.write(failure.report(again: "customer-sync simulate \(given)--seed \(failure.seed)"))
      Console.message(campaign.summary(took))
      throw ExitCode.failure
    }
    Console.print(campaign.summary(took))
  }

  /// The user's mapping; nil where there is none. Prints problems and exits with 78 where it can't be used.
  private func ownMapping() throws -> Mapping? {
    var path = mapping
    if path == nil {
      guard config != nil || Files.exist(ConfigurationOptions.standardFile) else { return nil }
      var options = ConfigurationOptions()
      options.config = config ?? ConfigurationOptions.standardFile
      let (configuration, problems) = options.loadConfiguration()
      for problem in problems { Console.message(problem.description) }
      path = configuration?.mapping
    }
    guard let path else { throw ExitCode.misconfigured }
    let (read, problems) = MappingLoader.load(path)
    for problem in problems { Console.message(problem.description) }
    guard let read else { throw ExitCode.misconfigured }
    return read
  }

  private func shippedMapping() throws -> Mapping {
    let text = String(decoding: PackageResources.default_mapping_yaml, as: UTF8.self)
    guard let mapping = MappingDocument.read(text: text, file: "default-mapping.yaml").mapping else {
      throw ExitCode.failure
    }
    return mapping
  }
}

/// How many days are done, on a terminal only.
private struct SimulationProgress: Sendable {
  let total: Int
  private let isShown = isatty(STDERR_FILENO) == 1

  init(total: Int) { self.total = total }

  func finished(_ count: Int) {
    guard isShown, count % 20 == 0 || count == total else { return }
    Console.progress("\r\(count) of \(total) days\u{1B}[K")
  }

  func clear() { if isShown { Console.progress("\r\u{1B}[K") } }
}
