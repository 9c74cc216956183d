import JSON
import Signatures
import Sync

/// Notices a listing that goes round in a circle, with one page remembered (Brent's algorithm): a side that ignores
/// the page's number, or whose links lead back, would otherwise be listed for ever.
struct PageWalk: Sendable, Hashable {
  private var remembered = ""
  private var steps = 0
  private var patience = 0
  private static let mostPatience = 1 << 40

  init() {}

  /// Takes the next page; true when it was there before.
  mutating func repeats(_ page: [Observation]) -> Bool {
    let fingerprint = Self.fingerprint(page)
    if fingerprint == remembered { return true }
    steps += 1
    if steps >= patience {
      remembered = fingerprint
      patience = min(max(patience * 2, 1), Self.mostPatience)
      steps = 0
    }
    return false
  }

  private static func fingerprint(_ page: [Observation]) -> String {
    var bytes: [UInt8] = []
    for row in page {
      bytes += row.key.id.text.utf8
      bytes.append(0)
      bytes += row.version.map { Array(String($0.nanoseconds).utf8) } ?? row.record.serialized
      bytes.append(0)
    }
    return Hex.encode(Array(Digest.sha256(bytes).prefix(12)))
  }
}

/// What a `ListCursor` holds: where the next page is, and what is known of the walk so far.
struct ListPlace: Sendable, Hashable {
  /// Path and query below the origin.
  var target: String
  var walk: PageWalk

  init(target: String, walk: PageWalk = PageWalk()) {
    self.target = target
    self.walk = walk
  }
}

extension ListPlace {
  /// Nil for a text that is none of ours.
  init?(_ cursor: ListCursor) {
    guard let value = try? JSONValue(parsing: cursor.text), let target = value["target"]?.string,
      target.hasPrefix("/"), let walk = PageWalk(value)
    else { return nil }
    self.init(target: target, walk: walk)
  }

  var cursor: ListCursor {
    ListCursor(text: JSONValue.object(JSONObject([(key: "target", value: .string(target))] + walk.members)).text)
  }
}

extension PageWalk {
  fileprivate init?(_ value: JSONValue) {
    guard let remembered = value["remembered"]?.string, let steps = value["steps"]?.int64,
      let patience = value["patience"]?.int64, 0...Int64(Self.mostPatience) ~= steps,
      0...Int64(Self.mostPatience) ~= patience
    else { return nil }
    self.init()
    (self.remembered, self.steps, self.patience) = (remembered, Int(steps), Int(patience))
  }

  fileprivate var members: [JSONObject.Member] {
    [
      (key: "remembered", value: .string(remembered)), (key: "steps", value: .number(JSONNumber(steps))),
      (key: "patience", value: .number(JSONNumber(patience))),
    ]
  }
}
