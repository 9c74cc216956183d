import JSON
import Mapping
import SeededRandom
import Testing

@testable import Sync

/// Rules 8, 10, 13, 20 and 23 for plain text, written out with two maps and nothing clever.
private struct NaiveModel {
  enum Memory { case nothing, base, agreed }

  struct Row {
    var name: String
    var direction: Direction
    var memory = Memory.nothing
    var agreed: [Side: String] = [:]
    /// Since when a side has had its present value.
    var edited: [Side: Int64] = [:]
  }

  var rows: [Row]
  var maps: [Side: [String: String]] = [.invoiced: [:], .pms: [:]]
  var conflict: ConflictPolicy
  var onLink: LinkPolicy
  var lost: [String] = []
  var writes: [String] = []

  mutating func edit(_ row: Int, _ side: Side, _ text: String, at time: Int64) {
    let name = rows[row].name
    if maps[side]?[name] ?? "" == text { return }
    maps[side]?[name] = text
    rows[row].edited[side] = time
  }

  mutating func sync() {
    for index in rows.indices { sync(index) }
  }

  private mutating func sync(_ index: Int) {
    let row = rows[index]
    let invoiced = maps[.invoiced]?[row.name] ?? ""
    let pms = maps[.pms]?[row.name] ?? ""
    if invoiced == pms {
      agree(index)
      return
    }
    let changedInvoiced = invoiced != row.agreed[.invoiced] ?? ""
    let changedPMS = pms != row.agreed[.pms] ?? ""
    if row.direction != .both {
      let source: Side = row.direction == .toPMS ? .invoiced : .pms
      let isCopyEdited = source == .invoiced ? changedPMS : changedInvoiced
      if row.memory == .agreed && isCopyEdited && conflict == .manual { return }
      carry(index, from: source, isLoss: row.memory != .agreed || isCopyEdited)
      return
    }
    if row.memory == .nothing || row.memory == .base && !changedInvoiced && !changedPMS {
      if invoiced == "" {
        carry(index, from: .pms, isLoss: false)
      } else if pms == "" {
        carry(index, from: .invoiced, isLoss: false)
      } else {
        switch onLink {
        case .invoiced: carry(index, from: .invoiced, isLoss: true)
        case .pms: carry(index, from: .pms, isLoss: true)
        case .newest: carry(index, from: newest(row), isLoss: true)
        }
      }
      return
    }
    if changedInvoiced && changedPMS {
      switch conflict {
      case .invoiced: carry(index, from: .invoiced, isLoss: true)
      case .pms: carry(index, from: .pms, isLoss: true)
      case .newest: carry(index, from: newest(row), isLoss: true)
      case .manual: break
      }
    } else {
      carry(index, from: changedInvoiced ? .invoiced : .pms, isLoss: false)
    }
  }

  private func newest(_ row: Row) -> Side {
    guard let pms = row.edited[.pms] else { return .invoiced }
    guard let invoiced = row.edited[.invoiced] else { return .pms }
    return pms > invoiced + 2 ? .pms : .invoiced
  }

  private mutating func carry(_ index: Int, from source: Side, isLoss: Bool) {
    let name = rows[index].name
    let text = maps[source]?[name] ?? ""
    let over = maps[source.other]?[name] ?? ""
    if isLoss && over != "" { lost.append("\(name): \(over)") }
    writes.append("\(source.other.rawValue) \(name) = \(text)")
    maps[source.other]?[name] = text
    agree(index)
  }

  private mutating func agree(_ index: Int) {
    rows[index].memory = .agreed
    for side in Side.allCases {
      rows[index].agreed[side] = maps[side]?[rows[index].name] ?? ""
      rows[index].edited[side] = nil
    }
  }
}

@Suite("the planner does what the rules say when they are written out")
struct ReferenceModelTests {
  private static let names = ["a", "b", "c", "d"]
  private static let texts = ["", "x", "y", "z"]

  @Test("the same edits lead to the same values, writes and losses", arguments: UInt64(0)..<400)
  func agrees(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var model = NaiveModel(
      rows: Self.names.map { NaiveModel.Row(name: $0, direction: generator.pick(Direction.allCases)) },
      conflict: generator.pick(ConflictPolicy.allCases), onLink: generator.pick(LinkPolicy.allCases))
    var world = World(&generator, fields: 0)
    world.scene.flow.properties = model.rows.map { row($0.name, $0.name, .string, [], $0.direction) }
    world.scene.flow.conflict = model.conflict
    world.scene.flow.onLink = model.onLink
    // Half of the flows begin where nothing may be written.
    world.scene.flow.live = seed % 2 == 0 ? .all : .links
    for step in 0..<8 {
      for _ in 0..<generator.int(0...5) {
        let index = generator.int(0...3)
        let side = generator.pick(Side.allCases)
        let text = generator.pick(Self.texts)
        let property = world.scene.flow.properties[index]
        if world.scene.record(on: side)[property.path(on: side)]?.string ?? "" == text { continue }
        world.edit(Field(row: property, invoiced: [], pms: []), side, .string(text))
        model.edit(index, side, text, at: world.clock)
      }
      if step == 0, world.scene.flow.live == .links {
        keepBase(&model)
        world.sync(&generator)
        world.scene.flow.live = .all
        continue
      }
      world.pushes = []
      (model.writes, model.lost) = ([], [])
      world.sync(&generator)
      model.sync()
      for side in Side.allCases {
        for name in Self.names {
          #expect(
            world.scene.record(on: side)[path(name)]?.string ?? "" == model.maps[side]?[name] ?? "",
            "\(name) on \(side) in step \(step)")
        }
      }
      #expect(
        world.pushes.map { "\($0.side.rawValue) \($0.change.path) = \($0.change.value.string ?? "")" }.sorted()
          == model.writes.sorted())
      #expect(
        world.pushes.compactMap { push in
          push.change.lost.flatMap { lost in lost.isBlank ? nil : "\(push.change.path): \(lost.string ?? "")" }
        }.sorted() == model.lost.sorted())
    }
  }

  /// A link made where nothing may be written: equal values are agreed, the others are a base.
  private func keepBase(_ model: inout NaiveModel) {
    for index in model.rows.indices {
      let name = model.rows[index].name
      let same = model.maps[.invoiced]?[name] ?? "" == model.maps[.pms]?[name] ?? ""
      model.rows[index].memory = same ? .agreed : .base
      for side in Side.allCases {
        model.rows[index].agreed[side] = model.maps[side]?[name] ?? ""
        if same { model.rows[index].edited[side] = nil }
      }
    }
  }
}
