import Foundation

/// Why JSON text could not be read: one line with line and column.
public enum JSONProblem {
  /// What a decoder's error says, and where in `bytes`.
  public static func describe(_ error: any Error, in bytes: [UInt8]) -> String {
    guard let error = error as? DecodingError else { return "it is not JSON" }
    func told(_ context: DecodingError.Context, _ what: (String) -> String) -> String {
      let name = context.codingPath.map(\.stringValue).joined(separator: ".")
      return place(of: context.codingPath, in: bytes) + what(name)
    }
    switch error {
    case .keyNotFound(let key, let context):
      return told(context) {
        "'\(key.stringValue)' is missing" + ($0.isEmpty ? "" : " in '\($0)'")
      }
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return told(context) { "'\($0)' is not \(Self.word(for: type))" }
    case .dataCorrupted(let context):
      if context.codingPath.isEmpty, let error = JSONScanner(bytes).firstError() {
        return place(at: error.offset, in: bytes) + error.what
      }
      return told(context) { _ in context.debugDescription }
    @unknown default: return "it cannot be decoded"
    }
  }

  /// `line 2, column 5: ` of the value that `path` leads to in well-formed JSON.
  ///
  /// A step that is not there ends the search: the place is that of what was found last.
  public static func place(of path: [any CodingKey], in bytes: [UInt8]) -> String {
    var scanner = JSONScanner(bytes)
    for step in path {
      let found = step.intValue.map { scanner.enter(element: $0) }
      guard found ?? scanner.enter(member: step.stringValue) else { break }
    }
    return place(at: scanner.start, in: bytes)
  }

  private static func place(at offset: Int, in bytes: [UInt8]) -> String {
    let before = bytes[..<offset]
    let line = before.reduce(1) { $0 + ($1 == 10 ? 1 : 0) }
    let lineStart = (before.lastIndex(of: 10) ?? -1) + 1
    let column = String(decoding: before[lineStart...], as: UTF8.self).count + 1
    return "line \(line), column \(column): "
  }

  private static func word(for type: any Any.Type) -> String {
    switch type {
    case is Double.Type, is Int.Type: "a number"
    case is String.Type: "a text"
    case is Bool.Type: "true or false"
    default: "what is expected"
    }
  }
}
