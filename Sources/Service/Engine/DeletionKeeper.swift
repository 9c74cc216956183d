import JSON
import Mapping
import Store
import Sync

/// Keeps the mass-delete guard of each flow: one question at a time, whichever worker asks, and in the store, so that a
/// restart forgets nothing (rule 14).
actor DeletionKeeper {
  private let store: any Store
  private var guards: [String: DeletionGuard] = [:]
  private var isBusy = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(store: any Store) { self.store = store }

  /// Whether a link's delete may go on; what is let through is counted before it does.
  func lets(_ link: Link, limits: DeletionLimits, at time: Timestamp) async throws(StoreError) -> Bool {
    await enter()
    defer { leave() }
    var flow = try await loaded(link.flow)
    let former = flow.passed
    let links = try await store.activeLinks(in: link.flow)
    let lets = flow.lets(link.id, links: links, limits: limits, at: time)
    guards[link.flow] = flow
    if flow.passed != former { try await store.setValue(flow.kept, for: Self.name(link.flow)) }
    return lets
  }

  /// A link's delete is held no more.
  func release(_ link: Int64, of name: String) async throws(StoreError) {
    await enter()
    defer { leave() }
    var flow = try await loaded(name)
    let former = flow
    flow.release(link)
    guards[name] = flow
    if flow.passed != former.passed { try await store.setValue(flow.kept, for: Self.name(name)) }
  }

  private static func name(_ flow: String) -> String { "deletes.\(flow)" }

  /// What is held is in the store as holds.
  private func loaded(_ name: String) async throws(StoreError) -> DeletionGuard {
    if let known = guards[name] { return known }
    var held: Set<Int64> = []
    var query = ListQuery(limit: 1000)
    query.flow = name
    repeat {
      let page = try await store.holds(.deletion, query)
      held.formUnion(page.items.compactMap(\.link))
      query.after = page.next
    } while query.after != nil
    let kept = try await store.value(Self.name(name))
    let flow = DeletionGuard(kept: kept, held: held)
    guards[name] = flow
    return flow
  }

  // An actor lets others in wherever it waits; here nobody is to come in between.
  private func enter() async {
    if !isBusy {
      isBusy = true
      return
    }
    await withCheckedContinuation { waiting.append($0) }
  }

  private func leave() {
    if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
  }
}

extension DeletionGuard {
  /// As the store keeps it.
  fileprivate var kept: String {
    let times = passed.sorted { $0.key < $1.key }.map {
      (key: String($0.key), value: JSONValue.number(JSONNumber($0.value.milliseconds)))
    }
    return JSONValue.object(
      JSONObject([("links", .number(JSONNumber(links))), ("passed", .object(JSONObject(times)))])
    ).text
  }

  fileprivate init(kept: String?, held: Set<Int64>) {
    let value = kept.flatMap { try? JSONValue(parsing: Array($0.utf8)) }
    var passed: [Int64: Timestamp] = [:]
    for (id, time) in value?["passed"]?.object?.members ?? [] {
      if let id = Int64(id), let time = time.int64 { passed[id] = Timestamp(milliseconds: time) }
    }
    self.init(passed: passed, held: held, links: value?["links"]?.int64.map { Int($0) } ?? 0)
  }
}
