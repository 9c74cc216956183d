import Foundation
import Testing

@Suite("simulate") struct SimulateTests {
  @Test("the same seeds give the same trace in every process")
  func isTheSameAnywhere() throws {
    func trace() throws -> Substring {
      let outcome = try Program().run(["simulate", "--seeds", "4"])
      #expect(outcome.status == 0)
      #expect(outcome.output.hasPrefix("4 seeds converged ("))
      return outcome.output.drop { $0 != ";" }
    }
    #expect(try trace() == trace())
  }

  @Test("a mapping of one's own is tried, and one that can't be used is named")
  func mapping() throws {
    let program = try Program()
    try program.write(
      """
      flows:
        - name: all
          invoiced: { object: customer }
          pms: { entity: customer }
          match: [{ invoiced: number, pms: nr }]
          properties:
            - { invoiced: name, pms: title, type: string }
            - { invoiced: number, pms: nr, type: string }
            - { invoiced: country, pms: land, type: string, convert: { country: alpha3 } }
            - { invoiced: metadata.tier, pms: tier, type: integer, direction: to_pms }
      """, to: "good.yaml")
    try program.write("flows: 7\n", to: "bad.yaml")
    try program.write("flows: []\n", to: "empty.yaml")
    #expect(try program.run(["simulate", "--mapping", "good.yaml", "--seed", "3"]).status == 0)
    #expect(try program.run(["simulate", "--mapping", "bad.yaml"]).status == 78)
    let empty = try program.run(["simulate", "--mapping", "empty.yaml", "--seed", "3"])
    #expect(empty.status == 1 && empty.messages.contains("the mapping has no flows"))
    #expect(try program.run(["simulate", "--seeds", "0"]).status == 64)
    #expect(try program.run(["simulate", "--seed", "3"]).output.hasPrefix("1 seed converged ("))
    let several = try program.run(["simulate", "--mapping", "good.yaml", "--seed", "3", "--seeds", "2"])
    #expect(several.output.hasPrefix("2 seeds converged ("))
  }
}
