import Foundation
import Mapping

/// Reads text files whole.
public enum TextFile {
  public struct Failure: Error, Sendable, Hashable {
    public var message: String
    public var advice: String
    /// Where in the file, if the trouble is in it.
    public var position: SourcePosition?
  }

  /// The file's bytes; a pipe's too, such as a shell's `<(command)`.
  static func data(of path: String) -> Result<Data, Failure> {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      return .failure(Failure(message: "there is no file '\(path)'", advice: "check the path"))
    }
    guard !isDirectory.boolValue else {
      return .failure(Failure(message: "'\(path)' is a directory", advice: "name a file in it"))
    }
    // Not `contents(atPath:)`, which reads regular files only.
    guard let file = FileHandle(forReadingAtPath: path), let data = try? file.readToEnd() ?? Data() else {
      return .failure(Failure(message: "the file '\(path)' can't be read", advice: "check its permissions"))
    }
    return .success(data)
  }

  /// The file's text, without a byte order mark.
  public static func read(_ path: String) -> Result<String, Failure> { data(of: path).flatMap { text($0, file: path) } }

  private static func text(_ data: Data, file path: String) -> Result<String, Failure> {
    guard var text = String(validating: data, as: UTF8.self) else {
      return .failure(
        Failure(
          message: "the file '\(path)' is no UTF-8 text", advice: "save it as UTF-8",
          position: firstInvalid(in: data, file: path)))
    }
    if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
    return .success(text)
  }

  /// The line on which the first byte stands that is no UTF-8.
  private static func firstInvalid(in data: Data, file: String) -> SourcePosition {
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let index = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0
    return SourcePosition(file: file, line: index + 1, column: 1)
  }
}
