/// `Link` header fields (RFC 8288).
enum LinkHeader {
  /// The first link with that relation; nil where there is none.
  static func target(_ relation: String, in fields: [String]) -> String? {
    for field in fields {
      for link in links(in: field) where link.relations.contains(relation) { return link.target }
    }
    return nil
  }

  private static func links(in field: String) -> [(target: String, relations: [String])] {
    var links: [(target: String, relations: [String])] = []
    var rest = field[...]
    while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
      let target = rest[rest.index(after: open)..<close]
      rest = rest[rest.index(after: close)...]
      links.append((String(target).trimmed, relations(in: &rest)))
    }
    return links
  }

  /// Reads a link's parameters, up to the comma before the next link.
  private static func relations(in rest: inout Substring) -> [String] {
    var relations: [String] = []
    var parameter = ""
    var isQuoted = false
    func finish() {
      let parts = parameter.split(separator: "=", maxSplits: 1)
      if parts.count == 2, String(parts[0]).trimmed.lowercased() == "rel", relations.isEmpty {
        relations = String(parts[1]).trimmed.lowercased().split(separator: " ").map(String.init)
      }
      parameter = ""
    }
    while let character = rest.popFirst() {
      if character == "\"" {
        isQuoted.toggle()
      } else if !isQuoted, character == ";" {
        finish()
      } else if !isQuoted, character == "," {
        break
      } else {
        parameter.append(character)
      }
    }
    finish()
    return relations
  }
}

extension String {
  /// Without blanks at either end.
  var trimmed: String {
    var text = self[...]
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
