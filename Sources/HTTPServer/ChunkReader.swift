/// What to do with the next bytes of a chunked body.
enum ChunkStep: Equatable {
  /// So many bytes are framing.
  case skip(Int)
  /// So many bytes are the body's.
  case take(Int)
  /// So many bytes are framing, and with them the request ends.
  case end(Int)
  case refused(Refusal)
}

/// Finds the body in a chunked transfer (RFC 9112 section 7.1). Bytes may come in any pieces.
struct ChunkReader {
  private enum Place { case size, sizeExtension, sizeEnd, data, dataEnd, dataLineEnd, trailer }

  private let maxBody: Int
  private let maxTrailer: Int
  private var place = Place.size
  private var size = 0
  private var digits = 0
  private var bodyCount = 0
  private var extensionCount = 0
  private var trailerCount = 0
  private var trailerLineCount = 0
  private var trailerEndsInReturn = false

  init(maxBody: Int, maxTrailer: Int) {
    self.maxBody = maxBody
    self.maxTrailer = maxTrailer
  }

  /// `bytes` is not empty; the step says of at least one of them what it is.
  mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) -> ChunkStep {
    if place == .data {
      let count = min(size, bytes.count)
      size -= count
      if size == 0 { place = .dataEnd }
      return .take(count)
    }
    for (index, byte) in bytes.enumerated() {
      do throws(Refusal) {
        if try reads(byte) { return .end(index + 1) }
      } catch {
        return .refused(error)
      }
      if place == .data { return .skip(index + 1) }
    }
    return .skip(bytes.count)
  }

  /// Whether the request ends with this byte of framing.
  private mutating func reads(_ byte: UInt8) throws(Refusal) -> Bool {
    let malformed = Refusal.malformed("The chunked body is malformed.")
    let isReturn = byte == UInt8(ascii: "\r")
    let isNewline = byte == UInt8(ascii: "\n")
    switch place {
    case .size:
      if let digit = Self.value(ofHex: byte) {
        digits += 1
        guard digits <= 15 else { throw tooLarge }
        size = size << 4 | digit
        guard size <= maxBody - bodyCount else { throw tooLarge }
      } else {
        guard digits > 0 else { throw malformed }
        switch byte {
        case UInt8(ascii: "\r"): place = .sizeEnd
        case UInt8(ascii: ";"), UInt8(ascii: " "), UInt8(ascii: "\t"): place = .sizeExtension
        default: throw malformed
        }
      }
    case .sizeExtension:
      extensionCount += 1
      guard !isNewline, extensionCount <= maxTrailer else { throw malformed }
      if isReturn { place = .sizeEnd }
    case .sizeEnd:
      guard isNewline else { throw malformed }
      bodyCount += size
      place = size == 0 ? .trailer : .data
      digits = 0
    case .data: break
    case .dataEnd:
      guard isReturn else { throw malformed }
      place = .dataLineEnd
    case .dataLineEnd:
      guard isNewline else { throw malformed }
      place = .size
    case .trailer: return try readsTrailer(byte)
    }
    return false
  }

  /// Trailer fields are read over: nothing here asks for one.
  private mutating func readsTrailer(_ byte: UInt8) throws(Refusal) -> Bool {
    trailerCount += 1
    guard trailerCount <= maxTrailer else {
      throw Refusal(status: 431, detail: "The trailer fields take more than \(maxTrailer) bytes.")
    }
    if byte == UInt8(ascii: "\n") {
      guard trailerEndsInReturn else { throw .malformed("A line ends without a carriage return.") }
      if trailerLineCount == 0 { return true }
      trailerLineCount = 0
      trailerEndsInReturn = false
    } else if trailerEndsInReturn {
      throw .malformed("A trailer line holds a carriage return.")
    } else if byte == UInt8(ascii: "\r") {
      trailerEndsInReturn = true
    } else {
      trailerLineCount += 1
    }
    return false
  }

  private var tooLarge: Refusal { .bodyTooLarge(maxBody) }

  private static func value(ofHex byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
  }
}

extension Refusal {
  static func bodyTooLarge(_ limit: Int) -> Refusal {
    Refusal(status: 413, detail: "The body takes more than \(limit) bytes.")
  }
}
