import GRDB

/// Why the run store could not be used: one line that names the file and a way out.
public struct StoreError: Error, Hashable, CustomStringConvertible {
  /// The store's file.
  public var path: String
  /// What is wrong, and what to do.
  public var problem: String

  init(_ path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }

  /// The meaning of what SQLite said about the store at `path`.
  init(_ path: String, _ error: any Error) {
    let out = "move it away and a new one is made, or name another with --store"
    guard let error = error as? DatabaseError else {
      let reason = "\(error)".split(separator: "\n").first ?? ""
      self.init(path, "is damaged (\(reason)); \(out)")
      return
    }
    switch error.resultCode {
    case .SQLITE_NOTADB, .SQLITE_CORRUPT:
      self.init(path, "is damaged or is not a run store; \(out)")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self.init(path, "is held by another process; try again when that has ended")
    case .SQLITE_CANTOPEN:
      self.init(
        path, "could not be opened: no such folder, or no permission; name another with --store")
    case .SQLITE_READONLY, .SQLITE_PERM:
      self.init(path, "cannot be written to; name another with --store")
    case .SQLITE_FULL:
      self.init(path, "cannot grow: the disk is full")
    default:
      self.init(path, "could not be used: \(error.message ?? "SQLite \(error.resultCode)"); \(out)")
    }
  }

  /// `path: problem`.
  public var description: String { "\(path): \(problem)" }
}
