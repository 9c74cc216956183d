import JSON
import Mapping
import Store
import Sync

/// What the operator decides about what waits for a person, asked of the admin API as the commands do it.
extension Day {
  func carryOut(_ decision: Decision) async {
    switch decision.kind {
    case .approveDeletes: await decide("approve", isLet: true)
    case .rejectDeletes: await decide("reject", isLet: false)
    case .retryParked: await retryParked()
    case .take(let side): await take(side)
    }
  }

  private func decide(_ word: String, isLet: Bool) async {
    let held = await listed(.deletion)
    guard !held.isEmpty, isRunning else { return }
    note("\(word)s \(held.count) held deletes")
    judge.decides(held, isLet: isLet)
    await ask("deletes/\(word)", ["ids": .array(held.map { .number(JSONNumber($0.id)) })])
  }

  private func retryParked() async {
    // Of a create that may have been done, the operator looks first.
    let parked = await listed(.parked).filter { $0.record != nil && $0.cause != .unansweredCreate }
    guard !parked.isEmpty, isRunning else { return }
    note("tries \(parked.count) parked entries again")
    judge.retries(parked.count)
    for entry in parked { await ask("parked/\(entry.id)/retry", [:]) }
  }

  private func take(_ side: Side) async {
    let conflicts = await listed(.conflict)
    guard !conflicts.isEmpty, isRunning else { return }
    note("takes \(side.title) in \(conflicts.count) conflicts")
    judge.takes(side, in: conflicts)
    for conflict in conflicts {
      await ask("conflicts/\(conflict.id)/resolve", ["take": .string(side.rawValue)])
    }
  }

  private func listed(_ kind: Hold.Kind) async -> [Hold] {
    (try? await store.holds(kind, ListQuery(limit: 1000)).items) ?? []
  }

  private func note(_ text: String) { trace.note("operator", text.utf8, "the operator \(text)") }
}
