import Files
import Foundation

extension Files {
  /// Makes sure that a file can be put at `path`, so that hours of work do not end with a refusal.
  ///
  /// - Throws: ``FileError`` when its folder is missing or closed, or something that is not a file
  ///   is there already.
  static func checkWritable(_ path: String) throws(FileError) {
    let folder = parent(of: path)
    guard isFolder(folder) else { throw FileError(path, "the folder '\(folder)' does not exist") }
    guard access(folder, W_OK) == 0 else {
      throw FileError(path, "could not be created: \(FileError.systemReason())")
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw FileError(path, "is not a plain file, so it is not replaced")
    }
  }
}
