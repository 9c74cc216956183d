import JSON
import Mapping
import SeededRandom
import Testing

@testable import Sync

/// Random flows, values and edits; the seed is the test's argument, and replays it.
@Suite("rules 8 to 10 and 20, whatever people write")
struct ConvergenceTests {
  private func world(_ generator: inout SeededGenerator, normalises: Bool) -> World {
    var world = World(&generator)
    if normalises {
      for side in Side.allCases { world.normaliser[side] = generator.pick(Normaliser.allCases) }
    }
    return world
  }

  private func edits(_ world: inout World, _ generator: inout SeededGenerator) {
    for _ in 0..<generator.int(1...4) {
      let field = generator.pick(world.fields)
      let side = generator.pick(Side.allCases)
      world.edit(field, side, generator.pick(field.values(side)))
    }
  }

  @Test(
    "when edits stop, both sides come to rest, agree on every row that isn't held, and stay so",
    arguments: UInt64(0)..<300)
  func converges(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var world = world(&generator, normalises: seed % 2 == 1)
    for _ in 0..<4 {
      world.sync(&generator, losesAnswers: seed % 3 == 0)
      edits(&world, &generator)
    }
    world.sync(&generator)
    let rounds = world.sync(&generator)
    #expect(rounds == 0)
    #expect(world.scene.outcome.allSatisfy { $0.hasPrefix("held") }, "\(world.scene.outcome)")
    for field in world.fields where !world.isHeld(field.row) {
      let meanings = world.meanings(field.row)
      #expect(meanings[0] == meanings[1] || world.isAgreed(field.row), "\(field.row.key): \(meanings)")
    }
  }

  @Test("one edit makes one push of one property, and then silence", arguments: UInt64(0)..<300)
  func oneEdit(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var world = World(&generator)
    if seed % 2 == 1 { world.normaliser = [.invoiced: .near, .pms: .near] }
    // A one-way row's target is edited in another test.
    world.sync(&generator)
    let free = world.fields.filter { !world.isHeld($0.row) }
    guard !free.isEmpty else { return }
    let field = generator.pick(free)
    let side = field.row.onlySource ?? generator.pick(Side.allCases)
    let before = world.meanings(field.row)
    let others = world.scene.record(on: side.other)
    world.edit(field, side, generator.pick(field.values(side)))
    let after = world.meanings(field.row)
    world.pushes = []
    let count = world.sync(&generator)
    let index = side == .invoiced ? 0 : 1
    if before[index] == after[index] || after[0] == after[1] {
      #expect(count == 0)
      #expect(world.scene.record(on: side.other) == others)
    } else {
      #expect(count == 1)
      #expect(world.pushes.map(\.change.path) == [field.row.path(on: side.other)])
      #expect(world.pushes.allSatisfy { $0.side == side.other && $0.change.lost == nil })
    }
    #expect(world.sync(&generator) == 0)
  }

  @Test(
    "a change of one property never overwrites another property's change on the other side", arguments: UInt64(0)..<200)
  func independent(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var world = World(&generator, fields: 6)
    world.sync(&generator)
    let fields = world.fields.filter { !world.isHeld($0.row) }
    var written: [(field: Field, side: Side, value: JSONValue?)] = []
    for field in fields {
      let side = field.row.onlySource ?? generator.pick(Side.allCases)
      written.append((field, side, generator.pick(field.values(side))))
    }
    for edit in written { world.edit(edit.field, edit.side, edit.value) }
    world.sync(&generator)
    for edit in written {
      let row = edit.field.row
      let now = world.scene.record(on: edit.side)[row.path(on: edit.side)]
      #expect(row.same(now, edit.value, on: edit.side), "\(row.key): \(String(describing: now))")
      let meanings = world.meanings(row)
      #expect(meanings[0] == meanings[1], "\(row.key): \(meanings)")
    }
  }

  @Test("no value is lost: it stands, was agreed before, or is kept as the one that lost", arguments: UInt64(0)..<300)
  func noLoss(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var world = world(&generator, normalises: seed % 2 == 1)
    for _ in 0..<6 {
      let before = world
      world.pushes = []
      world.sync(&generator)
      for field in world.fields {
        let row = field.row
        for side in Side.allCases {
          let old = row.raw(on: side, in: before.scene.record(on: side))
          let new = row.raw(on: side, in: world.scene.record(on: side))
          if row.same(old, new, on: side) || row.isNear(sent: old, answered: new, on: side) { continue }
          if (old ?? .null).isBlank { continue }
          // What the other side had agreed to was superseded there.
          if let pair = before.scene.link.agreed[row.key], row.same(pair[side], old, on: side) { continue }
          let isKept = world.pushes.contains {
            $0.change.row?.key == row.key && $0.side == side && $0.change.lost == old
          }
          // What the target of our own push made of it is its edit.
          let isOwn =
            world.normaliser[side.other] == .caps
            && world.pushes.contains {
              $0.change.row?.key == row.key && $0.side == side.other && $0.change.source == old
            }
          #expect(isKept || isOwn, "\(row.key) on \(side): \(old?.text ?? "-") became \(new?.text ?? "-")")
        }
      }
      edits(&world, &generator)
    }
  }

  @Test(
    "nothing is made up: every value was written by someone, or is a converter's form of that",
    arguments: UInt64(0)..<200)
  func provenance(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var world = World(&generator)
    for _ in 0..<5 {
      world.sync(&generator, losesAnswers: seed % 2 == 0)
      edits(&world, &generator)
    }
    world.sync(&generator)
    for field in world.fields {
      var written: Set<JSONValue> = [.null]
      for side in Side.allCases {
        for value in field.values(side) {
          written.insert(value ?? .null)
          let raw = field.row.raw(
            on: side, in: JSONValue.object(JSONObject()).replacing(field.row.path(on: side), with: value))
          guard field.row.direction.carries(from: side) else { continue }
          written.insert(try field.row.translated(from: side, raw: raw))
        }
      }
      for side in Side.allCases {
        let value = world.scene.record(on: side)[field.row.path(on: side)] ?? .null
        #expect(written.contains(value), "\(field.row.key) on \(side): \(value.text)")
      }
    }
  }
}

@Suite("the sides are alike where the policies are")
struct MirrorTests {
  /// Paths that mean nothing special to either side.
  private static let rows = (0..<4).map { row("x\($0)", "x\($0)", .any) }
  private static let values: [JSONValue] = [nil, "", "a", "b", "c", 1, json("1.0"), true, ["k": 1]]

  private func mirrored(_ scene: Scene) -> Scene {
    var mirror = scene
    (mirror.invoiced, mirror.pms) = (scene.pms, scene.invoiced)
    mirror.link.agreed = scene.link.agreed.mapValues {
      AgreedPair(invoiced: $0.pms, pms: $0.invoiced, fingerprint: $0.fingerprint, isBaseOnly: $0.isBaseOnly)
    }
    (mirror.link.invoicedEdits, mirror.link.pmsEdits) = (scene.link.pmsEdits, scene.link.invoicedEdits)
    for index in mirror.flow.properties.indices {
      switch scene.flow.properties[index].direction {
      case .both: break
      case .toPMS: mirror.flow.properties[index].direction = .toInvoiced
      case .toInvoiced: mirror.flow.properties[index].direction = .toPMS
      }
    }
    switch scene.flow.conflict {
    case .invoiced: mirror.flow.conflict = .pms
    case .pms: mirror.flow.conflict = .invoiced
    case .newest, .manual: break
    }
    switch scene.flow.onLink {
    case .invoiced: mirror.flow.onLink = .pms
    case .pms: mirror.flow.onLink = .invoiced
    case .newest: break
    }
    return mirror
  }

  private func change(_ change: Plan.Change) -> [JSONValue?] {
    [.string(change.path.description), change.value, change.former, change.source, change.lost]
  }

  @Test("swapping the sides swaps the plan", arguments: UInt64(0)..<300)
  func mirrors(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var scene = Scene()
    scene.flow.properties = Self.rows
    for index in scene.flow.properties.indices {
      scene.flow.properties[index].direction = generator.pick(Direction.allCases)
    }
    // Ties and unknown times favour Invoiced, so times are known and apart.
    scene.flow.conflict = generator.pick(ConflictPolicy.allCases)
    scene.flow.onLink = generator.pick(LinkPolicy.allCases)
    for row in scene.flow.properties {
      scene.invoiced.set(generator.pick(Self.values), at: row.invoiced)
      scene.pms.set(generator.pick(Self.values), at: row.pms)
      let times = [10, 90].shuffled(using: &generator)
      scene.link.setEdit(
        Edit(at: at(Double(times[0])), value: scene.invoiced[row.invoiced]), of: row.key, on: .invoiced)
      scene.link.setEdit(Edit(at: at(Double(times[1])), value: scene.pms[row.pms]), of: row.key, on: .pms)
      guard !generator.chance(4) else { continue }
      scene.link.agreed[row.key] = AgreedPair(
        invoiced: generator.pick(Self.values), pms: generator.pick(Self.values),
        fingerprint: generator.chance(5) ? "former" : row.fingerprint, isBaseOnly: generator.chance(5))
    }
    let (plan, mirror) = (scene.plan, mirrored(scene).plan)
    #expect(plan.toPMS.map(change) == mirror.toInvoiced.map(change))
    #expect(plan.toInvoiced.map(change) == mirror.toPMS.map(change))
    #expect(plan.conflicts.map(\.row.key) == mirror.conflicts.map(\.row.key))
    #expect(Set(plan.agreed.keys) == Set(mirror.agreed.keys))
  }
}
