/// The candidate that `name` was most likely meant to be; nil where none is near.
public func nearestName(to name: String, among candidates: [String]) -> String? {
  let wanted = Array(name.lowercased().filter { $0 != "-" && $0 != "_" })
  let limit = wanted.count <= 4 ? 1 : max(2, wanted.count / 3)
  return
    candidates
    .map { (name: $0, distance: distance(wanted, Array($0.lowercased().filter { $0 != "-" && $0 != "_" }))) }
    .filter { $0.distance <= limit && $0.distance < max(wanted.count, 1) }
    .min { $0.distance < $1.distance }?.name
}

/// Edits (insert, delete, replace, swap of neighbours) that turn one text into the other.
private func distance(_ a: [Character], _ b: [Character]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var best = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, beforeLast[j - 1] + 1) }
      row.append(best)
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}

/// `a`, `b` or `c`, for messages that list what is allowed.
public func alternatives(_ names: [String]) -> String {
  guard let last = names.last, names.count > 1 else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " or " + last
}
