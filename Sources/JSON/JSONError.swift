/// Why bytes are not JSON that we read.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  public enum Reason: String, Sendable {
    case unexpectedEnd = "the text ends too early"
    case unexpectedByte = "unexpected character"
    case invalidNumber = "not a JSON number"
    case invalidString = "not a JSON string"
    case invalidUTF8 = "not UTF-8"
    case tooDeep = "nested too deep"
    case trailingBytes = "text after the value"
  }
  public let reason: Reason
  /// Byte offset from the start of the text.
  public let offset: Int

  public init(reason: Reason, offset: Int) {
    self.reason = reason
    self.offset = offset
  }

  public var description: String { "\(reason.rawValue) at byte \(offset)" }
}
