import Connectors
import JSON
import Mapping
import Store
import Sync

/// Edits that our own writes fell on (rule 18).
extension Worker {
  /// Looks, in the events in hand, for edits that a write of ours fell on.
  func findOverwritten(_ work: inout Work) {
    guard var link = work.link, !link.writes.isEmpty, let flow = context.mapping.flow(named: link.flow) else { return }
    for event in work.events {
      guard let key = event.key, link.key(on: key.side) == key, let shown = shown(event, key, &work) else { continue }
      for edit in Planner.findOverwritten(in: shown, link: &link, flow: flow) {
        work.note(
          .observed, side: edit.side, property: edit.path.description, old: edit.value, new: edit.over.first ?? .null,
          rule: 18, "our write fell on this edit of \(key), which had not been seen", at: now)
      }
    }
    if link != work.link { work.set(link) }
  }

  /// What an event of a sender's shows of its record.
  func shown(_ event: StoredEvent, _ key: RecordKey, _ work: inout Work) -> ShownByEvent? {
    guard event.event.origin == .webhook || event.event.origin == .callback || event.event.origin == .replay,
      event.event.kind == .updated || event.event.kind == .created,
      let body = work.body(of: event),
      let record = context.reader.record(in: body, side: key.side, origin: event.event.origin),
      let seen = context.connector(key.side).observation(of: record, source: .payload, at: event.event.receivedAt),
      seen.key == key
    else { return nil }
    return ShownByEvent(
      side: key.side, record: seen.record, previous: key.side == .invoiced ? context.reader.previous(in: body) : nil,
      version: seen.version, receivedAt: event.event.receivedAt)
  }

  /// Keeps in the link what a push wrote.
  /// - Parameters:
  ///   - before: The target as it was read right before the write.
  ///   - seen: The target after it, in the answer or at the look that settled the push: what is newer than this came
  ///     after the write.
  func remember(
    _ push: Push, _ properties: [Push.Property], before: Observation?, seen: Observation, flow: Flow,
    _ work: inout Work
  ) {
    guard var link = work.link, push.action != .create else { return }
    let side = push.side
    let isGuarded = context.connector(side).abilities.hasETags && (before ?? seen).etag != nil
    let read = before.map(\.version) ?? push.read
    let left = seen.version
    var writes: [OwnWrite] = []
    for property in properties {
      guard let row = flow.row(keyed: property.row) else { continue }
      writes.append(
        OwnWrite(
          side: side, row: row.key, path: property.path, former: property.former, sent: property.sent,
          stands: row.raw(on: side, in: seen.record), read: read, left: left, readAt: push.sentAt, isGuarded: isGuarded)
      )
    }
    // What an unanswered write was laid into is known only where it shows.
    if let whole = push.wholeMetadata(with: properties, readAs: before?.record),
      before != nil || seen.record["metadata"] == whole.sent
    {
      let path = JSONPath([.key("metadata")])
      writes.append(
        OwnWrite(
          side: side, row: nil, path: path, former: whole.former, sent: whole.sent, stands: nil, read: read, left: left,
          readAt: push.sentAt, isGuarded: isGuarded))
    }
    let loopGuard = loopGuard
    for property in properties {
      if let row = flow.row(keyed: property.row), loopGuard.counts(property.sent, of: row, to: side, link) {
        loopGuard.note(row, &link)
      }
    }
    link.remember(writes)
    work.set(link)
  }

  var loopGuard: LoopGuard {
    LoopGuard(pushes: context.settings.loopPushes, window: context.settings.loopWindow, now: now)
  }
}

extension Push {
  /// Invoiced replaces metadata whole, whatever keys are written.
  var replacesMetadata: Bool { replacesMetadata(with: properties) }

  private func replacesMetadata(with properties: [Property]) -> Bool {
    side == .invoiced && properties.contains(where: \.isMetadataKey)
  }

  /// The whole metadata before and after some properties of it were written; nil where none of them is metadata's.
  /// - Parameter fresh: The record right before the write, where that is known; else what the push was planned on.
  fileprivate func wholeMetadata(
    with properties: [Property], readAs fresh: JSONValue?
  ) -> (former: JSONValue, sent: JSONValue)? {
    guard replacesMetadata(with: properties), let former = fresh.map({ $0["metadata"] ?? [:] }) ?? metadata else {
      return nil
    }
    var laid = JSONValue.object(JSONObject([(key: "metadata", value: former)]))
    for property in self.properties where property.isMetadataKey { laid.set(property.sent, at: property.path) }
    return (former, laid["metadata"] ?? [:])
  }
}

extension Push.Property {
  fileprivate var isMetadataKey: Bool { path.components.count == 2 && path.components.first == .key("metadata") }
}
