import HTTP
import JSON
import Sandbox
import Testing

/// Linked customers, and what people delete on either side.
struct DeleteScene {
  let bench: AdminBench
  /// Soon enough for a test, late enough to be told apart.
  static let settings = """
    retry: { first: 20ms, most: 100ms }
    breaker: { probe: 100ms }

    """
  static let archive = "    archive: { invoiced: { active: false }, pms: { archived: true } }\n"

  static func policy(_ policy: String) -> String {
    "    delete: { invoiced_deleted: \(policy), pms_deleted: \(policy) }\n" + archive
  }

  static func with(
    _ flow: String, confirm: String = "200ms", settings: String = "", _ body: (DeleteScene) async throws -> Void
  ) async throws {
    try await AdminBench.with(flow: flow, settings: "confirm: \(confirm)\n" + Self.settings + settings) {
      try await body(DeleteScene(bench: $0))
    }
  }

  /// So many linked pairs, at rest.
  func links(_ count: Int, from first: Int = 1) async throws -> [(invoiced: String, pms: String)] {
    for number in first..<(first + count) {
      try bench.sandbox.invoiced.create([
        "name": .string("N\(number)"), "number": .string("C-\(number)"), "type": "company",
      ])
    }
    let total = first + count - 1
    let links = try await bench.wait {
      let items = try await bench.items("links?state=active&limit=1000")
      return items.count >= min(total, count) ? items : nil
    }
    try await rest()
    return links.suffix(count).map { ($0["invoiced_id"]?.string ?? "", $0["pms_id"]?.string ?? "") }
  }

  /// Waits until nothing is under way any more.
  func rest() async throws {
    _ = try await bench.wait {
      let pending = bench.sandbox.invoiced.system.stats.pending + bench.sandbox.pms.system.stats.pending
      let inbox = try await bench.admin("GET", "status").json["inbox"]?.int64
      return pending == 0 && inbox == 0 ? true : nil
    }
  }

  func delete(_ side: String, _ id: String, silent: Bool = false) throws {
    if side == "pms" {
      try bench.sandbox.pms.delete(id, silent: silent)
    } else {
      try bench.sandbox.invoiced.delete(id, silent: silent)
    }
  }

  func record(_ side: String, _ id: String) -> JSONValue? {
    let all = side == "pms" ? bench.sandbox.pms.system.customers : bench.sandbox.invoiced.system.customers
    return all.first { $0["id"]?.identifier == id }
  }

  var records: (invoiced: Int, pms: Int) {
    (bench.sandbox.invoiced.system.customers.count, bench.sandbox.pms.system.customers.count)
  }

  func link(state: String) async throws -> JSONValue {
    try await bench.wait { try await bench.items("links?state=\(state)").first }
  }
}
