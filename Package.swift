// swift-tools-version: 6.2
import PackageDescription

/// `deploy/test-sabotage` builds rules in that can be broken on purpose.
let sabotage: [SwiftSetting] = Context.environment["SABOTAGE"] == nil ? [] : [.define("SABOTAGE")]

let settings: [SwiftSetting] =
  sabotage + [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
  ]

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// A room of the design: a library target, and the dependencies it may have (an arrow only ever points down).
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
  .testTarget(name: name + "Tests", dependencies: dependencies, resources: resources, swiftSettings: settings)
}

let package = Package(
  name: "customer-sync",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "customer-sync", targets: ["CustomerSyncCLI"])],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
  ],
  targets: [
    .systemLibrary(
      name: "CLibevent", pkgConfig: "libevent_pthreads libevent_openssl", providers: [.apt(["libevent-dev"])]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

    room("SeededRandom"),
    room("JSON"),
    room("HTTP"),
    room("EventLoop", ["CLibevent"]),
    room("Signatures", ["COpenSSL"]),
    room("HTTPServer", ["HTTP", "EventLoop", "CLibevent", "COpenSSL"]),
    room("HTTPClient", ["HTTP", "EventLoop", "CLibevent", "CCurl", "COpenSSL"]),
    room("Mapping", ["JSON"]),
    room("Documents", ["Mapping", "JSON", yams]),
    room("Sync", ["Mapping", "JSON"]),
    room("Store", ["Sync", "Mapping", "JSON", grdb]),
    room("Connectors", ["HTTP", "HTTPClient", "Signatures", "Sync", "Mapping", "JSON"]),
    room(
      "Service",
      [
        "HTTP", "HTTPServer", "HTTPClient", "EventLoop", "Signatures", "Connectors", "Store", "Documents", "Sync",
        "Mapping", "JSON", logging,
      ]),
    room("Sandbox", ["HTTP", "HTTPServer", "HTTPClient", "EventLoop", "Signatures", "JSON", "SeededRandom"]),
    room(
      "Simulation",
      [
        "Service", "Sandbox", "Connectors", "Store", "Sync", "Mapping", "Documents", "HTTP", "HTTPClient", "JSON",
        "SeededRandom", logging,
      ]),
    .executableTarget(
      name: "CustomerSyncCLI",
      dependencies: [
        "Simulation", "Service", "Sandbox", "Connectors", "Store", "Documents", "Sync", "Mapping", "Signatures", "HTTP",
        "HTTPServer",
        "HTTPClient", "EventLoop", "JSON", "SeededRandom", arguments, logging,
      ],
      resources: [.embedInCode("openapi.yaml"), .embedInCode("default-mapping.yaml")], swiftSettings: settings),

    /// What several suites need to run a program beside them.
    .target(name: "Support", dependencies: ["CSpawn"], path: "Tests/Support", swiftSettings: settings),
    .systemLibrary(name: "CSpawn", path: "Tests/CSpawn"),
    tests(
      "Connectors",
      ["Connectors", "Sandbox", "EventLoop", "HTTP", "HTTPClient", "Signatures", "Sync", "Mapping", "JSON"]),
    tests(
      "CustomerSyncCLI",
      ["CustomerSyncCLI", "Sandbox", "EventLoop", "HTTP", "HTTPClient", "JSON", "SeededRandom", "Support"],
      resources: [.copy("Fixtures")]),
    tests("Documents", ["Documents", "Mapping", "JSON", "SeededRandom"], resources: [.copy("Fixtures")]),
    tests(
      "EndToEnd", ["Sandbox", "Signatures", "HTTP", "HTTPClient", "HTTPServer", "EventLoop", "JSON", "Support"]),
    tests("EventLoop", ["EventLoop"]),
    tests("HTTPClient", ["HTTPClient", "HTTPServer", "HTTP", "EventLoop", "COpenSSL", "Support"]),
    tests("HTTPServer", ["HTTPServer", "HTTP", "EventLoop", "COpenSSL", "SeededRandom"]),
    tests("JSON", ["JSON", "SeededRandom"]),
    tests("Mapping", ["Mapping", "JSON", "SeededRandom"]),
    tests(
      "Sandbox",
      [
        "Sandbox", "HTTP", "HTTPClient", "HTTPServer", "EventLoop", "Signatures", "JSON", "SeededRandom", "Support",
      ],
      resources: [.copy("Fixtures")]),
    tests(
      "Service",
      [
        "Service", "Sandbox", "Connectors", "Store", "Documents", "Signatures", "Sync", "Mapping", "HTTP", "HTTPServer",
        "HTTPClient", "EventLoop", "JSON", grdb, logging, "SeededRandom", "Support",
      ]),
    tests("Signatures", ["Signatures"], resources: [.copy("Fixtures")]),
    tests("Simulation", ["Simulation", "Mapping", "Documents", "JSON", "SeededRandom"]),
    tests("Store", ["Store", "Sync", "Mapping", "JSON", grdb, "SeededRandom", "Support"]),
    tests("Sync", ["Sync", "Mapping", "JSON", "SeededRandom"]),
  ]
)
