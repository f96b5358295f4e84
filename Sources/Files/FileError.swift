import Foundation

/// Why a file could not be read or written: one line that names it, what failed and why.
public struct FileError: Error, Hashable, CustomStringConvertible {
  /// The path as the user gave it.
  public var path: String

  /// What was wrong, and where in the file: `line 3: expected 41 columns, found 40`.
  public var problem: String

  /// A problem in the file at `path`.
  ///
  /// Line breaks and other control characters of `problem` become spaces: it may quote names out of
  /// the file, which could otherwise forge lines or command the terminal.
  public init(_ path: String, _ problem: String) {
    self.path = path
    let isPlain = problem.unicodeScalars.allSatisfy { !Self.breaksLines($0) }
    self.problem =
      isPlain
      ? problem
      : String(
        String.UnicodeScalarView(
          problem.unicodeScalars.map { Self.breaksLines($0) ? " " : $0 }))
  }

  private static func breaksLines(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  /// The reason of the last failed system call, as in `No such file or directory`.
  public static func systemReason() -> String { systemReason(errno) }

  /// What the system calls the error number `code`.
  public static func systemReason(_ code: Int32) -> String { String(cString: strerror(code)) }

  /// `path: problem`.
  public var description: String { "\(path): \(problem)" }
}
