import Glibc

/// What a request's head says: enough to know where the request ends and whether evhttp will read it right.
struct RequestHead {
  enum Body: Equatable { case none, length(Int), chunked }

  var method = ""
  /// Set where the target is not a plain path, which evhttp's own parser might refuse or take apart.
  var unusualTarget: String?
  var body = Body.none
  var keepsAlive = true
  var expectsContinue = false
  /// The head's bytes, with the empty line that ends it.
  var byteCount = 0
  /// evhttp is given another head than was sent: one that it reads the same way as we do.
  var mustBeRewritten = false

  /// The bodies of some other methods evhttp leaves lying, as if they were the next request.
  var isBodyReadByEvhttp: Bool { method == "POST" || method == "PUT" || method == "PATCH" }
}

/// Why a request is answered by the transport, and what its sender is told.
struct Refusal: Error, Equatable {
  let status: Int
  let detail: String

  static func malformed(_ detail: String) -> Refusal { Refusal(status: 400, detail: detail) }
}

enum HeadStep: Equatable {
  case incomplete, complete
  case refused(Refusal)
}

/// Reads a request's head (RFC 9112 sections 2 to 6), strictly: what two readers could understand in two ways is
/// malformed. Bytes may come in any pieces; each line is read once.
struct RequestHeadReader {
  private(set) var head = RequestHead()
  /// Empty lines before the request line, which are ignored (RFC 9112 section 2.2).
  private(set) var skipped = 0
  private let limit: Int
  private var lineStart = 0
  private var scanned = 0
  private var hasRequestLine = false
  private var isVersion10 = false
  private var hostCount = 0
  private var contentLength: Int?
  private var contentLengthCount = 0
  private var isChunked = false
  private var connectionSaysClose = false
  private var connectionSaysKeepAlive = false

  init(limit: Int) { self.limit = limit }

  /// `bytes` are all of the request's so far, from its first.
  mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) -> HeadStep {
    do throws(Refusal) {
      while let newline = Self.newline(in: bytes, from: scanned) {
        guard newline < limit + skipped else { throw tooLong }
        guard newline > lineStart, bytes[newline - 1] == UInt8(ascii: "\r") else {
          throw .malformed("A line ends without a carriage return.")
        }
        let line = UnsafeBufferPointer(rebasing: bytes[lineStart..<(newline - 1)])
        lineStart = newline + 1
        scanned = lineStart
        if line.isEmpty {
          if hasRequestLine {
            try finish()
            return .complete
          }
          guard lineStart <= 8 else { throw .malformed("The request begins with empty lines.") }
          skipped = lineStart
        } else if hasRequestLine {
          try readField(line)
        } else {
          try readRequestLine(line)
          hasRequestLine = true
        }
      }
      scanned = bytes.count
      if bytes.count >= limit + skipped { throw tooLong }
      return .incomplete
    } catch {
      return .refused(error)
    }
  }

  private var tooLong: Refusal {
    hasRequestLine
      ? Refusal(status: 431, detail: "The request line and header fields take more than \(limit) bytes.")
      : Refusal(status: 414, detail: "The request line takes more than \(limit) bytes.")
  }

  private static func newline(in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    guard start < bytes.count, let base = bytes.baseAddress,
      let found = memchr(base + start, Int32(UInt8(ascii: "\n")), bytes.count - start)
    else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }

  // MARK: The request line

  private mutating func readRequestLine(_ line: UnsafeBufferPointer<UInt8>) throws(Refusal) {
    let malformed = Refusal.malformed("The request line is not METHOD TARGET HTTP/1.1.")
    guard let first = line.firstIndex(of: UInt8(ascii: " ")), let last = line.lastIndex(of: UInt8(ascii: " ")),
      first < last
    else { throw malformed }
    let method = line[..<first]
    let target = line[(first + 1)..<last]
    guard !method.isEmpty, method.allSatisfy(isTokenByte), !target.isEmpty else { throw malformed }
    guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }) else {
      throw .malformed("The request target holds a byte that must be percent-encoded.")
    }
    switch line[(last + 1)...] {
    case let version where version.elementsEqual("HTTP/1.1".utf8): break
    case let version where version.elementsEqual("HTTP/1.0".utf8): isVersion10 = true
    default: throw .malformed("The protocol is neither HTTP/1.1 nor HTTP/1.0.")
    }
    head.method = String(decoding: method, as: UTF8.self)
    try readTarget(target)
  }

  /// RFC 9112 section 3.2: a path, a whole URL (of which the path counts), an authority or an asterisk.
  private mutating func readTarget(_ target: Slice<UnsafeBufferPointer<UInt8>>) throws(Refusal) {
    let slash = UInt8(ascii: "/")
    if target.first == slash {
      guard target.count > 1, target[target.startIndex + 1] == slash else { return }
      head.unusualTarget = String(decoding: target, as: UTF8.self)
    } else if let scheme = ["http://", "https://"].first(where: { hasPrefix(target, $0) }) {
      let authority = target.dropFirst(scheme.utf8.count)
      let rest = authority.drop { $0 != slash && $0 != UInt8(ascii: "?") }
      guard authority.startIndex < rest.startIndex else { throw .malformed("The request target has no host.") }
      head.unusualTarget = (rest.first == slash ? "" : "/") + String(decoding: rest, as: UTF8.self)
    } else if head.method == "CONNECT" || (head.method == "OPTIONS" && same(target, "*")) {
      head.unusualTarget = String(decoding: target, as: UTF8.self)
    } else {
      throw .malformed("The request target does not begin with a slash.")
    }
    head.mustBeRewritten = true
  }

  // MARK: Fields

  private mutating func readField(_ line: UnsafeBufferPointer<UInt8>) throws(Refusal) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0, line[..<colon].allSatisfy(isTokenByte) else {
      throw .malformed("A header line is not NAME: VALUE.")
    }
    let name = line[..<colon]
    let value = trimmed(line[(colon + 1)...])
    guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == UInt8(ascii: "\t") }) else {
      throw .malformed("A header value holds a control character.")
    }
    // By length first: most fields are none of these.
    switch name.count {
    case 4 where same(name, "host"):
      hostCount += 1
      if hostCount > 1 { throw .malformed("There is more than one Host.") }
    case 6 where same(name, "expect"):
      guard !isVersion10 else { return }
      guard same(value, "100-continue") else {
        throw Refusal(status: 417, detail: "No expectation but 100-continue can be met.")
      }
      head.expectsContinue = true
      head.mustBeRewritten = true
    case 10 where same(name, "connection"):
      for option in value.split(separator: UInt8(ascii: ",")).map(trimmed) {
        if same(option, "close") { connectionSaysClose = true }
        if same(option, "keep-alive") { connectionSaysKeepAlive = true }
      }
    case 14 where same(name, "content-length"): try readContentLength(value)
    case 17 where same(name, "transfer-encoding"):
      guard !isChunked, !isVersion10, same(value, "chunked") else {
        throw .malformed("No Transfer-Encoding but chunked, given once, in HTTP/1.1, is understood.")
      }
      isChunked = true
      head.mustBeRewritten = true
    default: break
    }
  }

  private mutating func readContentLength(_ value: Slice<UnsafeBufferPointer<UInt8>>) throws(Refusal) {
    guard !value.isEmpty, value.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else {
      throw .malformed("The Content-Length is not a number.")
    }
    var length = 0
    for digit in value {
      let (product, overflow) = length.multipliedReportingOverflow(by: 10)
      // A number beyond all measure is as good as the greatest: 413.
      length = overflow || product > Int.max - 9 ? Int.max / 16 : product + Int(digit - UInt8(ascii: "0"))
    }
    if let contentLength, contentLength != length { throw .malformed("There are two different Content-Lengths.") }
    contentLength = length
    contentLengthCount += 1
    if contentLengthCount > 1 { head.mustBeRewritten = true }
  }

  private mutating func finish() throws(Refusal) {
    guard isVersion10 || hostCount == 1 else { throw .malformed("There is no Host.") }
    if isChunked {
      guard contentLength == nil else { throw .malformed("There are both Transfer-Encoding and Content-Length.") }
      head.body = .chunked
    } else if let contentLength, contentLength > 0 {
      head.body = .length(contentLength)
      if !head.isBodyReadByEvhttp { head.mustBeRewritten = true }
    } else if contentLength == nil, head.isBodyReadByEvhttp {
      // evhttp refuses a POST with `Connection: keep-alive` and no length.
      head.mustBeRewritten = true
    }
    head.keepsAlive = !connectionSaysClose && (!isVersion10 || connectionSaysKeepAlive)
    head.byteCount = lineStart
  }
}

// MARK: Bytes

/// RFC 9110 section 5.6.2.
private func isTokenByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"),
    UInt8(ascii: "%"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "."),
    UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
    true
  default: false
  }
}

typealias ByteSlice = Slice<UnsafeBufferPointer<UInt8>>

/// Without regard to ASCII case.
func same(_ bytes: ByteSlice, _ text: StaticString) -> Bool {
  bytes.count == text.utf8CodeUnitCount && hasPrefix(bytes, text)
}

private func hasPrefix(_ bytes: ByteSlice, _ text: String) -> Bool {
  bytes.count >= text.utf8.count && zip(bytes, text.utf8).allSatisfy { lower($0) == lower($1) }
}

private func hasPrefix(_ bytes: ByteSlice, _ text: StaticString) -> Bool {
  let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  return zip(bytes, wanted).allSatisfy { lower($0) == lower($1) }
}

private func lower(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

private func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

func trimmed(_ bytes: ByteSlice) -> ByteSlice {
  var bytes = bytes.drop(while: isBlank)
  while let last = bytes.last, isBlank(last) { bytes.removeLast() }
  return bytes
}
