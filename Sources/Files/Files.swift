import Foundation

/// Whole-file reading and atomic writing, with errors a person can act on.
public enum Files {
  /// Reads all bytes of the file at `path`.
  ///
  /// - Throws: ``FileError`` when the file is missing, is a folder, or cannot be read.
  public static func read(_ path: String) throws(FileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FileError(path, "could not be opened: \(FileError.systemReason())")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw FileError(path, "could not be examined: \(FileError.systemReason())")
    }
    guard status.st_mode & S_IFMT != S_IFDIR else {
      throw FileError(path, "is a folder, not a file")
    }
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, count in
      while let start = buffer.baseAddress, count < buffer.count {
        let got = Foundation.read(descriptor, start + count, buffer.count - count)
        if got < 0 && errno == EINTR { continue }
        if got < 0 { failure = errno }
        if got <= 0 { break }
        count += got
      }
    }
    guard failure == 0 else {
      throw FileError(path, "could not be read: \(FileError.systemReason(failure))")
    }
    return bytes
  }

  /// Reads the file at `path` as UTF-8 text.
  ///
  /// - Throws: ``FileError`` when it cannot be read or is not UTF-8.
  public static func readText(_ path: String) throws(FileError) -> String {
    guard let text = String(validating: try read(path), as: UTF8.self) else {
      throw FileError(path, "is not UTF-8 text")
    }
    return text
  }

  /// Writes `bytes` to a temporary file beside `path` and renames it into place.
  ///
  /// Whatever was at `path` stays whole until the new file is complete and on disk.
  ///
  /// - Throws: ``FileError`` when the folder is missing, the disk is full, or writing is refused;
  ///   the temporary file is then removed.
  public static func replace(_ path: String, with bytes: [UInt8]) throws(FileError) {
    let temporary = "\(path).\(getpid()).tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FileError(path, "could not be created: \(FileError.systemReason())")
    }
    var failure: Int32 = 0
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while let start = buffer.baseAddress, done < buffer.count {
        let wrote = Foundation.write(descriptor, start + done, buffer.count - done)
        if wrote < 0 && errno == EINTR { continue }
        if wrote <= 0 {
          failure = errno
          return
        }
        done += wrote
      }
      if fsync(descriptor) != 0 { failure = errno }
    }
    if close(descriptor) != 0 && failure == 0 { failure = errno }
    if failure == 0 && rename(temporary, path) != 0 { failure = errno }
    guard failure == 0 else {
      unlink(temporary)
      throw FileError(path, "could not be written: \(FileError.systemReason(failure))")
    }
  }

  /// Writes `text` as UTF-8 to a temporary file beside `path` and renames it into place.
  ///
  /// - Throws: ``FileError`` as ``replace(_:with:)-([UInt8])`` does.
  public static func replace(_ path: String, with text: String) throws(FileError) {
    try replace(path, with: Array(text.utf8))
  }

  /// Makes the folder at `path`, and the folders above it.
  ///
  /// - Throws: ``FileError`` when a file is in the way or making it is refused.
  public static func makeFolder(_ path: String) throws(FileError) {
    if isFolder(path) { return }
    let parent = parent(of: path)
    if parent != "." && parent != path { try makeFolder(parent) }
    if mkdir(path, 0o755) != 0 && !(errno == EEXIST && isFolder(path)) {
      throw FileError(path, "could not make the folder: \(FileError.systemReason())")
    }
  }

  /// The folder that `path` is in; `.` for a plain name.
  ///
  /// Foundation's `deletingLastPathComponent` traps on names of one letter.
  public static func parent(of path: String) -> String {
    let whole = path.lastIndex { $0 != "/" }.map { path[...$0] } ?? path[...]
    guard let slash = whole.lastIndex(of: "/") else { return "." }
    let parent = whole[..<slash]
    return parent.lastIndex { $0 != "/" }.map { String(parent[...$0]) } ?? "/"
  }

  /// Whether there is anything at `path`.
  public static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }

  /// Whether there is a folder at `path`.
  public static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}
