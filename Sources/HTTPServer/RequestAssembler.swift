import CLibevent

/// Takes in what a connection sends and gives out whole requests, in the form in which evhttp reads them as we do.
/// It owns the bytes until then. The loop's thread only.
final class RequestAssembler {
  enum Step: Equatable {
    case incomplete, whole
    /// The head asks whether its body is wanted (`Expect: 100-continue`); said once.
    case asksForBody
    case refused(Refusal)
  }

  private enum Phase { case head, body, chunks(ChunkReader) }

  private let pending: OpaquePointer
  private var limits: Limits
  private var phase = Phase.head
  private var reader: RequestHeadReader
  /// Kept where something is asked of it later; nearly all requests pass without a copy.
  private var headBytes: [UInt8] = []
  private var chunkedBody: OpaquePointer?

  /// Nil when there is no memory.
  init?(limits: Limits) {
    guard let pending = evbuffer_new() else { return nil }
    self.pending = pending
    self.limits = limits
    reader = RequestHeadReader(limit: limits.maxHeaderBytes)
  }

  deinit {
    evbuffer_free(pending)
    if let chunkedBody { evbuffer_free(chunkedBody) }
  }

  var head: RequestHead { reader.head }

  /// Bytes that are no whole request yet.
  var count: Int { evbuffer_get_length(pending) }

  /// Whether a request's first byte has come; the head of a chunked one is no longer counted.
  var hasBegun: Bool {
    if case .head = phase { count > 0 } else { true }
  }

  /// Whether all there is of the request is its head.
  var isHeadAlone: Bool { count == head.byteCount }

  /// The target's path, of a head that asks for its body or is refused over it.
  var path: String {
    if let target = head.unusualTarget { return String(target.prefix { $0 != "?" }) }
    let target = headBytes[reader.skipped...].drop { $0 != UInt8(ascii: " ") }.dropFirst()
    return String(decoding: target.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "?") }, as: UTF8.self)
  }

  // MARK: In

  /// Takes all of `input`.
  func take(_ input: OpaquePointer) {
    let size = 512
    guard evbuffer_get_length(input) < size else {
      evbuffer_add_buffer(pending, input)
      return
    }
    // A few bytes come in a chunk of many: moved as they are, a body sent byte by byte would take a thousandfold.
    withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { bytes in
      let count = evbuffer_remove(input, bytes.baseAddress, size)
      if count > 0 { evbuffer_add(pending, bytes.baseAddress, Int(count)) }
    }
  }

  /// Reads on in what was taken.
  func advance() -> Step {
    do throws(Refusal) {
      if case .head = phase {
        guard try readHead() else { return .incomplete }
        if head.expectsContinue, head.body != .none { return .asksForBody }
      }
      return try readBody() ? .whole : .incomplete
    } catch {
      return .refused(error)
    }
  }

  private func readHead() throws(Refusal) -> Bool {
    let count = min(evbuffer_get_length(pending), limits.maxHeaderBytes + 16)
    guard count > 0, let bytes = evbuffer_pullup(pending, count) else { return false }
    switch reader.read(UnsafeBufferPointer(start: bytes, count: count)) {
    case .incomplete: return false
    case .refused(let refusal): throw refusal
    case .complete: phase = .body
    }
    let isTooLarge = if case .length(let length) = head.body { length > limits.maxBody } else { false }
    if head.mustBeRewritten || isTooLarge {
      headBytes = Array(UnsafeBufferPointer(start: bytes, count: head.byteCount))
    }
    if isTooLarge { throw .bodyTooLarge(limits.maxBody) }
    return true
  }

  private func readBody() throws(Refusal) -> Bool {
    switch (phase, head.body) {
    case (.chunks(var chunks), _):
      defer { phase = .chunks(chunks) }
      return try readChunks(&chunks)
    case (_, .chunked):
      evbuffer_drain(pending, head.byteCount)
      chunkedBody = chunkedBody ?? evbuffer_new()
      phase = .chunks(ChunkReader(maxBody: limits.maxBody, maxTrailer: limits.maxHeaderBytes))
      return try readBody()
    case (_, .length(let length)): return count - head.byteCount >= length
    case (_, .none): return true
    }
  }

  private func readChunks(_ chunks: inout ChunkReader) throws(Refusal) -> Bool {
    while case let count = Int(evbuffer_get_contiguous_space(pending)), count > 0,
      let bytes = evbuffer_pullup(pending, count)
    {
      switch chunks.read(UnsafeBufferPointer(start: bytes, count: count)) {
      case .skip(let count): evbuffer_drain(pending, count)
      case .take(let count): evbuffer_remove_buffer(pending, chunkedBody, count)
      case .end(let count):
        evbuffer_drain(pending, count)
        return true
      case .refused(let refusal): throw refusal
      }
    }
    return false
  }

  // MARK: Out

  /// Puts the whole request in front of `input`, and returns the body where evhttp would not read it.
  func moveRequest(to input: OpaquePointer) -> [UInt8]? {
    guard !head.mustBeRewritten else { return moveRewritten(to: input) }
    if reader.skipped > 0 { evbuffer_drain(pending, reader.skipped) }
    var count = head.byteCount - reader.skipped
    if case .length(let length) = head.body { count += length }
    if self.count == count {
      evbuffer_prepend_buffer(input, pending)
    } else if let part = evbuffer_new() {
      evbuffer_remove_buffer(pending, part, count)
      evbuffer_prepend_buffer(input, part)
      evbuffer_free(part)
    }
    return nil
  }

  private func moveRewritten(to input: OpaquePointer) -> [UInt8]? {
    guard let part = evbuffer_new() else { return nil }
    defer { evbuffer_free(part) }
    var length = 0
    var source = pending
    if case .chunked = head.body, let chunkedBody {
      length = evbuffer_get_length(chunkedBody)
      source = chunkedBody
    } else {
      evbuffer_drain(pending, head.byteCount)
      if case .length(let count) = head.body { length = count }
    }
    // What evhttp makes of a body depends on the method and on its version: for most it is told of none.
    let bytes = rewrittenHead(bodyLength: head.isBodyReadByEvhttp ? length : 0)
    evbuffer_add(part, bytes, bytes.count)
    var detached: [UInt8]?
    if head.isBodyReadByEvhttp {
      evbuffer_remove_buffer(source, part, length)
    } else {
      detached = takeBytes(length, from: source)
    }
    evbuffer_prepend_buffer(input, part)
    return detached
  }

  /// The head as it was sent, but for a target that evhttp could take apart and the fields that frame the body.
  private func rewrittenHead(bodyLength: Int) -> [UInt8] {
    var result: [UInt8] = []
    let lines = headBytes[reader.skipped...].split(separator: UInt8(ascii: "\n"))
    for (index, line) in lines.enumerated() {
      let line = line.dropLast()
      if index == 0, head.unusualTarget != nil {
        result += Array(head.method.utf8) + Array(" / ".utf8) + line.suffix(8)
      } else {
        if line.isEmpty || (index > 0 && Self.isFraming(line)) { continue }
        result += line
      }
      result += [13, 10]
    }
    return result + Array("Content-Length: \(bodyLength)\r\n\r\n".utf8)
  }

  private static func isFraming(_ line: ArraySlice<UInt8>) -> Bool {
    let name = line.prefix { $0 != UInt8(ascii: ":") }.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }
    return ["content-length", "transfer-encoding", "expect"].contains { name.elementsEqual($0.utf8) }
  }

  /// Begins with the next request, of which bytes may be here already.
  func reset(limits: Limits) {
    self.limits = limits
    reader = RequestHeadReader(limit: limits.maxHeaderBytes)
    phase = .head
    headBytes = []
  }

  func discard() { evbuffer_drain(pending, count) }
}

/// Takes so many bytes out of a buffer that has them.
func takeBytes(_ count: Int, from buffer: OpaquePointer) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: count) { bytes, filled in
    filled = max(0, Int(evbuffer_remove(buffer, bytes.baseAddress, count)))
  }
}
