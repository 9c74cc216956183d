import ArgumentParser

struct OpenAPI: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "openapi",
    abstract: "Print the openapi.yaml that this build serves.",
    discussion: """
      EXAMPLE
        customer-sync openapi > openapi.yaml
      """)

  func run() throws {
    Console.write(String(decoding: PackageResources.openapi_yaml, as: UTF8.self))
  }
}
