import Documents
import HTTP
import HTTPClient
import HTTPServer
import JSON
import Mapping
import Signatures

/// Settings in the configuration's own notations. A wrong one is reported and read as its default: reading goes on.
extension KeyedReader {
  func duration(_ key: String, _ standard: Duration) -> Duration {
    setting(key, standard, "a duration", "write a whole number and a unit: 500ms, 10s, 5m, 48h or 30d") { text in
      Quantity.duration(text).flatMap { $0 > .zero ? $0 : nil }
    }
  }

  /// Bytes.
  func size(_ key: String, _ standard: Int) -> Int {
    setting(key, standard, "a size", "write bytes, or a number with KiB, MiB or GiB, such as 1MiB") { text in
      Quantity.size(text).flatMap { $0 > 0 ? $0 : nil }
    }
  }

  func rate(_ key: String) -> Rate? {
    setting(key, nil, "a rate", "write it like 20/s or 100/m") { Rate($0).map(Optional.some) }
  }

  /// From 0 to 1.
  func share(_ key: String, _ standard: Double) -> Double {
    setting(key, standard, "a share", "write a number from 0 to 1, such as 0.05") { text in
      Double(text).flatMap { 0...1 ~= $0 ? $0 : nil }
    }
  }

  func listenAddress(_ key: String, _ standard: ListenAddress) -> ListenAddress {
    setting(key, standard, "an address to listen on", "write 'HOST:PORT', such as 127.0.0.1:8080 or [::1]:8080") {
      ListenAddress($0)
    }
  }

  func path(_ key: String, in directory: String) -> String? {
    text(key).map { FilePaths.resolve($0, in: directory) }
  }

  /// A PEM file of certificates to trust.
  /// - Parameter looksInside: The file is read now, so that a mistake isn't found at the first call.
  func certificates(_ key: String, in directory: String, looksInside: Bool) -> String? {
    guard let node = optional(key), let path = path(key, in: directory), looksInside else {
      return path(key, in: directory)
    }
    do throws(HTTPClientError) {
      try HTTPClientConfiguration.check(ca: path)
    } catch {
      problems.error(
        at: node.position, "\(name): no certificates can be read from the file '\(path)'",
        advice: "name a file with certificates in PEM form, and check its permissions")
    }
    return path
  }

  func addresses(_ key: String) -> AddressList {
    AddressList(
      (items(key) ?? []).compactMap { node in
        if let range = node.text.flatMap({ AddressRange($0) }) { return range }
        problems.error(
          at: node.position, "\(name): '\(key)' holds \(node.kind), which is no address and no CIDR",
          advice: "write addresses such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
        return nil
      })
  }

  /// Never shown: only what kind of thing stands in its place is.
  func secret(_ key: String, advice: String) -> Secret? {
    required(key, advice: advice).flatMap { secret(of: $0, key: key) }
  }

  func secret(of node: YAMLNode, key: String) -> Secret? {
    guard let text = node.text else {
      problems.error(
        at: node.position, "\(name): '\(key)' must be text, and is \(node.kind)",
        advice: "write one value: '${NAME}', or '${file:/path}'")
      return nil
    }
    guard !text.isEmpty else {
      let origin = node.origin.map { ": \($0) stands for nothing" } ?? ""
      problems.error(at: node.position, "\(name): '\(key)' is empty\(origin)", advice: "give it its value")
      return nil
    }
    guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
      problems.error(
        at: node.position, "\(name): '\(key)' holds a line break or another control character",
        advice: "copy the value alone, on one line")
      return nil
    }
    return Secret(text)
  }

  func secrets(_ key: String, advice: String) -> [Secret] {
    guard let node = required(key, advice: advice) else { return [] }
    let items = node.list ?? [node]
    if items.isEmpty { problems.error(at: node.position, "\(name): '\(key)' is an empty list", advice: advice) }
    return items.compactMap { secret(of: $0, key: key) }
  }

  /// An `http` or `https` URL without a query, its last slash removed.
  func url(_ key: String, _ standard: String? = nil, advice: String) -> String? {
    guard let node = standard == nil ? required(key, advice: advice) : optional(key) else { return standard }
    guard let text = text(of: node, key: key) else { return standard }
    guard !text.contains("@") else {
      problems.error(
        at: node.position, "\(name): '\(key)' holds a user or password", advice: "give credentials under their own keys"
      )
      return standard
    }
    guard let url = BaseURL(text) else {
      problems.error(at: node.position, "\(name): '\(key)' is \(node.kind), which is no URL", advice: advice)
      return standard
    }
    if !url.isEncrypted, !url.isLoopback {
      problems.warning(
        at: node.position, "\(name): '\(key)' is not encrypted: credentials and customers' data can be read on the way",
        advice: "write https://")
    }
    return url.text
  }

  func jsonPath(_ key: String, _ standard: JSONPath) -> JSONPath { optionalPath(key, standard) ?? standard }

  /// A path that may be switched off by null.
  func optionalPath(_ key: String, _ standard: JSONPath?) -> JSONPath? {
    guard let node = node(key) else { return standard }
    if node.isNull { return nil }
    guard let text = text(of: node, key: key) else { return standard }
    guard let path = JSONPath(text) else {
      problems.error(
        at: node.position, "\(name): \(node.kind) is no path for '\(key)'",
        advice: "write keys with dots between, and [0] for an element")
      return standard
    }
    return path
  }

  /// Text that may be switched off by null.
  func optionalText(_ key: String, _ standard: String?) -> String? {
    guard let node = node(key) else { return standard }
    return node.isNull ? nil : text(of: node, key: key)
  }

  /// A header's name, which may be switched off by null.
  func headerName(_ key: String, _ standard: String?) -> String? {
    guard let node = node(key) else { return standard }
    if node.isNull { return nil }
    guard let name = text(of: node, key: key) else { return standard }
    guard HTTPHeaders.isName(name) else {
      problems.error(
        at: node.position, "\(self.name): '\(key)' must be a header's name, and is \(node.kind)",
        advice: "write letters, digits and -, such as X-Signature")
      return standard
    }
    return name
  }

  private func setting<Value>(
    _ key: String, _ standard: Value, _ what: String, _ advice: String, _ parse: (String) -> Value?
  ) -> Value {
    guard let node = optional(key) else { return standard }
    if let value = node.text.flatMap(parse) { return value }
    problems.error(at: node.position, "\(name): '\(key)' must be \(what), and is \(node.kind)", advice: advice)
    return standard
  }
}

/// The beginning of a side's URLs.
struct BaseURL {
  let text: String
  let isEncrypted: Bool
  let isLoopback: Bool

  init?(_ written: String) {
    let scheme = written.hasPrefix("https://") ? "https://" : written.hasPrefix("http://") ? "http://" : ""
    var text = written
    while text.hasSuffix("/") { text.removeLast() }
    let rest = text.utf8.count > scheme.utf8.count ? text.dropFirst(scheme.count) : ""
    let authority = String(rest.prefix { $0 != "/" })
    let allowed = rest.unicodeScalars.allSatisfy {
      $0.value > 0x20 && $0.value < 0x7F && !"?#\\\"<>".unicodeScalars.contains($0)
    }
    guard !scheme.isEmpty, allowed, let host = Self.host(of: authority) else { return nil }
    (self.text, isEncrypted) = (text, scheme == "https://")
    isLoopback = ListenAddress(host: host, port: 0).isLoopback
  }

  private static func host(of authority: String) -> String? {
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { return nil }
      let host = String(authority[authority.index(after: authority.startIndex)..<end])
      let rest = authority[authority.index(after: end)...]
      guard IPAddress(host) != nil, rest.isEmpty || ListenAddress(authority) != nil else { return nil }
      return host
    }
    if authority.contains(":") { return ListenAddress(authority)?.host }
    return ListenAddress(authority + ":0")?.host
  }
}
