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
  /// the file, which could otherwise forge lines or command the terminal. Of more than 800 characters,
  /// which only a file's own names and shapes can make, the middle is left out.
  public init(_ path: String, _ problem: String) {
    self.path = path
    let scalars = problem.unicodeScalars
    let isPlain = scalars.allSatisfy { !Self.breaksLines($0) }
    let line = isPlain ? Array(scalars) : scalars.map { Self.breaksLines($0) ? " " : $0 }
    let shown =
      line.count <= Self.longest
      ? line
      : line.prefix(Self.longest * 3 / 4) + Array(" … ".unicodeScalars)
        + line.suffix(Self.longest / 4 - 3)
    self.problem = String(String.UnicodeScalarView(shown))
  }

  /// The number of characters of a problem that is shown whole.
  private static let longest = 800

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
