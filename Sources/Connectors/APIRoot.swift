/// The root of a side's API. Every request's URL is made here, of the configured origin and nothing else.
struct APIRoot: Sendable {
  /// As configured: `https://pms.example.com`.
  let origin: String
  /// Below the origin, without a slash at the end: `/api/v1`, or nothing.
  let path: String

  init(_ url: String) {
    let start = url.range(of: "://")?.upperBound ?? url.startIndex
    let end = url[start...].firstIndex { "/?#".contains($0) } ?? url.endIndex
    origin = String(url[..<end])
    var path = url[end...].prefix { $0 != "?" && $0 != "#" }
    while path.last == "/" { path.removeLast() }
    self.path = String(path)
  }

  /// A path of the API's, and its query, as they stand in a URL after the origin.
  func target(_ path: String, _ query: [(name: String, value: String)] = []) -> String {
    let target = self.path + (path.first == "/" ? "" : "/") + path
    if query.isEmpty { return target }
    return target + (path.contains("?") ? "&" : "?") + PercentEncoding.query(query)
  }

  func url(of target: String) -> String { origin + target }

  /// Where a link leads that the answer to `current` carries.
  func target(of link: String, from current: String) throws(ForeignOrigin) -> String {
    let link = link.prefix { $0 != "#" }
    let currentPath = current.prefix { $0 != "?" }
    let here = WebOrigin(origin)
    guard let authority = Self.authority(in: link) else {
      switch link.first {
      case "/": return PercentEncoding.repair(link)
      case "?": return currentPath + PercentEncoding.repair(link)
      case nil: return current
      default:
        let folder = currentPath[...(currentPath.lastIndex(of: "/") ?? currentPath.startIndex)]
        return folder + PercentEncoding.repair(link)
      }
    }
    let scheme = authority.scheme ?? here?.scheme ?? ""
    guard let here, let there = WebOrigin(scheme: scheme, authority: authority.text), here == there else {
      throw ForeignOrigin(text: "\(scheme)://\(authority.text.split(separator: "@").last ?? "")")
    }
    let rest = PercentEncoding.repair(authority.rest)
    return rest.first == "/" ? rest : "/" + rest
  }

  /// Splits `scheme://authority/...` and `//authority/...`; nil for a link within the origin.
  private static func authority(
    in link: Substring
  ) -> (scheme: String?, text: Substring, rest: Substring)? {
    var rest = link
    var scheme: String?
    if let colon = link.firstIndex(of: ":"), link[..<colon].utf8.allSatisfy(isSchemeByte), colon > link.startIndex {
      scheme = link[..<colon].lowercased()
      rest = link[link.index(after: colon)...]
    }
    // Browsers take a backslash for a slash here.
    let slashes = rest.prefix { $0 == "/" || $0 == "\\" }
    guard scheme != nil || slashes.count >= 2 else { return nil }
    rest = rest.dropFirst(slashes.count)
    let text = rest.prefix { !"/\\?".contains($0) }
    return (scheme, text, rest.dropFirst(text.count))
  }

  private static func isSchemeByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "+-.".utf8.contains(byte)
    }
  }
}

/// A link that leads away from the API, where our credentials have no business.
struct ForeignOrigin: Error, Equatable {
  let text: String
}

/// Scheme, host and port (RFC 6454).
struct WebOrigin: Equatable {
  let scheme: String
  let host: String
  let port: Int

  init?(_ origin: String) {
    guard let mark = origin.range(of: "://") else { return nil }
    self.init(scheme: String(origin[..<mark.lowerBound]), authority: origin[mark.upperBound...])
  }

  init?(scheme: String, authority: Substring) {
    self.scheme = scheme.lowercased()
    let standard: Int
    switch self.scheme {
    case "https": standard = 443
    case "http": standard = 80
    default: return nil
    }
    let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
    let bracket = place.lastIndex(of: "]") ?? place.startIndex
    if let colon = place[bracket...].lastIndex(of: ":") {
      let digits = place[place.index(after: colon)...]
      guard let port = digits.isEmpty ? standard : Int(digits) else { return nil }
      self.port = port
      host = place[..<colon].lowercased()
    } else {
      port = standard
      host = place.lowercased()
    }
    if host.isEmpty { return nil }
  }
}

extension StringProtocol {
  /// Where `text` stands in this one.
  func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
      start = index(after: start)
    }
    return nil
  }
}
