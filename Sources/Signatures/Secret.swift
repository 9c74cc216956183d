/// A key, token or password, which no print, log, dump or interpolation shows.
public struct Secret: Sendable, Equatable {
  /// The bytes themselves: for a computation or a request, never for a message.
  public let revealed: [UInt8]

  public init(bytes: [UInt8]) { revealed = bytes }

  /// The text's UTF-8 bytes, as they are: nothing is decoded.
  public init(_ text: String) { revealed = Array(text.utf8) }

  /// The bytes read as UTF-8, for a header such as `Authorization`.
  public var revealedText: String { String(decoding: revealed, as: UTF8.self) }

  public var isEmpty: Bool { revealed.isEmpty }

  /// Compares bytes, in a time that depends on their lengths only.
  public static func == (a: Secret, b: Secret) -> Bool { constantTimeEqual(a.revealed, b.revealed) }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  public var description: String { "Secret(redacted)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
